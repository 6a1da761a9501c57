"""One real operation as the steps of a figure: what the application and the kernel did, in time order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TypeAlias, cast

import numpy as np

from tracer.analysis.operations.receives import MOST_ASKS
from tracer.analysis.operations.table import (
    AT_ONCE,
    IO_URING,
    LINUX_AIO,
    POSIX_AIO,
    SIGNAL,
    Operations,
)
from tracer.analysis.operations.waits_inside import WaitsInside
from tracer.analysis.threads.timeline import NEVER, Timeline, TimelineBatch
from tracer.analysis.verdict.io_model import NAMES, UNKNOWN
from tracer.kernel import syscalls
from tracer.kernel.signal_names import signal_name
from tracer.recording.batch import Read, RecordBatch, joined
from tracer.recording.fields import (
    LibraryCalls,
    Readinesses,
    SwitchesIn,
    SwitchesOut,
    UringRequests,
)
from tracer.recording.records import LIBRARY_NAMES, Kind, empty
from tracer.report.contract import (
    ArrivalStep,
    AwayStep,
    CallStep,
    CopyStep,
    Figure,
    HandlerEndStep,
    HandoverStep,
    LibraryStep,
    ReadyStep,
    RequestStep,
    RunStep,
    SignalStep,
    Step,
    WaitStep,
    WakeStep,
)
from tracer.report.sender import NO_SENDS, Sends, send_step
from tracer.terms import BOUNDARIES

_WHEN = ("enter_ns", "at_ns", "generated_ns", "delivered_ns")  # a step's place in time: the first
_TIMES = (*_WHEN, "exit_ns", "end_ns")
MOST_WAITS = 3  # inside a receive, each a step of its own
_AWAIT_COMPLETION = ("futex", "io_getevents", "io_pgetevents")

Row: TypeAlias = dict[str, int]
"""One operation's columns, as Operations.rows gives them."""

NameAt: TypeAlias = Callable[[int, int], str | None]
"""The name of a thread at a time (ns), None where it is not known."""


def _nobody(_tid: int, _time: int) -> None:
    """No thread has a name."""


def figure(
    operations: Operations,
    models: np.ndarray,
    inside: WaitsInside,
    read: Read,
    base: int,
    chosen: np.ndarray | None = None,
    name: NameAt = _nobody,
    sends: Sends = NO_SENDS,
) -> Figure | None:
    """The operation that is drawn, as its steps; None where there is no operation.

    models: each operation's (io_model.models_of). inside: the waits inside the operations. read: gives the recording's
    records again. base: what the times of steps count from (ns). chosen: rows of the operations of which one is drawn;
    else of all. name: of threads. sends: the sender's.
    """
    chosen = np.arange(len(operations)) if chosen is None else chosen
    if not len(chosen):
        return None
    decided = chosen[models[chosen] != UNKNOWN]
    model = int(np.bincount(models[decided]).argmax()) if len(decided) else UNKNOWN
    alike = _waited(operations, chosen[models[chosen] == model])
    index = _median(operations, alike)
    operation = next(operations.rows(slice(index, index + 1)))
    records = joined([RecordBatch.of(empty()), *read(operation["raw_ask"], operation["done"])])
    waits = inside.of(operation["serial"])
    steps = [*_steps(operation, waits, records), *send_step(sends, operation)]
    steps = sorted([*steps, *_aways(operation, records, steps, name)], key=_when)
    return {
        "operation": index,
        "of": len(alike),
        "model": NAMES[model],
        "steps": [_shifted(step, base) for step in steps],
    }


def _waited(operations: Operations, rows: np.ndarray) -> np.ndarray:
    """Those of the rows that were waited for; all of them where none was. rows: indices of operations."""
    waited = rows[operations.wait_kind[rows] != AT_ONCE]
    return waited if len(waited) else rows


def _median(operations: Operations, rows: np.ndarray) -> int:
    """Index of the operation with the median time from ask to done; of several with that time the first. rows: indices
    of the operations to choose from."""
    took = operations.done[rows] - operations.ask[rows]
    middle = (len(rows) - 1) // 2
    return int(rows[np.flatnonzero(took == np.partition(took, middle)[middle])[0]])


def _steps(operation: Row, waits: list[tuple[int, int]], records: RecordBatch) -> Iterator[Step]:
    """All steps; steps at one time stay in this order. waits: those inside; records: those from the operation's ask to
    its end."""
    thread = _thread(records, operation["receiver_tid"] or operation["tid"])
    yield from _library(operation, records)
    if _is_request(operation):
        yield from _requests(operation, records)
        yield from _asking(operation, _thread(records, operation["tid"]))
    if operation["told_tid"]:
        yield from _handed_over(operation, _thread(records, operation["told_tid"]))
    yield from _calls(operation, waits, thread)
    if operation["wait_kind"] == SIGNAL:
        yield from _handler_ends(operation, thread)
    yield _ready(operation)
    yield from _arrivals(operation, records)
    yield _copy(operation)
    yield from _waits_inside(operation, waits)
    if operation["by_sigwait"]:
        yield from _taking(operation, thread)
    if operation["signal"]:
        yield _signal(operation)


