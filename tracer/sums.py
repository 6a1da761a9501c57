"""Sums by key, added up batch by batch: counts, bytes and times of descriptors, threads and wakers."""

from __future__ import annotations

import math

import numpy as np

_MOST_PENDING = 1 << 18  # rows


class Sums:
    """keys: how many int64 make a key; values: how many int64 are summed for each."""

    def __init__(self, keys: int, values: int) -> None:
        self._keys, self._values = np.empty((0, keys), np.int64), np.empty((0, values), np.int64)
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []
        self._rows = 0

    def add(self, keys: tuple[np.ndarray, ...], values: tuple[np.ndarray, ...]) -> None:
        """Rows to add: arrays of one length."""
        if not len(keys[0]):
            return
        self._pending.append(_summed(_stacked(keys), _stacked(values)))
        self._rows += len(self._pending[-1][0])
        if self._rows > _MOST_PENDING:
            self._merge()

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """(int64[n, keys], each once and in ascending order, their sums int64[n, values])."""
        self._merge()
        return self._keys, self._values

    def _merge(self) -> None:
        if self._pending:
            keys, values = zip((self._keys, self._values), *self._pending, strict=True)
            self._keys, self._values = _summed(np.concatenate(keys), np.concatenate(values))
            self._pending, self._rows = [], 0


def _stacked(columns: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.column_stack([np.asarray(column).astype(np.int64) for column in columns])


def _summed(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(keys) and (keys == keys[0]).all():
        return keys[:1], values.sum(axis=0, keepdims=True)
    order = _order(keys)
    keys = keys[order]
    first = np.flatnonzero(np.append(True, (keys[1:] != keys[:-1]).any(axis=1))[:len(keys)])
    return keys[first], np.add.reduceat(values[order], first, axis=0) if len(first) else values[:0]


def _order(keys: np.ndarray) -> np.ndarray:
    """Ascending, the first column first: by one sort where the key fits into one number."""
    if not len(keys):
        return np.empty(0, np.int64)
    low = keys.min(axis=0)
    spans = [int(span) + 1 for span in keys.max(axis=0) - low]
    if math.prod(spans) >= 1 << 62:
        return np.lexsort(keys.T[::-1])
    code = np.zeros(len(keys), np.int64)
    for column, span in enumerate(spans):
        code = code * span + (keys[:, column] - low[column])
    return np.argsort(code, kind="stable")
