"""What each thread waited for when it slept inside calls."""

from __future__ import annotations

import os
import select
from functools import cache
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, CONNECT, SEND, CallFiles
from tracer.analysis.counts.purposes import (
    CHILDREN,
    CONNECTIONS,
    DATA,
    FILES,
    FUTEXES,
    OTHER,
    SENDING,
    SIGNALS,
    TIME,
    UNKNOWN,
    WAITS,
    purposes,
    reason_of,
)
from tracer.analysis.counts.wait_purposes import WAITS as WAITING
from tracer.analysis.counts.wait_purposes import WaitPurposes
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.evidence import never_block
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.table import names_of
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscall_filter, syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

_NAMES = {
    DATA: (
        *syscalls.RECEIVE,
        "io_getevents",
        "io_pgetevents",
        "io_uring_enter",
        "io_submit",
    ),
    CONNECTIONS: (*ACCEPT, *CONNECT),
    SENDING: SEND,
    FILES: (
        "fsync",
        "fdatasync",
        "sync",
        "syncfs",
        "sync_file_range",
        "msync",
        "getdents64",
        "fallocate",
        "ftruncate",
        "copy_file_range",
        "readahead",
    ),
    FUTEXES: ("futex", "futex_waitv", "futex_wait"),
    CHILDREN: ("wait4", "waitid", "vfork", "clone"),
    TIME: ("nanosleep", "clock_nanosleep"),
    SIGNALS: ("pause", "rt_sigsuspend", "rt_sigtimedwait"),
}


@cache
def _codes() -> np.ndarray:
    """Number of a call → index into WAITS; of receives and sends where nothing is known of the descriptor."""
    table = np.full(1024, OTHER, np.int8)
    table[list(syscall_filter.classes()["%file"])] = FILES
    for code, names in _NAMES.items():
        table[[syscalls.numbers()[name] for name in names if name in syscalls.numbers()]] = code
    return table


@cache
def _numbers(names: tuple[str, ...]) -> np.ndarray:
    return number_set(syscalls.numbers()[name] for name in names)


def waited_for(calls: Calls, kinds: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """Index into WAITS for each call but select, poll and epoll_wait; kinds (FileKind) and flags (f_flags): of the file
    behind the first argument of each."""
    codes = _codes()[np.clip(calls.nr, 0, 1023)]
    receives, sends = _numbers(syscalls.RECEIVE)[calls.nr], codes == SENDING
    events = np.where(receives, select.POLLIN, np.where(sends, select.POLLOUT, 0))
    no = np.zeros(len(codes), bool)
    by_kind = purposes(kinds, events, no, no, no)
    told = (events != 0) & (by_kind != 0) & (by_kind != 1 << UNKNOWN)
    codes = np.where(told, reason_of(by_kind), codes)
    # who does not block does not wait for data or room, wherever it may sleep
    free = (flags & os.O_NONBLOCK != 0) | never_block(calls, slice(None))
    return np.where(free & ((codes == DATA) | (codes == SENDING)) & (events != 0), OTHER, codes)


class Slept(NamedTuple):
    """asleep: thread → reason (of WAITS) → ns; calls: thread → number of calls that returned."""

    asleep: dict[int, dict[str, int]]
    calls: dict[int, int]


class _OpenCall(NamedTuple):
    """A thread's call that had not returned when tracing ended; time: that end (ns)."""

    number: int
    fd: int
    time: int


class WaitReasons(Step[None, Slept]):
    """Sums the time that each thread slept inside calls, by reason; calls still open at the end included."""

    NEEDS = (TimelineStep, CallFiles, Identity, WaitPurposes)

    def __init__(self) -> None:
        self._asleep = GroupSum(2, 1)  # (thread, reason) → ns
        self._calls = GroupSum(1, 1)  # thread → calls that returned
        self._open: dict[int, _OpenCall] = {}  # by thread

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls = state[TimelineStep].calls
        self._calls.add((calls.tid,), (calls.count,))
        rows = np.flatnonzero(calls.slept > 0)
        if len(rows):
            slept, reasons = calls.take(rows), state[WaitPurposes][rows]
            others = np.flatnonzero(reasons < 0)
            files, which = state[CallFiles], rows[others]
            rest, flags, kinds = slept.take(others), files.flags[which], files.kind[which]
            reasons[others] = waited_for(rest, kinds, flags)
            self._asleep.add((slept.tid, reasons), (slept.slept,))
        still_open = fields.Calls(batch, batch.kind == Kind.OPEN)
        columns = (still_open.tid, still_open.number, still_open.fd, still_open.time)
        for tid, *call in zip(*(column.tolist() for column in columns), strict=True):
            self._open[tid] = _OpenCall(*call)

    def finish(self, results: Results) -> Slept:
        self._add_unended(results)
        asleep: dict[int, dict[str, int]] = {}
        keys, values = self._asleep.result()
        for (tid, reason), (ns,) in zip(keys.tolist(), values.tolist(), strict=True):
            asleep.setdefault(tid, {})[WAITS[reason]] = ns
        keys, values = self._calls.result()
        return Slept(asleep, dict(zip(keys[:, 0].tolist(), values[:, 0].tolist(), strict=True)))

    def _add_unended(self, results: Results) -> None:
        """Adds sleeps inside a call that lasted until the end of the trace."""
        unended = results[TimelineStep]
        waits = unended.in_call & ~(unended.absences.could_run | unended.absences.stopped)
        absences = unended.absences.take(waits)
        slept_ns = absences.blocked_until - absences.out
        for tid, ns in zip(absences.tid.tolist(), slept_ns.tolist(), strict=True):
            if call := self._open.get(tid):
                reason = _of_open(tid, call, results)
                self._asleep.add((np.array([tid]), np.array([reason])), (np.array([ns]),))


def _of_open(tid: int, call: _OpenCall, results: Results) -> int:
    """What a call that has not returned waits for: an index into WAITS."""
    identity = results[Identity]
    tids, times = np.array([tid]), np.array([call.time])
    if WAITING[call.number]:
        tgid = int(identity.process_of(tids, times)[0])
        return results[WaitPurposes].of_open(tid, call.number, tgid, call.time)
    fds = np.array([call.fd])
    rows = {"tid": tids, "nr": np.array([call.number]), "fd": fds}
    zero = np.zeros(1, np.int64)
    one = Calls(*(rows.get(name, zero) for name in names_of(Calls)))
    files = identity.files(tids, fds, times)
    return int(waited_for(one, files.kind, files.flags)[0])