def _thread(records: RecordBatch, tid: int) -> TimelineBatch:
    """The timeline of one thread, without calls that were still open when tracing ended."""
    return Timeline().feed(records.take((records.tid == tid) & (records.kind != Kind.OPEN)))


def _is_request(operation: Row) -> bool:
    """Whether the program gave a request to the kernel or to another thread, which carried it out."""
    kind = operation["wait_kind"]
    return kind in (IO_URING, LINUX_AIO) or (kind == POSIX_AIO and operation["receiver_tid"] > 0)


def _library(operation: Row, records: RecordBatch) -> Iterator[LibraryStep]:
    """The C library's call that asked for the operation."""
    calls = LibraryCalls.of(records)
    calls = calls.where(calls.time == operation["ask"])
    for function, tid in zip(calls.function.tolist(), calls.tid.tolist(), strict=True):
        name = LIBRARY_NAMES[function]
        yield {"kind": "library", "name": name, "enter_ns": operation["ask"], "tid": tid}


def _ready(operation: Row) -> ReadyStep:
    estimated = _is_estimated(operation, "ready")
    return {"kind": "ready", "at_ns": operation["ready"], "estimated": estimated}


def _arrivals(operation: Row, records: RecordBatch) -> Iterator[ArrivalStep]:
    """Data that came to the same file after the operation's own, before the program was told."""
    came = Readinesses.of(records)
    own = max(operation["raw_ready"], operation["ready"])
    times = came.time[(came.inode == operation["inode"]) & (came.time > own)]
    times = times[times <= operation["told"]]
    if operation["inode"] and len(times):
        yield {"kind": "arrival", "at_ns": int(times[-1]), "count": len(times)}


def _copy(operation: Row) -> CopyStep:
    step: CopyStep = {
        "kind": "copy",
        "at_ns": operation["copy_start"],
        "end_ns": operation["copy_end"],
        "estimated": _is_estimated(operation, "copy_start"),
        "tid": operation["receiver_tid"] or operation["tid"],
    }
    if syscalls.name_of(operation["nr"]) in _moving():
        step["moved"] = True
    return step


def _waits_inside(operation: Row, waits: list[tuple[int, int]]) -> Iterator[WaitStep]:
    """The first and the last wait after the first bytes; what lies between them as one."""
    parts = [[wait] for wait in waits]
    if len(waits) > MOST_WAITS:
        parts = [waits[:1], waits[1:-1], waits[-1:]]
    for these in parts:
        yield {
            "kind": "wait",
            "at_ns": these[0][0],
            "end_ns": these[-1][1],
            "tid": operation["receiver_tid"] or operation["tid"],
            "count": len(these),
            "blocked_ns": sum(end - begin for begin, end in these),
        }


def _moving() -> set[str]:
    """Names of the receives that copy nothing to user space; a request that the kernel carries out is none of them."""
    return set(syscalls.RECEIVE) - set(syscalls.COPY)


def _signal(operation: Row) -> SignalStep:
    return {
        "kind": "signal",
        "taken": bool(operation["by_sigwait"]),
        "name": signal_name(operation["signal"]),
        "generated_ns": operation["generated"] or None,
        "delivered_ns": operation["delivered"],
    }


def _handler_ends(operation: Row, thread: TimelineBatch) -> Iterator[HandlerEndStep]:
    """rt_sigreturn: whether the handler itself receives, or code that runs after it."""
    ends = thread.calls.start[thread.calls.nr == syscalls.numbers()["rt_sigreturn"]]
    tid = operation["receiver_tid"] or operation["tid"]
    for time in ends[ends >= operation["raw_ask"]].tolist():
        yield {"kind": "handler_end", "at_ns": time, "tid": tid}


# a hand-over


def _handed_over(operation: Row, teller: TimelineBatch) -> Iterator[Step]:
    """The wait of the thread that was told, and how it woke the thread that receives."""
    calls = teller.calls
    told = (calls.end == operation["raw_told"]) & (calls.nr == operation["wait_nr"])
    for row in np.flatnonzero(told).tolist():
        yield from _call(teller, row, waits=True)
    if operation["woken"]:
        through = syscalls.class_of(syscalls.name_of(operation["woken_in"]))
        handover: HandoverStep = {
            "kind": "handover",
            "at_ns": operation["woken"],
            "tid": operation["told_tid"],
            "to": operation["tid"],
            "through": through,
        }
        yield handover
        run: RunStep = {"kind": "run", "at_ns": operation["running"], "tid": operation["tid"]}
        yield run


