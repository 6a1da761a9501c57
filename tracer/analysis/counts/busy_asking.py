"""Calls that found nothing new and did not sleep, one after the other: a CPU that was used for asking. Receives, sends
and accepts that returned EAGAIN at once, and select, poll and epoll_wait that said at once that nothing is ready, or
what they had said before."""

from __future__ import annotations

import errno
from dataclasses import dataclass

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, SEND
from tracer.analysis.counts.poll_usage import told_again
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.analysis.threads.watched_sets import WatchedSetsStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

SOON_NS = (
    50_000  # from one such call to the next, at most: else the thread did something in between
)
_WAITS = number_set(syscalls.class_numbers((*syscalls.SELECT, *syscalls.POLL, *syscalls.EPOLL)))
_TRANSFERS = number_set(syscalls.class_numbers((*syscalls.RECEIVE, *SEND, *ACCEPT)))
_EPOLL = number_set(syscalls.class_numbers(syscalls.EPOLL))
# They may stand in between.
_ASIDE = number_set(
    syscalls.class_numbers(("clock_gettime", "gettimeofday", "time", "getpid", "sched_yield"))
)


@dataclass(frozen=True)
class Asked:
    """Of one call and descriptor (−1: the call has none, or the descriptor is in its set): how many calls found nothing
    new at once, of how many of these the time-out was recorded as 0, how many told again of what is ready, and how long
    the CPU was used for them, with the time from one to the next (ns)."""

    call: str
    fd: int
    times: int
    without_timeout: int
    again: int
    cpu_ns: int


class BusyAsking(Step[None, dict[int, list[Asked]]]):
    """By thread, sums over the calls that ended inside the window."""

    NEEDS = (TimelineStep, WatchedSetsStep)

    def __init__(self) -> None:
        self._sums = GroupSum(3, 4)
        self._last: dict[int, int] = {}  # thread that asked in vain last → end of that call (ns)

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls = state[TimelineStep].calls
        timeout, waits = state[WatchedSetsStep].timeout, _WAITS[calls.nr]
        epoll_fds = np.where(_EPOLL[calls.nr], calls.fd, -1)
        again = told_again(calls, epoll_fds, waits) if waits.any() else waits
        # a loop looks at the clock, or tries what fails for a reason of its own
        aside = _ASIDE[calls.nr] | (calls.result < 0) & ~(waits | _TRANSFERS[calls.nr])
        calls, timeout, again = calls.where(~aside), timeout[~aside], again[~aside]
        asked = _in_vain(calls) | again
        if not asked.any() and not self._last:
            return
        cpu_ns = self._spent(calls, asked)
        wanted = asked & state.window.holds(calls.end)
        fds = np.where(_WAITS[calls.nr] & ~_EPOLL[calls.nr], -1, calls.fd)
        self._sums.add(
            (calls.tid[wanted], calls.nr[wanted], fds[wanted]),
            (_times(calls)[wanted], (timeout == 0)[wanted], again[wanted], cpu_ns[wanted]),
        )

    def finish(self, results: Results) -> dict[int, list[Asked]]:
        keys, values = self._sums.result()
        asked: dict[int, list[Asked]] = {}
        for (tid, number, fd), sums in zip(keys.tolist(), values.tolist(), strict=True):
            asked.setdefault(tid, []).append(Asked(syscalls.name_of(number), fd, *sums))
        return asked

    def _spent(self, calls: Calls, asked: np.ndarray) -> np.ndarray:
        """int64[n]: how long the CPU was used for each call that asked in vain, with the time since the call before if
        that asked in vain too. Equal failing calls in one row are one after the other, with all that lies between."""
        if not len(calls):
            return calls.end
        same = calls.tid[1:] == calls.tid[:-1]
        before = np.zeros(len(calls), np.int64)  # when the call before ended, if it asked in vain
        before[1:] = np.where(same & asked[:-1], calls.end[:-1], 0)
        for row in np.flatnonzero(np.append(True, ~same)).tolist():
            before[row] = self._last.pop(int(calls.tid[row]), 0)
        for row in np.flatnonzero(np.append(~same, True) & asked).tolist():
            self._last[int(calls.tid[row])] = int(calls.end[row])
        soon = (before > 0) & (calls.start - before < SOON_NS)
        begin = np.where(soon, before, calls.start)
        # who was preempted inside, or slept in the first of several, had no CPU before
        took = calls.end - np.maximum(begin, calls.last_in)
        took[(calls.count > 1) & (calls.end - calls.start >= SOON_NS * calls.count)] = 0
        return np.where(asked, took, 0)


def _in_vain(calls: Calls) -> np.ndarray:
    """bool[n]: which calls found nothing and did not sleep; of equal failing ones the first alone may have slept."""
    number, result = calls.nr, calls.result
    nothing = _WAITS[number] & (result == 0) | _TRANSFERS[number] & (result == -errno.EAGAIN)
    in_vain: np.ndarray = nothing & (_times(calls) > 0)
    return in_vain


def _times(calls: Calls) -> np.ndarray:
    """int64[n]: how many calls of each row did not sleep."""
    times: np.ndarray = calls.count - (calls.slept > 0)
    return times
