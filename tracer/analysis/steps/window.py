"""The window of a recording: the time that its report is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """From `begin` to `end` (ns of CLOCK_MONOTONIC), both inside; without them, all time."""

    begin: int = np.iinfo(np.int64).min
    end: int = np.iinfo(np.int64).max

    @classmethod
    def of(cls, times: Sequence[int] | None) -> Window:
        """The window of a recording's facts, (begin, end); None or empty: all time."""
        return cls(*times) if times else cls()

    def holds(self, times: np.ndarray) -> np.ndarray:
        """bool[n]: whether each time (ns) lies inside."""
        inside: np.ndarray = (times >= self.begin) & (times <= self.end)
        return inside
