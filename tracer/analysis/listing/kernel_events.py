"""What the kernel's tracepoints told, as columns for tools that know these events: switches of CPUs, wakings, calls.

The first MOST are kept, so that the memory that this needs does not depend on how long the recording is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.tables.appender import Appender
from tracer.analysis.tables.asof import at, preceding
from tracer.analysis.tables.table import Table, names_of
from tracer.kernel import syscalls
from tracer.recording import records
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Births, Calls, Exits, SwitchesIn, SwitchesOut, Turns, Wakings
from tracer.recording.records import Kind

MOST = 1_000_000  # records of these kinds
IDLE, NOT_TRACED = 0, -1
# __trace_sched_switch_state() of include/trace/events/sched.h: what of a state is told, and as what
_TOLD, _IDLE_STATE, _TOLD_IDLE, _TOLD_PREEMPTED = 0x7F, 0x402, 0x80, 0x100
_DEAD, _TOLD_DEAD = 0x80, 0x10
_ALSO_UNINTERRUPTIBLE = 0x1000 | 0x8000  # TASK_RTLOCK_WAIT, TASK_FROZEN
_UNINTERRUPTIBLE = 2


@dataclass(slots=True)
class _Switches(Table):
    """Changes of threads on CPUs, as they were recorded: `out` where the thread left, else it came. other: who came or
    left in its place; −1 where that is not recorded."""

    time: np.ndarray
    cpu: np.ndarray
    tid: np.ndarray
    other: np.ndarray
    out: np.ndarray
    state: np.ndarray


@dataclass(slots=True)
class _Changes(Table):
    at_ns: np.ndarray
    cpu: np.ndarray
    previous: np.ndarray
    state: np.ndarray
    next: np.ndarray


@dataclass(slots=True)
class _Woken(Table):
    at_ns: np.ndarray
    cpu: np.ndarray
    waker: np.ndarray
    tid: np.ndarray


@dataclass(slots=True)
class _Called(Table):
    start_ns: np.ndarray
    end_ns: np.ndarray
    tid: np.ndarray
    number: np.ndarray
    result: np.ndarray
    returned: np.ndarray


@dataclass(slots=True)
class _Places(Table):
    """From when on a thread is on which CPU."""

    time: np.ndarray
    tid: np.ndarray
    cpu: np.ndarray


class KernelEvents(ReportPart):
    """The report's `kernel_events`, on request."""

    NEEDS = (Identity,)
    ON_REQUEST = "kernel_events"

    def __init__(self) -> None:
        empty = RecordBatch.of(records.empty())
        self._switches, self._woken = Appender(_switches(empty)), Appender(_woken(empty))
        self._called, self._places = Appender(_called(empty)), Appender(_places(empty))
        self._count = self._held = 0
        self._until: int | None = None

    def feed(self, batch: RecordBatch, state: State) -> None:
        switches, woken, called = _switches(batch), _woken(batch), _called(batch)
        count = len(switches) + len(woken) + len(called)
        self._count += count
        if self._until is None and self._held + count > MOST:
            self._until = int(batch.time[0])
        if self._until is None:
            self._held += count
            self._switches.add(switches)
            self._woken.add(woken)
            self._called.add(called)
            self._places.add(_places(batch))

    def finish(self, results: Results) -> dict[str, Any]:
        identity, base = results[Identity], results.recording.base_ns
        changes = identity.with_ids(_changes(self._switches.whole()), ("previous", "next"))
        called, places = self._called.whole(), self._places.whole()
        calls = _columns(called, base) | {
            "cpu": _cpu(places, called.tid, called.start_ns).tolist(),
            "end_cpu": _cpu(places, called.tid, called.end_ns).tolist(),
        }
        return {
            "kernel_events": {
                "count": self._count,
                "until_ns": None if self._until is None else self._until - base,
                "switches": _columns(changes, base),
                "wakings": _columns(self._woken.whole(), base),
                "calls": calls,
            }
        }


