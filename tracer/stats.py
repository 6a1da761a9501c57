"""Distributions and sums of times, in whole nanoseconds."""

from __future__ import annotations

import numpy as np


def distribution(values: np.ndarray) -> dict:
    """count, total, min, nearest-rank percentiles and max of int64 ns, and their log2 histogram."""
    values = np.sort(np.asarray(values, np.int64))
    if not len(values):
        return {"count": 0, "total_ns": 0, "min_ns": 0, "p50_ns": 0, "p90_ns": 0, "p99_ns": 0, "max_ns": 0, "hist": {}}
    return {
        "count": len(values),
        "total_ns": int(values.sum()),
        "min_ns": int(values[0]),
        **{f"p{p}_ns": nearest_rank(values, p) for p in (50, 90, 99)},
        "max_ns": int(values[-1]),
        "hist": log2_histogram(values),
    }


def nearest_rank(ordered: np.ndarray, percent: int) -> int:
    """The smallest value that at least `percent` % of the values do not exceed."""
    return int(ordered[max(0, -(-percent * len(ordered) // 100) - 1)])


def log2_histogram(values: np.ndarray) -> dict[str, int]:
    """Lower bound of each power-of-two bucket (ns, as text; "0" holds 0 alone) → how many."""
    exponents = np.frexp(np.maximum(values, 0).astype(np.float64))[1]
    found, counts = np.unique(exponents, return_counts=True)
    return {str(0 if e == 0 else 1 << (int(e) - 1)): int(n) for e, n in zip(found, counts, strict=True)}
