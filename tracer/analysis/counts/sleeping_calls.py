"""In which system call each thread slept longest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.threads.timeline import TimelineStep
from tracer.recording.batch import RecordBatch


class LongestSleep(NamedTuple):
    """A call's number, and the time (ns) that a thread was asleep in calls of that number inside the window."""

    number: int
    slept_ns: int


Sleeps: TypeAlias = Mapping[int, LongestSleep]
"""Thread → the call that it slept in longest."""


class SleepingCalls(Step[None, Sleeps]):
    """Adds up the sleeps of each thread's calls, call by call."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._slept = GroupSum(2, 1)  # thread, call → ns

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls = state[TimelineStep].calls
        rows = np.flatnonzero((calls.slept > 0) & state.window.holds(calls.end))
        self._slept.add((calls.tid[rows], calls.nr[rows]), (calls.slept[rows],))

    def finish(self, results: Results) -> Sleeps:
        keys, sums = self._slept.result()
        longest: dict[int, LongestSleep] = {}
        for (tid, number), slept_ns in zip(keys.tolist(), sums[:, 0].tolist(), strict=True):
            if tid not in longest or slept_ns > longest[tid].slept_ns:
                longest[tid] = LongestSleep(number, slept_ns)
        return longest
