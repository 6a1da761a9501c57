"""As-of search in a table that grows with every batch and forgets nothing."""

from __future__ import annotations

import numpy as np

from tracer.analysis.tables.asof import AsOf

_LEAST = (
    1 << 13
)  # rows that are new before they join the old ones; from then on, a quarter of the old


class History:
    """A table of (key, time, values): looked up for many keys and times at once.

    width: how many int64 values an entry has. To add a batch costs what is new in it, not what was there before.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._old, self._new = AsOf(width + 1), AsOf(width + 1)  # the last value: the time

    def __len__(self) -> int:
        return len(self._old) + len(self._new)

    def add(self, keys: np.ndarray, times: np.ndarray, *values: np.ndarray) -> None:
        """Adds entries; of two with the same key and time the one added later counts. int64[n] each, times in ns."""
        if not len(keys):
            return
        self._new.add(keys, times, *values, times)
        if len(self._new) > max(_LEAST, len(self._old) // 4):
            keys, times, rows = self._new.entries()
            self._old.add(keys, times, *rows.T)
            self._new = AsOf(self._width + 1)

    def find(self, keys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each key and time: (whether an entry of that key is not later, the values int64[n, width] of the last
        such entry, else 0)."""
        known, rows = self.find_since(keys, times)
        return known, rows[:, : self._width]

    def find_since(self, keys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `find`, with one value more: since when the entry holds (ns)."""
        known, rows = self._new.find(keys, times)
        if not len(self._old):
            return known, rows
        known_before, before = self._old.find(keys, times)
        older = known_before & (~known | (before[:, -1] > rows[:, -1]))
        return known | known_before, np.where(older[:, None], before, rows)
