"""Intervals of time, and how much of other intervals lies in them."""

from __future__ import annotations

import numpy as np


class Intervals:
    """Times from `begins` to `ends` (int64[n], ns), in order and without overlap."""

    def __init__(self, begins: np.ndarray, ends: np.ndarray) -> None:
        self._begins, self._ends = begins, ends
        # length of all intervals before each (ns)
        self._before = np.append(0, np.cumsum(ends - begins))

    def within(self, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """How much of each [since, until) lies in these intervals (int64[m], ns)."""
        if not len(self._begins):
            return np.zeros(len(since), np.int64)
        lengths: np.ndarray = self._up_to(until) - self._up_to(since)
        return lengths

    def overlap(self, other: Intervals) -> int:
        """How much time lies in these intervals and in the others (ns)."""
        return int(self.within(other._begins, other._ends).sum())

    def _up_to(self, times: np.ndarray) -> np.ndarray:
        """How much of the time before each of `times` lies in these intervals (ns)."""
        place = np.searchsorted(self._begins, times, "right")
        last = np.maximum(place - 1, 0)
        begun: np.ndarray = np.minimum(times, self._ends[last]) - self._begins[last]
        return np.where(place > 0, self._before[last] + begun, 0)
