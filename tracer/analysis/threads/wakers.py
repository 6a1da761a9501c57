"""Who woke each thread: the thread that was on the CPU where sched_waking happened. On an idle CPU (thread 0) that was
an interrupt; on a busy one it is who made the waking, or whom the interrupt interrupted: the record cannot tell."""

from __future__ import annotations

import numpy as np

from tracer.analysis.tables.group_sum import GroupSum
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

IDLE = 0


class Wakers:
    """Feed batches in time order; with `window` (ns), what lies inside it counts."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window or (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        self._sums = GroupSum(2, 1)

    def feed(self, batch: RecordBatch) -> None:
        """A batch."""
        rows = np.flatnonzero(batch.kind == Kind.WAKING)
        time = batch.time[rows]
        rows = rows[(time >= self._window[0]) & (time <= self._window[1])]
        self._sums.add((batch.tid[rows], batch.fd[rows]), (np.ones(len(rows), np.int64),))

    def finish(self) -> dict[int, dict[int, int]]:
        """Thread → waker → how often."""
        keys, values = self._sums.result()
        found: dict[int, dict[int, int]] = {}
        for (tid, waker), (count,) in zip(keys.tolist(), values.tolist(), strict=True):
            found.setdefault(tid, {})[waker] = count
        return found
