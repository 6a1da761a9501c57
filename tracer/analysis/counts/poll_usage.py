"""How select, poll and epoll_wait were used: how many descriptors they watched, how often they returned, and the CPU
time that they took."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.counts.call_files import CallFiles
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
        told, repeated = calls.result > 0, _repeated(calls, epoll_fds, wanted)
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


def _repeated(calls: Calls, epoll_fds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """bool[n]: which calls returned something ready without sleeping, right after the same call of the thread had done
    so. epoll_fds: the epoll descriptor of each call."""
    repeated, told = np.zeros(len(calls), bool), calls.result > 0
    repeated[1:] = (
        wanted[1:]
        & wanted[:-1]
        & (calls.tid[1:] == calls.tid[:-1])
        & (calls.nr[1:] == calls.nr[:-1])
        & (epoll_fds[1:] == epoll_fds[:-1])
        & told[1:]
        & told[:-1]
        & (calls.slept[1:] == 0)
    )
    return repeated
