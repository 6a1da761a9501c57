"""What each thread waited for when it slept: data, connections, room to send, files, futexes, children, time."""

from __future__ import annotations

import stat
from functools import cache
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, CONNECT, SEND, CallFiles
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import S_IFMT
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import TimelineStep, Unended
from tracer.kernel import syscall_filter, syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

WAITS = (
    "data",
    "connections",
    "sending",
    "files",
    "futexes",
    "children",
    "time",
    "signals",
    "other calls",
)
DATA, CONNECTIONS, SENDING, FILES, FUTEXES, CHILDREN, TIME, SIGNALS, OTHER = range(len(WAITS))
_NAMES = {
    DATA: (
        *syscalls.RECEIVE,
        *syscalls.SELECT,
        *syscalls.POLL,
        *syscalls.EPOLL,
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
_ON_DISK = number_set((stat.S_IFREG, stat.S_IFDIR, stat.S_IFBLK))


@cache
def _codes() -> np.ndarray:
    """Number of a call → index into WAITS; for reads and writes: where the descriptor is no file."""
    table = np.full(1024, OTHER, np.int8)
    table[list(syscall_filter.classes()["%file"])] = FILES
    for code, names in _NAMES.items():
        table[[syscalls.numbers()[name] for name in names if name in syscalls.numbers()]] = code
    return table


@cache
def _numbers(names: tuple[str, ...]) -> np.ndarray:
    return number_set(syscalls.numbers()[name] for name in names)


def waited_for(nr: np.ndarray, fd: np.ndarray, arg: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """Index into WAITS for each call; mode: i_mode of the file behind `fd`, 0 where it is unknown or there
    is none."""
    codes = _codes()[np.clip(nr, 0, 1023)]
    on_disk = _ON_DISK[mode & S_IFMT]
    reads = _numbers(syscalls.RECEIVE)[nr] | (codes == SENDING)
    codes = np.where(reads & on_disk, FILES, codes)
    # a select or a poll of nothing is a sleep
    nothing = _numbers(syscalls.POLL)[nr] & (arg == 0) | _numbers(syscalls.SELECT)[nr] & (fd == 0)
    return np.where(nothing, TIME, codes)


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

    NEEDS = (TimelineStep, CallFiles, Identity)

    def __init__(self) -> None:
        self._asleep = GroupSum(2, 1)  # (thread, reason) → ns
        self._calls = GroupSum(1, 1)  # thread → calls that returned
        self._open: dict[int, _OpenCall] = {}  # by thread

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls = state[TimelineStep].calls
        rows = np.flatnonzero(calls.slept > 0)
        modes = state[CallFiles].mode[rows]
        reasons = waited_for(calls.nr[rows], calls.fd[rows], calls.arg[rows], modes)
        self._asleep.add((calls.tid[rows], reasons), (calls.slept[rows],))
        self._calls.add((calls.tid,), (calls.count,))
        still_open = fields.Calls(batch, batch.kind == Kind.OPEN)
        columns = (still_open.tid, still_open.number, still_open.fd, still_open.time)
        for tid, *call in zip(*(column.tolist() for column in columns), strict=True):
            self._open[tid] = _OpenCall(*call)

    def finish(self, results: Results) -> Slept:
        self._add_unended(results[TimelineStep], results[Identity])
        asleep: dict[int, dict[str, int]] = {}
        keys, values = self._asleep.result()
        for (tid, reason), (ns,) in zip(keys.tolist(), values.tolist(), strict=True):
            asleep.setdefault(tid, {})[WAITS[reason]] = ns
        keys, values = self._calls.result()
        return Slept(asleep, dict(zip(keys[:, 0].tolist(), values[:, 0].tolist(), strict=True)))

    def _add_unended(self, unended: Unended, identity: Identity) -> None:
        """Adds sleeps inside a call that lasted until the end of the trace."""
        waits = unended.in_call & ~(unended.absences.could_run | unended.absences.stopped)
        absences = unended.absences.take(waits)
        slept_ns = absences.blocked_until - absences.out
        for tid, ns in zip(absences.tid.tolist(), slept_ns.tolist(), strict=True):
            call = self._open.get(tid)
            if call is None:
                continue
            number, fds, times = (np.array([value]) for value in call)
            tids, looked_at = np.array([tid]), np.array([1])
            mode = identity.files(tids, fds, times).mode
            self._asleep.add((tids, waited_for(number, fds, looked_at, mode)), (np.array([ns]),))
