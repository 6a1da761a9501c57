"""Boundaries in order, one operation at a time: each held between its neighbours (docs/model.md, "Moved")."""

from __future__ import annotations

from dataclasses import dataclass, field

ORDER = ("ask", "ready", "told", "copy_start")


@dataclass
class Operation:
    """One operation as the rules decided it, and then in order. Times in ns; `raw`: as seen; `ready`: the best that is
    known without sk_data_ready, until `settle`."""

    tid: int
    receiver_tid: int
    fd: int
    inode: int
    bytes: int
    wait_kind: str
    ask: int
    ready: int
    told: int
    copy_start: int
    copy_end: int
    done: int
    estimated: set[str]
    empty_at: int | None = None
    stream: bool = False
    messages: int = 1
    waits_inside: list[tuple[int, int]] = field(default_factory=list)  # after the first bytes
    polled: bool = False
    completion_kind: str = ""
    raw: dict[str, int] = field(default_factory=dict)
    queued: int = 0
    more: dict[str, object] = field(
        default_factory=dict
    )  # what else is known, by the column's name


def settle(op: Operation, ready: int | None, late: int | None) -> None:
    """The operation with its readiness, in place. ready, late: as readiness.one_by_one says."""
    if ready is None:
        op.estimated.add("ready")
    else:
        op.ready = ready
    op.raw["ask"] = op.ask
    op.raw["ready"] = op.ready
    if op.wait_kind == "io-uring" and "copy_start" in op.estimated:
        # only the completion is seen: there was nothing to copy, or to tell of, before the data was ready
        op.copy_start = max(op.copy_start, op.ready)
        op.told = max(op.told, op.ready)
    op.raw["told"] = op.told
    op.raw["copy_start"] = op.copy_start
    # it was there before it was asked for
    op.queued = max(0, op.ask - op.ready)
    op.ask = min(op.ask, op.copy_end)
    op.copy_start = between(op.ask, op.copy_start, op.copy_end)
    op.ready = between(op.ask, op.ready, op.copy_start)
    op.told = between(op.ready, op.told, op.copy_start)
    for name in ORDER:
        if getattr(op, name) != op.raw[name]:
            op.estimated.add(name)
    op.more["inside"] = sum(
        max(0, min(end, op.copy_end) - max(begin, op.copy_start)) for begin, end in op.waits_inside
    )
    if late is not None:
        op.raw["ready"] = late


def between(least: int, time: int, most: int) -> int:
    """The time, or the limit that it lies beyond."""
    if time < least:
        return least
    return min(time, most)