def _switches(batch: RecordBatch) -> _Switches:
    """A batch's switches, as they were recorded; not those that adoption writes of a thread that is asleep. A thread
    that ends leaves its CPU then: its last switch is not recorded."""
    out, into, births = SwitchesOut.of(batch), SwitchesIn.of(batch), Births.of(batch)
    ends = Exits.of(batch)
    ends = ends.where(~ends.goes_on)
    adopted = births.where(births.adopted > 0)
    made_up = np.isin(out.time, adopted.time) & np.isin(out.tid, adopted.tid)
    out = out.where(~made_up)
    leave = np.arange(len(out) + len(ends) + len(into)) < len(out) + len(ends)
    dead, nothing = np.full(len(ends), _TOLD_DEAD), np.zeros(len(into), np.int64)
    return _Switches(
        time=np.concatenate([out.time, ends.time, into.time]),
        cpu=np.concatenate([out.cpu, ends.cpu, into.cpu]),
        tid=np.concatenate([out.tid, ends.tid, into.tid]).astype(np.int64),
        other=np.concatenate([out.next, np.full(len(ends), NOT_TRACED), into.previous]),
        out=leave,
        state=np.concatenate([_told_state(out), dead, nothing]),
    )


def _told_state(out: SwitchesOut) -> np.ndarray:
    """The states of threads that left, as sched_switch tells them: one bit, the highest (int64[n])."""
    state = out.state.astype(np.int64)
    told = state & _TOLD
    told = np.where(state & _ALSO_UNINTERRUPTIBLE != 0, _UNINTERRUPTIBLE, told)
    told = np.where(state & _IDLE_STATE == _IDLE_STATE, _TOLD_IDLE, told)
    told = np.where(state & _DEAD != 0, _TOLD_DEAD, told)
    highest = np.where(told > 0, 1 << np.log2(np.maximum(told, 1)).astype(np.int64), 0)
    return np.where(out.taken == 1, _TOLD_PREEMPTED, highest)


def _woken(batch: RecordBatch) -> _Woken:
    wakings = Wakings.of(batch)
    return _Woken(wakings.time, wakings.cpu, wakings.waker, wakings.tid)


def _called(batch: RecordBatch) -> _Called:
    """number: the other ABIs' beyond those of x86-64."""
    calls = Calls.of(batch)
    abi = calls.number & syscalls.COMPAT
    number = (calls.number & ~np.uint16(syscalls.COMPAT)).astype(np.int64)
    whole = (number == syscalls.WHOLE) & (calls.argument > 0)
    return _Called(
        start_ns=calls.start,
        end_ns=calls.time,
        tid=calls.tid,
        number=np.where(whole, calls.argument, number) | abi,
        result=calls.result,
        returned=(calls.kind == Kind.CALL).astype(np.int64),
    )


def _places(batch: RecordBatch) -> _Places:
    turns = Turns.of(batch)
    turns = turns.where(turns.runs)
    return _Places(turns.time, turns.tid, turns.cpu)


def _changes(recorded: _Switches) -> _Changes:
    """Who followed whom on each CPU, in the order of time. A switch between two traced threads was recorded twice, and
    is one. Who follows a traced thread and is not traced is NOT_TRACED until a traced one comes: others may have
    followed it in turn. So is who had the CPU before a traced one, where nothing is known of it."""
    rows = recorded.take(np.lexsort((~recorded.out, recorded.time, recorded.cpu)))
    if not len(rows):
        nothing = np.empty(0, np.int64)
        return _Changes(nothing, nothing, nothing, nothing, nothing)
    same_cpu = np.append(False, rows.cpu[1:] == rows.cpu[:-1])
    before = np.append(0, np.arange(len(rows) - 1))
    twice = ~rows.out & same_cpu & rows.out[before] & (rows.other == rows.tid[before])
    partner = np.append(twice[1:], False)
    traced = np.isin(rows.other, rows.tid)
    other = np.where((rows.other == IDLE) | traced, rows.other, NOT_TRACED)
    following = np.append(rows.tid[1:], 0)
    then = np.where(rows.out, np.where(partner, following, other), rows.tid)
    rows, then, other = rows.take(~twice), then[~twice], other[~twice]
    same_cpu = np.append(False, rows.cpu[1:] == rows.cpu[:-1])
    had = np.where(same_cpu, np.append(0, then[:-1]), other)
    changes = _Changes(rows.time, rows.cpu, np.where(rows.out, rows.tid, had), rows.state, then)
    return changes.take(np.argsort(changes.at_ns, kind="stable"))


def _cpu(places: _Places, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
    """On which CPU each thread was at each time (ns): where it last got one, 0 where that is not known."""
    row = preceding(places.tid.astype(np.int64), places.time, tids.astype(np.int64), times)
    return np.where(row >= 0, at(places.cpu, row), 0)


def _columns(table: Table, base: int) -> dict[str, list[int]]:
    columns = {name: getattr(table, name) for name in names_of(type(table))}
    return {
        name: (column - base if name.endswith("_ns") else column).tolist()
        for name, column in columns.items()
    }
