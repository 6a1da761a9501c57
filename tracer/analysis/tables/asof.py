"""As-of search: the values that a key had at a time (descriptors, processes of threads, registrations), and the row of
a key that is nearest before or after a time."""

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

    def __len__(self) -> int:
        return len(self._keys)

    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All entries by key and time: keys, times (int64[n]) and values (int64[n, width])."""
        return self._keys, self._times, self._values

    def add(self, keys: np.ndarray, times: np.ndarray, *values: np.ndarray) -> None:
        """Adds entries; of two with the same key and time the one added later counts. int64[n] each, times in ns."""
        if not len(keys):
            return
        keys = np.concatenate([self._keys, keys])
        times = np.concatenate([self._times, times])
        all_values = np.concatenate(
            [self._values, np.column_stack(values).astype(np.int64).reshape(-1, self._width)]
        )
        order = np.lexsort((times, keys))
        self._keys, self._times, self._values = keys[order], times[order], all_values[order]
        self._index()

    def find(self, keys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each key and time: (whether an entry of that key is not later, the values int64[n, width] of the last
        such entry, else 0)."""
        if not len(self._keys) or not len(keys):
            return np.zeros(len(keys), bool), np.zeros((len(keys), self._width), np.int64)
        code = np.minimum(np.searchsorted(self._distinct, keys), len(self._distinct) - 1)
        known = self._distinct[code] == keys
        rank = np.searchsorted(self._instants, times, "right")
        place = np.searchsorted(self._places, code * (len(self._instants) + 1) + rank, "right") - 1
        known &= place >= 0
        place = np.maximum(place, 0)
        known &= self._keys[place] == keys
        return known, np.where(known[:, None], self._values[place], 0)

    def has(self, keys: np.ndarray) -> np.ndarray:
        """Whether there is an entry of each key, at any time."""
        if not len(self._distinct):
            return np.zeros(len(keys), bool)
        place = np.minimum(np.searchsorted(self._distinct, keys), len(self._distinct) - 1)
        known: np.ndarray = self._distinct[place] == keys
        return known

    def of(self, low: int, high: int, time: int) -> tuple[np.ndarray, np.ndarray]:
        """Every key in [low, high) with an entry not later than `time`, and the values of the last such entry."""
        keys = self._distinct[
            np.searchsorted(self._distinct, low) : np.searchsorted(self._distinct, high)
        ]
        known, values = self.find(keys, np.full(len(keys), time))
        return keys[known], values[known]

    def forget_before(self, time: int) -> None:
        """Drops the entries that no look-up at `time` (ns) or later can give."""
        if len(self._keys) == len(self._distinct):
            return
        replaced = np.append((self._keys[1:] == self._keys[:-1]) & (self._times[1:] <= time), False)
        if replaced.any():
            self._keys, self._times, self._values = (
                column[~replaced] for column in (self._keys, self._times, self._values)
            )
            self._index()

    def _index(self) -> None:
        self._distinct, code = np.unique(self._keys, return_inverse=True)
        self._instants = np.sort(self._times)
        rank = np.searchsorted(self._instants, self._times, "right")
        self._places = code * (len(self._instants) + 1) + rank


def preceding(
    keys: np.ndarray, times: np.ndarray, asked_keys: np.ndarray, asked_times: np.ndarray
) -> np.ndarray:
    """For each question (a key and a time) the index of the last row of that key not later, −1 for none.

    keys, times: int64[n], the rows, in any order; of those at one time the last one given counts.
    asked_keys, asked_times: int64[m], the questions. Times in ns.
    """
    return _nearest(keys, times, asked_keys, asked_times, 1)


def following(
    keys: np.ndarray, times: np.ndarray, asked_keys: np.ndarray, asked_times: np.ndarray
) -> np.ndarray:
    """For each question the index of the first row of that key not earlier, −1 for none; as `preceding` otherwise, but
    of rows at one time the first one given counts."""
    return _nearest(keys[::-1], -times[::-1], asked_keys, -asked_times, -1)


def _nearest(
    keys: np.ndarray, times: np.ndarray, asked_keys: np.ndarray, asked_times: np.ndarray, step: int
) -> np.ndarray:
    rows = len(keys)
    if not rows or not len(asked_keys):
        return np.full(len(asked_keys), -1)
    key = np.concatenate([keys, asked_keys]).astype(np.int64)
    question = np.arange(len(key)) >= rows
    order = np.lexsort((question, np.concatenate([times, asked_times]), key))
    last = np.maximum.accumulate(np.where(order < rows, np.arange(len(order)), -1))
    candidates = order[np.maximum(last, 0)]
    nearest_row = np.where((last >= 0) & (key[candidates] == key[order]), candidates, -1)
    answers = np.full(len(key), -1)
    answers[order] = nearest_row
    answers = answers[rows:]
    return answers if step > 0 else np.where(answers >= 0, rows - 1 - answers, -1)


def at(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """values[rows]; the caller leaves out what a row of −1 gives."""
    if not len(values):
        return np.zeros(len(rows), np.int64)
    chosen: np.ndarray = values[rows]
    return chosen
