"""One real operation as the steps of a figure: what the application and the kernel did, in time order."""

from __future__ import annotations

import numpy as np

from tracer.analysis.counts.syscall_stats import signal_name
from tracer.analysis.operations.receives import (
    AT_ONCE,
    IO_URING,
    LINUX_AIO,
    MOST_ASKS,
    POSIX_AIO,
    SIGNAL,
    Operations,
)
from tracer.analysis.threads.timeline import NEVER, Timeline, TimelineBatch
from tracer.kernel import syscalls
from tracer.recording.batch import Read, RecordBatch, joined
from tracer.recording.records import LIBRARY_NAMES, Kind, empty
from tracer.terms import BOUNDARIES, MODELS

_TIMES = ("enter_ns", "exit_ns", "at_ns", "end_ns", "generated_ns", "delivered_ns")


def figure(operations: Operations, models: np.ndarray, read: Read, base: int) -> dict | None:
    """The median operation (by ask → done) of the most frequent model, times in ns from `base`; None without one."""
    if not len(operations):
        return None
    model = int(np.bincount(models).argmax())
    mine = np.flatnonzero(models == model)
    waited = mine[operations.wait_kind[mine] != AT_ONCE]
    waited = waited if len(waited) else mine
    took = operations.done[waited] - operations.ask[waited]
    middle = (len(waited) - 1) // 2
    chosen = int(waited[np.flatnonzero(took == np.partition(took, middle)[middle])[0]])
    its = next(operations.rows(slice(chosen, chosen + 1)))
    steps = [_shifted(step, base) for step in _steps(its, read)]
    return {"operation": chosen, "model": MODELS[model], "steps": steps}


def _steps(its: dict, read: Read) -> list[dict]:
    who = its["receiver_tid"] or its["tid"]
    records = joined([RecordBatch.of(empty()), *read(its["raw_ask"], its["done"])])
    steps = [
        {
            "kind": "library",
            "name": LIBRARY_NAMES[int(records.nr[i])],
            "enter_ns": its["ask"],
            "tid": int(records.tid[i]),
        }
        for i in np.flatnonzero((records.kind == Kind.LIBRARY) & (records.time == its["ask"]))
    ]
    if (
        its["wait_kind"] in (IO_URING, LINUX_AIO)
        or its["wait_kind"] == POSIX_AIO
        and its["receiver_tid"]
    ):
        asker = Timeline().feed(
            records.take((records.tid == its["tid"]) & (records.kind != Kind.OPEN))
        )
        steps += _requests(its, records) + _asking(its, asker)
    thread = Timeline().feed(records.take((records.tid == who) & (records.kind != Kind.OPEN)))
    steps += _calls(its, thread)
    if (
        its["wait_kind"] == SIGNAL
    ):  # whether the handler itself receives, or code that runs after it
        ends = thread.calls.start[thread.calls.nr == syscalls.numbers()["rt_sigreturn"]]
        steps += [
            {"kind": "handler_end", "at_ns": int(at), "tid": who}
            for at in ends
            if at >= its["raw_ask"]
        ]
    steps.append({"kind": "ready", "at_ns": its["ready"], "estimated": _is_estimated(its, "ready")})
    steps.append(
        {
            "kind": "copy",
            "at_ns": its["copy_start"],
            "end_ns": its["copy_end"],
            "estimated": _is_estimated(its, "copy_start"),
            "tid": who,
        }
    )
    if its["by_sigwait"]:
        steps += _taking(
            its, Timeline().feed(records.take((records.tid == who) & (records.kind != Kind.OPEN)))
        )
    if its["signal"]:
        steps.append(
            {
                "kind": "signal",
                "taken": bool(its["by_sigwait"]),
                "name": signal_name(its["signal"]),
                "generated_ns": its["generated"] or None,
                "delivered_ns": its["delivered"],
            }
        )
    return sorted(
        steps,
        key=lambda step: (
            step.get("enter_ns")
            or step.get("at_ns")
            or step.get("generated_ns")
            or step.get("delivered_ns")
        ),
    )


def _calls(its: dict, part: TimelineBatch) -> list[dict]:
    """The calls of the wait, and the receive; with the wake-up of each one's last sleep."""
    calls = part.calls
    waits = [
        number
        for members in syscalls.CLASSES.values()
        for number in syscalls.class_numbers(members)
    ]
    waits += [its["wait_nr"]]
    receives = syscalls.class_numbers(syscalls.RECEIVE)
    its_own = np.isin(calls.nr, waits) | np.isin(calls.nr, receives) & (calls.fd == its["fd"]) & (
        (calls.result < 0) | (calls.end < its["copy_end"])
    )
    brings = (calls.end == its["copy_end"]) & (calls.fd == its["fd"])
    rows = np.flatnonzero(
        (its_own & (calls.end < its["copy_end"]) | brings) & (calls.start >= its["raw_ask"])
    )
    rows = np.concatenate([rows[:1], rows[1:][-MOST_ASKS:]])
    steps = []
    for row in rows.tolist():
        steps += _with_sleeps(
            part,
            row,
            {"waits": bool(not brings[row] and calls.result[row] >= 0)},
            bool(brings[row]),
        )
    return steps


