"""By how much do two samples differ? Hodges and Lehmann's shift, and its interval: sizes, and never evidence."""

from __future__ import annotations

from math import comb, floor, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracer.statistics.permutation import ALPHA

Floats = NDArray[np.float64]

GRID = 1000  # values of each sample at most; so a million differences, 8 MB
_COUNTED = 50  # runs of both sets together up to which the interval is exact
_NORMAL_99 = 2.5758293035489004  # of the standard normal distribution, 99.5 % lie below


class Shift(NamedTuple):
    """effect: how much the second sample lies above the first. interval: (low, high), in which that lies with at least
    99 %; None where no interval that is bounded has as much (fewer than 5 and 5)."""

    effect: float
    interval: tuple[float, float] | None


def grid(values: Floats, most: int = GRID) -> Floats:
    """At most `most` of a sample's values, sorted: its quantiles at (i + 1/2) / most, nearest-rank. Always the same."""
    ordered: Floats = np.sort(np.asarray(values, dtype=float))
    if len(ordered) <= most:
        return ordered
    places = ((np.arange(most) + 0.5) / most * len(ordered)).astype(int)
    return np.asarray(ordered[places])


def shift(one: Floats, other: Floats) -> Shift:
    """The median of all differences between a value of `other` and one of `one`: Hodges & Lehmann, Estimates of
    Location Based on Rank Tests, 1963. Of more than 1000 values their quantiles are taken (`grid`); none may be empty.

    The interval holds where the values are independent (one per run); of operations of one run it says nothing.
    """
    first, second = grid(one), grid(other)
    apart = np.sort((second[:, np.newaxis] - first[np.newaxis, :]).ravel())
    middle = len(apart) // 2
    effect = apart[middle] if len(apart) % 2 else (apart[middle - 1] + apart[middle]) / 2
    left_out = _left_out(len(first), len(second))
    if left_out is None:
        return Shift(float(effect), None)
    return Shift(float(effect), (float(apart[left_out]), float(apart[-1 - left_out])))


def _left_out(n: int, m: int) -> int | None:
    """How many of the n·m differences lie outside the interval at each end, so that it holds with at least 1 − ALPHA.

    Those that Mann and Whitney's U would reject: Lehmann, Nonparametrics, 1975, section 2.6.
    """
    if n + m > _COUNTED:
        spread = sqrt(n * m * (n + m + 1) / 12)
        return max(floor(n * m / 2 - _NORMAL_99 * spread), 0)
    allowed = ALPHA / 2 * comb(n + m, n)
    below = np.cumsum(_ways(n, m))
    return int(np.searchsorted(below, allowed, side="right")) - 1 if below[0] <= allowed else None


def _ways(n: int, m: int) -> Floats:
    """In how many orders of n and m values U is 0, 1, … n·m (Mann & Whitney, 1947): the coefficients of the Gaussian
    binomial, product over i = 1…n of (1 − q^(m+i)) / (1 − q^i)."""
    ways = np.zeros(n * m + 1)
    ways[0] = 1.0
    for i in range(1, n + 1):
        if m + i <= n * m:
            ways[m + i :] -= ways[: n * m + 1 - m - i].copy()
        for place in range(i, n * m + 1):
            ways[place] += ways[place - i]
    return ways