# io_uring's request


def _requests(operation: Row, records: RecordBatch) -> Iterator[RequestStep | RunStep]:
    """What the kernel did with the request; if another thread completed it, also when that thread began to run."""
    requests = UringRequests.of(records)
    completed = (requests.kind == Kind.URING_COMPLETE) & (requests.time == operation["copy_end"])
    if completed.any():
        yield from _became(requests, int(np.argmax(completed)))
    if operation["receiver_tid"] and operation["wait_kind"] == IO_URING:
        yield from _last_run(
            SwitchesIn.of(records), operation["receiver_tid"], operation["copy_end"]
        )


def _became(requests: UringRequests, row: int) -> Iterator[RequestStep]:
    """Earlier events of the request that is completed in `row`: those with its address and user_data."""
    address = requests.address[row]
    of_request = requests.user_data == requests.user_data[row]
    if address:
        of_request &= requests.address == address
    for kind in (Kind.URING_POLL, Kind.URING_WORK):
        events = requests.where(of_request & (requests.kind == kind))
        for time, tid in zip(events.time.tolist(), events.tid.tolist(), strict=True):
            yield {
                "kind": "request",
                "what": "poll armed" if kind == Kind.URING_POLL else "given to a worker",
                "at_ns": time,
                "tid": tid,
            }


def _last_run(switches: SwitchesIn, tid: int, until: int) -> Iterator[RunStep]:
    """The step in which a thread last got a CPU. until: time (ns)."""
    times = switches.time[(switches.tid == tid) & (switches.time <= until)]
    for time in times[-1:].tolist():
        yield {"kind": "run", "at_ns": time, "tid": tid}


# without a CPU


def _aways(
    operation: Row, records: RecordBatch, steps: list[Step], name: NameAt
) -> Iterator[AwayStep]:
    """When the threads that are drawn had no CPU, but for the sleeps of the calls that are drawn: those say so."""
    for tid in sorted({operation["tid"], operation["receiver_tid"]} - {0}):
        thread = _thread(records, tid)
        away, begin, end = thread.absences, operation["raw_ask"], operation["done"]
        away = away.where((away.back > begin) & (away.out < end))
        outs = SwitchesOut.of(records)
        outs = outs.where(outs.tid == tid)
        for row in range(len(away)):
            out, back = int(away.out[row]), int(away.back[row])
            if _is_drawn(steps, tid, out, back, slept=not away.could_run[row]):
                continue
            gets = outs.next[outs.time == out]
            gets = int(gets[0]) if len(gets) else -1
            yield {
                "kind": "away",
                "at_ns": max(out, operation["ask"]),
                "end_ns": back,
                "tid": tid,
                "state": "preempted" if away.could_run[row] else "asleep",
                "call": None if away.could_run[row] else _call_at(thread, out),
                "next": {"tid": gets, "name": name(gets, out)} if gets >= 0 else None,
            }


def _is_drawn(steps: list[Step], tid: int, out: int, back: int, slept: bool) -> bool:
    """Whether a time off the CPU lies in a wait inside a call, or is a sleep in a call that is drawn with its own."""
    waits = (step for step in steps if step["kind"] == "wait" and step["tid"] == tid)
    if any(step["at_ns"] <= out and back <= step["end_ns"] for step in waits):
        return True
    return slept and any(
        step["kind"] == "call"
        and step["tid"] == tid
        and step["blocked_ns"] > 0
        and step["count"] == 1
        and step["enter_ns"] <= out
        and back <= step["exit_ns"]
        for step in steps
    )


def _call_at(thread: TimelineBatch, time: int) -> str | None:
    """The call that the thread was in at a time (ns)."""
    calls = thread.calls
    inside = np.flatnonzero((calls.start <= time) & (time < calls.end))
    return syscalls.name_of(int(calls.nr[inside[0]])) if len(inside) else None


# system calls


