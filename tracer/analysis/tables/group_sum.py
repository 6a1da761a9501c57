"""Sums by key, added up batch by batch: counts, bytes and times of descriptors, threads and wakers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_MOST_PENDING = 1 << 18  # rows
_NONE = np.empty(0, np.int64)


class GroupSum:
    """keys: how many columns make a key; values: how many columns are summed for each key. All are int64."""

    def __init__(self, keys: int, values: int) -> None:
        self._keys, self._values = [_NONE] * keys, [_NONE] * values
        self._pending: list[tuple[list[np.ndarray], list[np.ndarray]]] = []
        self._rows = 0

    def add(self, keys: tuple[np.ndarray, ...], values: tuple[np.ndarray, ...]) -> None:
        """Rows to add: arrays of one length."""
        if not len(keys[0]):
            return
        self._pending.append(
            _summed([np.asarray(key).astype(np.int64, copy=False) for key in keys], values)
        )
        self._rows += len(self._pending[-1][0][0])
        if self._rows > _MOST_PENDING:
            self._merge()

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """(keys as int64[n, keys], each once and in ascending order; sums as int64[n, values])."""
        self._merge()
        values = (
            np.stack(self._values, axis=1)
            if self._values
            else np.empty((len(self._keys[0]), 0), np.int64)
        )
        return np.stack(self._keys, axis=1), values

    def _merge(self) -> None:
        if self._pending:
            keys, values = zip((self._keys, self._values), *self._pending, strict=True)
            self._keys, self._values = _summed(
                [np.concatenate(column) for column in zip(*keys, strict=True)],
                [np.concatenate(column) for column in zip(*values, strict=True)],
            )
            self._pending, self._rows = [], 0


def _summed(
    keys: list[np.ndarray], values: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    if len(keys[0]) and all((key == key[0]).all() for key in keys):
        sums: list[np.ndarray] = [np.atleast_1d(np.sum(value, dtype=np.int64)) for value in values]
        return [key[:1] for key in keys], sums
    order = _order(keys)
    keys = [key[order] for key in keys]
    differs = np.zeros(len(order), bool)
    differs[:1] = True
    for key in keys:
        differs[1:] |= key[1:] != key[:-1]
    first = np.flatnonzero(differs)
    if not len(first):
        return keys, [_NONE for _ in values]
    return [key[first] for key in keys], [
        np.add.reduceat(value[order], first, dtype=np.int64) for value in values
    ]


def _order(keys: list[np.ndarray]) -> np.ndarray:
    """The order that sorts rows by the first column, then the second, …: one sort where a key fits into one number."""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    low = [int(key.min()) for key in keys]
    spans = [int(key.max()) - least + 1 for key, least in zip(keys, low, strict=True)]
    if math.prod(spans) >= 1 << 62:
        return np.lexsort(keys[::-1])
    code = np.zeros(len(keys[0]), np.int64)
    for key, least, span in zip(keys, low, spans, strict=True):
        code = code * span + (key - least)
    return np.argsort(
        code.astype(np.uint16) if math.prod(spans) <= 1 << 16 else code, kind="stable"
    )
