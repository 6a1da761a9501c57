"""How select, poll and epoll_wait were used: how much they looked at, how often they came back, and what that cost."""

from __future__ import annotations

import numpy as np

from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls

VALUES = ("calls", "told", "ready", "watched", "repeated", "cpu_ns", "repeated_ns")
_SELECT, _POLL, _EPOLL = (
    number_set(syscalls.class_numbers(names))
    for names in (syscalls.SELECT, syscalls.POLL, syscalls.EPOLL)
)


class PollUsage:
    """Feed calls in time order; with `window` (ns), those that ended inside it count."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window or (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        self._sums = GroupSum(3, len(VALUES))

    def feed(self, calls: Calls, tgids: np.ndarray) -> None:
        """Calls, a thread's together and in order, and the process of each."""
        epoll = _EPOLL[calls.nr]
        scanning = (_SELECT | _POLL)[calls.nr]
        wanted = (
            (epoll | scanning) & (calls.end >= self._window[0]) & (calls.end <= self._window[1])
        )
        if not wanted.any():
            return
        on = np.where(epoll, calls.fd, -1)
        told = calls.result > 0
        repeated = np.zeros(
            len(calls), bool
        )  # told, and told again at once with no other call between
        repeated[1:] = (
            wanted[1:]
            & wanted[:-1]
            & (calls.tid[1:] == calls.tid[:-1])
            & (calls.nr[1:] == calls.nr[:-1])
            & (on[1:] == on[:-1])
            & told[1:]
            & told[:-1]
            & (calls.slept[1:] == 0)
        )
        watched = np.where(
            _POLL[calls.nr], calls.arg.astype(np.int64), np.where(epoll, 0, calls.fd)
        )
        cpu = np.maximum(calls.end - calls.start - calls.slept, 0)
        columns = (
            calls.count,
            told,
            np.maximum(calls.result, 0),
            watched * calls.count,
            repeated,
            cpu,
            cpu * repeated,
        )
        self._sums.add(
            (tgids[wanted], calls.nr[wanted], on[wanted]),
            tuple(column[wanted] for column in columns),
        )

    def finish(self) -> list[dict]:
        """One for each process, call and epoll descriptor (−1 for the other calls): counts, sums and ns."""
        keys, values = self._sums.result()
        return [
            {
                "tgid": tgid,
                "call": syscalls.name_of(nr),
                "fd": fd,
                **dict(zip(VALUES, its, strict=True)),
            }
            for (tgid, nr, fd), its in zip(keys.tolist(), values.tolist(), strict=True)
        ]
