"""Records from many drains in time order, behind a watermark: CPUs write to the ring side by side."""

from __future__ import annotations

import numpy as np

from tracer.recording.batch import RecordBatch, joined


class TimeOrder:
    """Puts drained records into time order: a drain may bring older records than the drain before it. The caller says
    with a watermark up to which time nothing can come any more."""

    def __init__(self) -> None:
        self._held: list[RecordBatch] = []
        self.count = 0

    def push(self, records: RecordBatch) -> None:
        """Holds records, which must not change any more."""
        if len(records):
            self._held.append(records)
            self.count += len(records)

    def pull(self, watermark: int) -> RecordBatch:
        """The held records up to `watermark` (ns), in time order; later ones stay held."""
        columns = joined(self._held)
        if not (columns.time[1:] >= columns.time[:-1]).all():
            columns = columns.take(np.argsort(columns.time, kind="stable"))
        cut = int(np.searchsorted(columns.time, watermark, "right"))
        later = columns.take(slice(cut, None))
        self._held = [later] if len(later) else []
        self.count = len(later)
        return columns.take(slice(cut))
