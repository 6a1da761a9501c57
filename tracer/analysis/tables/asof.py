"""What a key was last set to at some time: descriptors, processes of threads, epoll registrations."""

from __future__ import annotations

import numpy as np

_NONE = np.empty(0, np.int64)


class AsOf:
    """A table of (key, time, values): looked up for many keys and times at once.

    width: how many int64 values an entry has.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._keys, self._times = _NONE, _NONE
        self._values = np.empty((0, width), np.int64)
        self._distinct = _NONE  # the keys, each once
        self._instants = _NONE  # the times, sorted
        self._places = _NONE  # (key, rank of the time) of each entry as one number

    def add(self, keys: np.ndarray, times: np.ndarray, *values: np.ndarray) -> None:
        """Entries; of two with one key and time the later one counts. int64[n] each, times in ns."""
        if not len(keys):
            return
        keys = np.concatenate([self._keys, keys])
        times = np.concatenate([self._times, times])
        both = np.concatenate(
            [self._values, np.column_stack(values).astype(np.int64).reshape(-1, self._width)]
        )
        order = np.lexsort((times, keys))
        self._keys, self._times, self._values = keys[order], times[order], both[order]
        self._index()

    def find(self, keys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(whether there is one, its values int64[n, width]) of the last entry of each key not later than each time."""
        if not len(self._keys) or not len(keys):
            return np.zeros(len(keys), bool), np.zeros((len(keys), self._width), np.int64)
        code = np.minimum(np.searchsorted(self._distinct, keys), len(self._distinct) - 1)
        found = self._distinct[code] == keys
        rank = np.searchsorted(self._instants, times, "right")
        place = np.searchsorted(self._places, code * (len(self._instants) + 1) + rank, "right") - 1
        found &= place >= 0
        place = np.maximum(place, 0)
        found &= self._keys[place] == keys
        return found, np.where(found[:, None], self._values[place], 0)

    def has(self, keys: np.ndarray) -> np.ndarray:
        """Whether there is an entry of each key, whenever that was."""
        if not len(self._distinct):
            return np.zeros(len(keys), bool)
        place = np.minimum(np.searchsorted(self._distinct, keys), len(self._distinct) - 1)
        return self._distinct[place] == keys

    def of(self, low: int, high: int, time: int) -> tuple[np.ndarray, np.ndarray]:
        """(keys, values) of the last entry not later than `time` of every key in [low, high)."""
        keys = self._distinct[
            np.searchsorted(self._distinct, low) : np.searchsorted(self._distinct, high)
        ]
        found, values = self.find(keys, np.full(len(keys), time))
        return keys[found], values[found]

    def forget_before(self, time: int) -> None:
        """Drops what no look-up at `time` (ns) or later can find."""
        if len(self._keys) == len(self._distinct):
            return
        replaced = np.append((self._keys[1:] == self._keys[:-1]) & (self._times[1:] <= time), False)
        if replaced.any():
            self._keys, self._times, self._values = (
                a[~replaced] for a in (self._keys, self._times, self._values)
            )
            self._index()

    def _index(self) -> None:
        self._distinct, code = np.unique(self._keys, return_inverse=True)
        self._instants = np.sort(self._times)
        rank = np.searchsorted(self._instants, self._times, "right")
        self._places = code * (len(self._instants) + 1) + rank
