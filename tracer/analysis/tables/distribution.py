"""Distributions and sums of times, in whole nanoseconds."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST_PENDING = 1 << 20
_SMALL = 1 << 16  # values below this (ns) are counted without sorting
_KEYS = ("count", "total_ns", "min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns")


class Distribution:
    """Adds up int64 ns batch by batch, exactly: each value is kept once, with the number of times it occurred."""

    def __init__(self) -> None:
        self._small = np.zeros(0, np.int64)  # how often each value below _SMALL occurred
        self._values = np.empty(0, np.int64)
        self._counts = np.empty(0, np.int64)
        self._pending: list[np.ndarray] = []
        self._waiting = 0

    def add(self, values: np.ndarray) -> None:
        """int64[n], ns."""
        large = values[(values >= _SMALL) | (values < 0)] if len(values) else values
        if len(large) < len(values):
            if not len(self._small):
                self._small = np.zeros(_SMALL, np.int64)
            small = values[(values < _SMALL) & (values >= 0)] if len(large) else values
            self._small += np.bincount(small, minlength=_SMALL)
        self._pending.append(large)
        self._waiting += len(large)
        if self._waiting > _MOST_PENDING:
            self._merge()

    def summary(self) -> dict[str, Any]:
        """count, total, min, nearest-rank percentiles, max, and the log2 histogram."""
        self._merge()
        low = np.flatnonzero(self._small)
        values, counts = (
            np.concatenate([low, self._values]),
            np.concatenate([self._small[low], self._counts]),
        )
        if len(self._values) and self._values[0] < 0:
            order = np.argsort(values)
            values, counts = values[order], counts[order]
        if not len(values):
            return {**dict.fromkeys(_KEYS, 0), "hist": {}}
        ranks = np.cumsum(counts)
        return {
            "count": int(ranks[-1]),
            "total_ns": int((values * counts).sum()),
            "min_ns": int(values[0]),
            **{f"p{p}_ns": nearest_rank(values, ranks, p) for p in (50, 90, 99)},
            "max_ns": int(values[-1]),
            "hist": log2_histogram(values, counts),
        }

    def _merge(self) -> None:
        new, counts = np.unique(
            np.concatenate([np.empty(0, np.int64), *self._pending]), return_counts=True
        )
        self._pending, self._waiting = [], 0
        self._values, place = np.unique(np.concatenate([self._values, new]), return_inverse=True)
        total = np.zeros(len(self._values), np.int64)
        np.add.at(total, place, np.concatenate([self._counts, counts]))
        self._counts = total


def distribution(values: np.ndarray) -> dict[str, Any]:
    """Distribution.summary of one array of values (ns)."""
    whole = Distribution()
    whole.add(np.asarray(values, np.int64))
    return whole.summary()


def nearest_rank(values: np.ndarray, ranks: np.ndarray, percent: int) -> int:
    """The smallest value that at least `percent` % do not exceed; `ranks` counts the values up to each."""
    wanted = max(1, -(-percent * int(ranks[-1]) // 100))
    return int(values[np.searchsorted(ranks, wanted)])


def log2_histogram(values: np.ndarray, counts: np.ndarray) -> dict[str, int]:
    """Lower bound of each power-of-two bucket (ns, as text; "0" holds 0 alone) → how many."""
    exponents = np.frexp(np.maximum(values, 0).astype(np.float64))[1]
    totals = np.bincount(exponents, weights=counts)
    return {
        str(1 << (exponent - 1) if exponent else 0): int(count)
        for exponent, count in enumerate(totals)
        if count
    }
