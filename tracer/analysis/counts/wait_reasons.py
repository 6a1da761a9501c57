"""What each thread waited for when it slept: data, connections, room to send, files, futexes, children, time."""

from __future__ import annotations

from functools import cache

import numpy as np

from tracer.analysis.identity.descriptors import S_IFMT, Descriptors
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls, OffCpu
from tracer.kernel import syscall_filter, syscalls
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
SEND = (
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "sendfile",
)
ACCEPT, CONNECT = ("accept", "accept4"), ("connect",)
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
_ON_DISK = number_set((0o100000, 0o040000, 0o060000))  # S_IFREG, S_IFDIR, S_IFBLK


@cache
def _codes() -> np.ndarray:
    """What a call waits for, by its number; of reads and writes, where the descriptor is no file."""
    table = np.full(1024, OTHER, np.int8)
    table[list(syscall_filter.classes()["%file"])] = FILES
    for code, names in _NAMES.items():
        table[[syscalls.numbers()[name] for name in names if name in syscalls.numbers()]] = code
    return table


@cache
def _numbers(names: tuple[str, ...]) -> np.ndarray:
    return number_set(syscalls.numbers()[name] for name in names)


def waited_for(nr: np.ndarray, fd: np.ndarray, arg: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """Index into WAITS for each call; mode: i_mode of the file behind `fd`, 0 where that is unknown or has none."""
    codes = _codes()[np.clip(nr, 0, 1023)]
    on_disk = _ON_DISK[mode & S_IFMT]
    reads = _numbers(syscalls.RECEIVE)[nr] | (codes == SENDING)
    codes = np.where(reads & on_disk, FILES, codes)
    # a select or a poll of nothing is a sleep
    nothing = _numbers(syscalls.POLL)[nr] & (arg == 0) | _numbers(syscalls.SELECT)[nr] & (fd == 0)
    return np.where(nothing, TIME, codes)


class WaitReasons:
    """Feed batches in time order."""

    def __init__(self) -> None:
        self._slept = GroupSum(2, 1)  # (thread, what for) → ns
        self._calls = GroupSum(1, 1)  # thread → calls that returned
        self._open: dict[
            int, tuple[int, int, int]
        ] = {}  # thread → number and descriptor of its open call

    def feed(self, batch: RecordBatch, calls: Calls, modes: np.ndarray) -> None:
        """A batch, its calls, and the mode of the file behind each one's descriptor."""
        asleep = np.flatnonzero(calls.slept > 0)
        what = waited_for(calls.nr[asleep], calls.fd[asleep], calls.arg[asleep], modes[asleep])
        self._slept.add((calls.tid[asleep], what), (calls.slept[asleep],))
        self._calls.add((calls.tid,), (calls.count,))
        for i in np.flatnonzero(batch.kind == Kind.OPEN).tolist():
            self._open[int(batch.tid[i])] = int(batch.nr[i]), int(batch.fd[i]), int(batch.time[i])

    def finish(
        self, unended: OffCpu, inside: np.ndarray, descriptors: Descriptors
    ) -> tuple[dict, dict]:
        """(thread → {what for: ns asleep}, thread → calls that returned); unended and inside: Timeline.finish's."""
        for tid, out, woken, back in zip(
            *(
                values[inside & ~unended.could_run].tolist()
                for values in (unended.tid, unended.out, unended.woken, unended.back)
            ),
            strict=True,
        ):
            nr, fd, at = self._open.get(tid, (-1, -1, 0))
            if nr >= 0:
                tids, fds, times = np.array([tid]), np.array([fd]), np.array([at])
                mode = descriptors.described(descriptors.process_of(tids, times), fds, times)[2]
                what = waited_for(np.array([nr]), fds, np.array([1]), mode)
                self._slept.add((tids, what), (np.array([min(woken, back) - out]),))
        slept: dict[int, dict[str, int]] = {}
        keys, values = self._slept.result()
        for (tid, what), (ns,) in zip(keys.tolist(), values.tolist(), strict=True):
            slept.setdefault(tid, {})[WAITS[what]] = ns
        keys, values = self._calls.result()
        return slept, dict(zip(keys[:, 0].tolist(), values[:, 0].tolist(), strict=True))
