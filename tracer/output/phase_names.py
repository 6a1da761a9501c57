"""What the phase `copy` is called where it is shown: where its start is not seen, it is the whole receive call."""

from __future__ import annotations

from tracer.output.format import Result
from tracer.output.units import duration

COPY, RECEIVE_CALL, RECEIVE = "copy", "receive call", "receive"
# how requests are carried out that no receive call of a thread's brings (docs/json.md, `how`)
_BY_KERNEL = ("inline", "poll-armed", "worker", "multishot", "sqpoll", "in io_submit")
_BY_DEVICE = ("device", "after io_submit")
_BY_THREADS = ("its own call", "a helper thread")  # who copied, in a comparison
MEANINGS = {
    COPY: "into the program's memory",
    RECEIVE_CALL: "until it returns; when it copies is not seen",
    RECEIVE: "in the kernel, for the request; when it copies is not seen",
}


def copy_name(report: Result) -> str:
    """Of a report: what `copy` is in most of its operations."""
    count = len(report.get("operations") or [])
    unseen = (report.get("estimated") or {}).get("copy_start") or 0
    if not count or 2 * unseen < count:
        return COPY
    done = (report.get("model") or {}).get("variants") or {}
    by_kernel, by_device = (
        sum(done.get(how) or 0 for how in some) for some in (_BY_KERNEL, _BY_DEVICE)
    )
    by_call = count - by_kernel - by_device
    most = max((by_call, RECEIVE_CALL), (by_kernel, RECEIVE), (by_device, COPY))
    return most[1]


def copy_name_of(operation: Result, moved: bool = False) -> str:
    """Of one operation; moved: whether the call moved the data and copied none."""
    how = operation.get("how")
    if moved or how in _BY_DEVICE or "copy_start" not in (operation.get("estimated") or ()):
        return COPY
    return RECEIVE if how in _BY_KERNEL else RECEIVE_CALL


def copy_name_at(report: Result, index: int) -> str:
    """Of one operation of a report."""
    operations = report.get("operations") or []
    return copy_name_of(operations[index]) if 0 <= index < len(operations) else COPY


def of_contender(model: Result) -> str:
    """Of a program of a comparison: what `copy` is in most of its operations."""
    unseen = "copy_start" in (model.get("estimated") or ())
    by = model.get("copied_by") or ""
    if not unseen or "device" in by:
        return COPY
    return RECEIVE_CALL if by in _BY_THREADS else RECEIVE


def shown(phase: str, copy: str) -> str:
    """A phase's name, where the copy is called so."""
    return copy if phase == "copy" else phase


def listed(phases: Result, copy: str) -> str:
    """The phases that took time: 'wait 10 ms, receive call 5 µs'."""
    return ", ".join(f"{shown(name, copy)} {duration(ns)}" for name, ns in phases.items() if ns)