def _with_sleeps(part: TimelineBatch, row: int, says: dict, brings: bool) -> list[dict]:
    """A call of `part.calls` as a step, and the wake-up of its last sleep."""
    tid, nr, fd, result, start, end, count = (
        int(getattr(part.calls, name)[row])
        for name in ("tid", "nr", "fd", "result", "start", "end", "count")
    )
    within = (part.start >= start) & (part.end <= end)
    sleeps = part.inside.take((part.inside.out >= start) & (part.inside.out < end))
    until = np.minimum(sleeps.woken, sleeps.back)
    steps = [
        {
            "kind": "call",
            "name": syscalls.name_of(nr),
            "enter_ns": start,
            "exit_ns": end,
            "result": result if result >= 0 else syscalls.error_name(result),
            "tid": tid,
            "fd": fd,
            "count": count,
            "busy_ns": int((part.end - part.start)[within].sum()),
            "blocked_ns": int((until - sleeps.out).sum()),
            "brings_data": brings,
            **says,
        }
    ]
    if len(sleeps):
        if sleeps.woken[-1] != NEVER:
            steps.append({"kind": "wake", "at_ns": int(sleeps.woken[-1]), "tid": tid})
        steps.append({"kind": "run", "at_ns": int(sleeps.back[-1]), "tid": tid})
    return steps


def _requests(its: dict, records: RecordBatch) -> list[dict]:
    """What the kernel did with an io_uring request; a waking of who completed it, if that is another thread."""
    steps = []
    completes = np.flatnonzero(
        (records.kind == Kind.URING_COMPLETE) & (records.time == its["copy_end"])
    )
    for row in completes[:1].tolist():
        mine = (records.result == records.result[row]) & (
            (records.start == records.start[row]) | (records.start[row] == 0)
        )
        for kind, what in ((Kind.URING_POLL, "poll armed"), (Kind.URING_WORK, "given to a worker")):
            steps += [
                {
                    "kind": "request",
                    "what": what,
                    "at_ns": int(records.time[i]),
                    "tid": int(records.tid[i]),
                }
                for i in np.flatnonzero(mine & (records.kind == kind))
            ]
    if its["receiver_tid"] and its["wait_kind"] == IO_URING:
        back = np.flatnonzero(
            (records.kind == Kind.SWITCH_IN)
            & (records.tid == its["receiver_tid"])
            & (records.time <= its["copy_end"])
        )
        steps += [
            {"kind": "run", "at_ns": int(records.time[i]), "tid": its["receiver_tid"]}
            for i in back[-1:]
        ]
    return steps


def _taking(its: dict, part: TimelineBatch) -> list[dict]:
    """The call that took the signal, where no handler did."""
    calls = part.calls
    mine = (
        (calls.nr == syscalls.numbers()["rt_sigtimedwait"])
        & (calls.end == its["delivered"])
        & (calls.start >= its["raw_ask"])
    )
    says = {"waits": True, "signal": signal_name(its["signal"])}
    return [
        step
        for row in np.flatnonzero(mine).tolist()
        for step in _with_sleeps(part, row, says, brings=False)
    ]


def _asking(its: dict, part: TimelineBatch) -> list[dict]:
    """The asking thread's calls that submit requests or wait for their completion."""
    names = ("io_uring_enter", "io_submit", "io_getevents", "io_pgetevents")
    names = ("futex",) if its["wait_kind"] == POSIX_AIO else names
    calls = part.calls
    mine = np.isin(calls.nr, syscalls.class_numbers(names)) & (calls.start >= its["raw_ask"])
    if (
        its["wait_kind"] == POSIX_AIO
    ):  # it takes locks, too: the one that it slept on until it was told
        mine &= calls.end == its["done"]
    steps = []
    for row in np.flatnonzero(mine).tolist():
        name, end = syscalls.name_of(int(calls.nr[row])), int(calls.end[row])
        waits = (
            name in ("futex", "io_getevents", "io_pgetevents")
            or name == "io_uring_enter"
            and calls.arg[row] > 0
        )
        steps += _with_sleeps(
            part, row, {"waits": bool(waits and end == its["done"])}, brings=False
        )
    return steps


def _is_estimated(its: dict, boundary: str) -> bool:
    return bool(its["estimated"] >> BOUNDARIES.index(boundary) & 1)


def _shifted(step: dict, base: int) -> dict:
    return {
        key: value - base if key in _TIMES and value is not None else value
        for key, value in step.items()
    }
