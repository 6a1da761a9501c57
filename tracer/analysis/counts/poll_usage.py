"""How select, poll and epoll_wait were used: how many descriptors they watched, how often they returned, and the CPU
time that they took."""

from __future__ import annotations

import errno
from typing import Any

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, SEND, CallFiles
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

VALUES = ("calls", "told", "ready", "watched", "repeated", "cpu_ns", "repeated_ns")
_SELECT, _POLL, _EPOLL = (
    number_set(syscalls.class_numbers(names))
    for names in (syscalls.SELECT, syscalls.POLL, syscalls.EPOLL)
)
_LOOKS = _SELECT | _POLL | _EPOLL
_TRANSFERS = number_set(syscalls.class_numbers((*syscalls.RECEIVE, *SEND, *ACCEPT)))
_NEUTRAL = number_set(
    syscalls.class_numbers(
        (
            *("clock_gettime", "gettimeofday", "time", "clock_nanosleep", "nanosleep"),
            *("getpid", "gettid", "getppid", "getuid", "getrusage", "getcpu", "sched_yield"),
            *("brk", "madvise", "mmap", "munmap", "mprotect", "rt_sigprocmask", "rt_sigaction"),
        )
    )
)


class PollUsage(Step[None, list[dict[str, Any]]]):
    """One entry for each process, call and epoll descriptor (−1 for select and poll): counts, sums and times (ns) of
    calls that ended inside the window."""

    NEEDS = (TimelineStep, CallFiles)

    def __init__(self) -> None:
        self._sums = GroupSum(3, len(VALUES))

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls = state[TimelineStep].calls
        wanted = _LOOKS[calls.nr] & state.window.holds(calls.end)
        if not wanted.any():
            return
        epoll = _EPOLL[calls.nr]
        epoll_fds = np.where(epoll, calls.fd, -1)
        told, repeated = calls.result > 0, told_again(calls, epoll_fds, wanted)
        counted = calls.arg.astype(np.int64)  # poll's second argument
        watched = np.where(_POLL[calls.nr], counted, np.where(epoll, 0, calls.fd))
        cpu_ns = np.maximum(calls.end - calls.start - calls.slept, 0)
        columns = (
            calls.count,
            told,
            np.maximum(calls.result, 0),
            watched * calls.count,
            repeated,
            cpu_ns,
            cpu_ns * repeated,
        )
        keys = (state[CallFiles].tgid, calls.nr, epoll_fds)
        self._sums.add(
            tuple(key[wanted] for key in keys), tuple(column[wanted] for column in columns)
        )

    def finish(self, results: Results) -> list[dict[str, Any]]:
        keys, values = self._sums.result()
        return [
            {
                "tgid": tgid,
                "call": syscalls.name_of(number),
                "fd": fd,
                **dict(zip(VALUES, sums, strict=True)),
            }
            for (tgid, number, fd), sums in zip(keys.tolist(), values.tolist(), strict=True)
        ]


def told_again(calls: Calls, epoll_fds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """bool[n]: which calls returned something ready without sleeping, after the same call of the thread had done so,
    and no call in between can have taken it. epoll_fds: the epoll descriptor of each call."""
    rows = np.flatnonzero(~_takes_nothing(calls))
    repeated, told = np.zeros(len(calls), bool), calls.result > 0
    now, before = rows[1:], rows[:-1]
    repeated[now] = (
        wanted[now]
        & wanted[before]
        & (calls.tid[now] == calls.tid[before])
        & (calls.nr[now] == calls.nr[before])
        & (epoll_fds[now] == epoll_fds[before])
        & told[now]
        & told[before]
        & (calls.slept[now] == 0)
    )
    return repeated


def _takes_nothing(calls: Calls) -> np.ndarray:
    """bool[n]: which calls leave what is ready as it is: those that failed, but for receives, sends and accepts that
    found nothing (then another thread has taken it), and those that have nothing to do with descriptors."""
    failed = (calls.result < 0) & ~(_TRANSFERS[calls.nr] & (calls.result == -errno.EAGAIN))
    nothing: np.ndarray = (failed | _NEUTRAL[calls.nr]) & ~_LOOKS[calls.nr]
    return nothing