def _calls(operation: Row, inside: list[tuple[int, int]], thread: TimelineBatch) -> Iterator[Step]:
    """The calls that wait, and the receive: the first call, and the last MOST_ASKS of the others. inside: the waits
    inside the receive, which are steps of their own."""
    calls = thread.calls
    before = calls.end < operation["copy_end"]
    brings = (calls.end == operation["copy_end"]) & (calls.fd == operation["fd"])
    waits = np.isin(calls.nr, [*_wait_numbers(), operation["wait_nr"]])
    waits &= operation["told_tid"] == 0  # else another thread's wait told
    asks = np.isin(calls.nr, syscalls.class_numbers(syscalls.RECEIVE))
    asks &= (calls.fd == operation["fd"]) & ((calls.result < 0) | before)
    accepts = np.isin(calls.nr, syscalls.class_numbers(("accept", "accept4")))
    accepts &= (calls.result < 0) | (calls.result == operation["fd"])
    shown = ((waits | asks | accepts) & before) | brings
    rows = np.flatnonzero(shown & (calls.start >= operation["raw_ask"]))
    for row in (*rows[:1].tolist(), *rows[1:][-MOST_ASKS:].tolist()):
        data, told = bool(brings[row]), int(calls.result[row]) >= 0
        is_wait = told and not (data or accepts[row])
        since = inside[0][0] if data and inside else NEVER
        yield from _call(thread, row, waits=bool(is_wait), data=data, until=since)


@cache
def _wait_numbers() -> tuple[int, ...]:
    """The numbers of select, poll and epoll_wait in all their forms."""
    return tuple(
        number for names in syscalls.CLASSES.values() for number in syscalls.class_numbers(names)
    )


def _asking(operation: Row, asker: TimelineBatch) -> Iterator[Step]:
    """The asking thread's calls that submit requests or wait for their completion."""
    calls = asker.calls
    names: tuple[str, ...] = ("io_uring_enter", "io_submit", "io_getevents", "io_pgetevents")
    notified = calls.end == operation["done"]
    shown = calls.start >= operation["raw_ask"]
    if operation["wait_kind"] == POSIX_AIO:
        # of the thread's futex calls (it takes locks, too), the one that it slept in until it was notified
        names, shown = ("futex",), shown & notified
    for row in np.flatnonzero(shown & np.isin(calls.nr, syscalls.class_numbers(names))).tolist():
        name = syscalls.name_of(int(calls.nr[row]))
        waits = name in _AWAIT_COMPLETION or (name == "io_uring_enter" and calls.arg[row] > 0)
        yield from _call(asker, row, waits=bool(waits and notified[row]))


def _taking(operation: Row, thread: TimelineBatch) -> Iterator[Step]:
    """The call that took the signal, where no handler did."""
    calls = thread.calls
    taking = calls.nr == syscalls.numbers()["rt_sigtimedwait"]
    taking &= (calls.end == operation["delivered"]) & (calls.start >= operation["raw_ask"])
    for row in np.flatnonzero(taking).tolist():
        call, *sleep = _call(thread, row, waits=True)
        yield {**cast("CallStep", call), "signal": signal_name(operation["signal"])}
        yield from sleep


def _call(
    thread: TimelineBatch, row: int, *, waits: bool, data: bool = False, until: int = NEVER
) -> Iterator[Step]:
    """A row of `thread.calls`, and the wake-up of its last sleep. data: whether it brings the data; until: only sleeps
    that began before that time (ns) count."""
    tid, nr, fd, result, start, end, count = (
        int(getattr(thread.calls, name)[row])
        for name in ("tid", "nr", "fd", "result", "start", "end", "count")
    )
    each = (thread.start >= start) & (thread.end <= end)  # the calls that were folded into this row
    sleeps = thread.inside.take(
        (thread.inside.out >= start)
        & (thread.inside.out < min(end, until))
        & ~thread.inside.could_run  # who is preempted does not sleep: that is a step of its own
    )
    call: CallStep = {
        "kind": "call",
        "name": syscalls.name_of(nr),
        "enter_ns": start,
        "exit_ns": end,
        "result": result if result >= 0 else syscalls.error_name(result),
        "tid": tid,
        "fd": fd,
        "count": count,
        "busy_ns": int((thread.end - thread.start)[each].sum()),
        "blocked_ns": int((sleeps.blocked_until - sleeps.out).sum()),
        "brings_data": data,
        "waits": waits,
    }
    yield call
    if len(sleeps):
        woken, back = int(sleeps.woken[-1]), int(sleeps.back[-1])
        if woken != NEVER:
            wake: WakeStep = {"kind": "wake", "at_ns": woken, "tid": tid}
            yield wake
        run: RunStep = {"kind": "run", "at_ns": back, "tid": tid}
        yield run


# times


def _is_estimated(operation: Row, boundary: str) -> bool:
    return bool(operation["estimated"] >> BOUNDARIES.index(boundary) & 1)


def _when(step: Step) -> int:
    """When a step began (ns)."""
    times = cast("Mapping[str, int | None]", step)
    return next((time for key in _WHEN if (time := times.get(key))), 0)


def _shifted(step: Step, base: int) -> Step:
    """The step with its times from `base` on (ns)."""
    shifted = {
        key: value - base if key in _TIMES and isinstance(value, int) else value
        for key, value in step.items()
    }
    return cast("Step", shifted)
