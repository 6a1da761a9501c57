"""How select, poll and epoll_wait were used: how much they looked at, how often they came back, and what that cost."""

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
    """One entry for each process, call and epoll descriptor (−1 for the other calls): counts, sums and ns, of calls
    that ended inside the window."""

    NEEDS = (TimelineStep, CallFiles)

    def __init__(self) -> None:
        self._sums = GroupSum(3, len(VALUES))

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls = state[TimelineStep].calls
        wanted = _LOOKS[calls.nr] & state.window.holds(calls.end)
        if not wanted.any():
            return
        epoll = _EPOLL[calls.nr]
        on = np.where(epoll, calls.fd, -1)
        told, repeated = calls.result > 0, _repeated(calls, on, wanted)
        counted = calls.arg.astype(np.int64)  # poll's second argument
        watched = np.where(_POLL[calls.nr], counted, np.where(epoll, 0, calls.fd))
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
        keys = (state[CallFiles].tgid, calls.nr, on)
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


def _repeated(calls: Calls, on: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """bool[n]: told, and told again at once, by the same call with no other between. on: the epoll descriptors."""
    repeated, told = np.zeros(len(calls), bool), calls.result > 0
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
    return repeated
