"""Wakers: the thread that was on the CPU where sched_waking happened. On an idle CPU (thread 0) an interrupt woke the
thread. On a busy CPU the running thread woke it, or an interrupt did that came while it ran: the record does not
say."""

from __future__ import annotations

import numpy as np

from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Wakings


class Wakers(Step[None, dict[int, dict[int, int]]]):
    """Thread → waker → how often it woke the thread, inside the window."""

    def __init__(self) -> None:
        self._sums = GroupSum(2, 1)

    def feed(self, batch: RecordBatch, state: State) -> None:
        wakings = Wakings.of(batch)
        wakings = wakings.where(state.window.holds(wakings.time))
        self._sums.add((wakings.tid, wakings.waker), (np.ones(len(wakings), np.int64),))

    def finish(self, results: Results) -> dict[int, dict[int, int]]:
        keys, values = self._sums.result()
        wakers: dict[int, dict[int, int]] = {}
        for (tid, waker), (count,) in zip(keys.tolist(), values.tolist(), strict=True):
            wakers.setdefault(tid, {})[waker] = count
        return wakers
