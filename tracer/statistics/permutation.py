"""Do two sets of runs differ? Permutation tests of one number per run, corrected over all numbers that are compared.

The unit is the run. Operations of one run are not independent of each other (they share a boot, a CPU, a neighbour's
load), so a test over them finds differences between runs of the same program.

If the two sets are runs of the same thing, then which run is in which set means nothing: every way of dealing the runs
into two sets of these sizes was as likely (Fisher, The Design of Experiments, 1935). What the runs' numbers are
distributed like, or whether they belong together, is not assumed. Several numbers of a run are tested at once by the
greatest of their statistics under each dealing, and then without the greatest, and so on (Westfall & Young,
Resampling-Based Multiple Testing, 1993, algorithm 4.1: "step-down max-T"). Like Holm's correction it keeps the chance
of one false difference or more, among all numbers, under the level. Unlike Holm's it costs no runs: of five and five
the least p is 2/252, and Holm over seven numbers could never say that they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALPHA = 0.01  # of a hundred comparisons of a thing with itself, at most about one says that something differs
FEWEST = 5  # runs in the smaller set: of 4 and 4 the least p is 2/70
_MOST = 20_000  # dealings that are looked at; where there are more, so many of them are drawn, always the same ones
_SEED = 15
_SAME = 1e-9  # sums of the same numbers in another order differ by this share at most


def step_down(one: Floats, other: Floats) -> Floats:
    """The p of each number, corrected for all of them: does it differ between two sets of runs?

    one, other: arrays (runs, numbers), without NaN; the sets may differ in size. Returns (numbers,). The statistic is
    Student's t; a number that is the same in all runs has p 1. p is exact where there are at most 20,000 dealings, else
    (1 + count) / (1 + 20,000).
    """
    null, seen = _statistics(one, other)
    order = np.argsort(-seen, kind="stable")
    adjusted = np.ones(len(order))
    # greatest statistic of each dealing among the numbers that are not yet decided: from the least number up
    greatest = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    reached = 0.0
    for place, number in enumerate(order):
        reached = max(reached, _share(greatest[:, place], seen[number]))
        adjusted[number] = reached
    return adjusted


def detectable(one: Floats, other: Floats, alpha: float = ALPHA) -> Floats:
    """The least shift of each number that these runs would have shown, had it been the only one: (numbers,).

    Both sets are taken as they scatter around their own medians, and one of them is moved. inf where no shift could be
    told: too few runs.
    """
    if least_p(len(one), len(other)) > alpha:
        return np.full(one.shape[1], np.inf)
    one, other = one - np.median(one, axis=0), other - np.median(other, axis=0)
    null, _ = _statistics(one, other)
    dealt = _dealings(len(one), len(other))
    return np.array([_least_shift(one, other, k, null, dealt, alpha) for k in range(one.shape[1])])


def holm(p: Sequence[float]) -> list[float]:
    """p of several tests, corrected for their being several, whatever they have to do with each other.

    Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979. In the order given.
    """
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted = [0.0] * len(p)
    reached = 0.0
    for place, index in enumerate(order):
        reached = max(reached, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = reached
    return adjusted


def least_p(one: int, other: int) -> float:
    """The least p that sets of so many runs can have: of all dealings, those that part them as completely."""
    symmetric = 2 if one == other else 1
    return max(symmetric / comb(one + other, one), 1 / (1 + _MOST)) if one and other else 1.0


def fewest_runs(tests: int, alpha: float = ALPHA) -> int:
    """How many runs each of two sets needs so that one of `tests` corrected comparisons of such sets can differ."""
    runs = FEWEST
    while tests * least_p(runs, runs) > alpha and runs < 100:
        runs += 1
    return runs


def _statistics(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """(|t| under each dealing: (dealings, numbers); |t| as seen: (numbers,))."""
    runs = np.concatenate([one, other])
    # about the median, and in units of the greatest distance from it: sums of squares keep their digits
    runs = runs - np.median(runs, axis=0)
    scale = np.abs(runs).max(axis=0)
    runs = runs / np.where(scale > 0, scale, 1.0)
    seen = np.zeros((1, len(runs)), dtype=bool)
    seen[0, : len(one)] = True
    return _student(_dealings(len(one), len(other)), runs), _student(seen, runs)[0]


def _student(dealt: NDArray[np.bool_], runs: Floats) -> Floats:
    """|t| of each dealing (dealings, runs) and number (runs, numbers): the means' distance in their standard errors."""
    n, m = int(dealt[0].sum()), int((~dealt[0]).sum())
    first = dealt.astype(float) @ runs
    second = runs.sum(axis=0) - first
    squares = (runs**2).sum(axis=0)
    within = np.maximum(squares - first**2 / n - second**2 / m, 0.0)
    apart = np.abs(first / n - second / m)
    apart[apart < _SAME] = 0.0
    within[within < _SAME * np.maximum(squares, 1e-300)] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = apart / np.sqrt(within / max(n + m - 2, 1) * (1 / n + 1 / m))
    return np.where(apart == 0.0, 0.0, t)


def _dealings(one: int, other: int) -> NDArray[np.bool_]:
    """Which runs go into the first set: (dealings, runs). All there are, or some at random, and then the one seen."""
    runs = one + other
    if comb(runs, one) <= _MOST:
        chosen = np.array(list(combinations(range(runs), one)))
    else:
        random = np.random.default_rng(_SEED)
        chosen = np.argsort(random.random((_MOST, runs)), axis=1)[:, :one]
        chosen = np.concatenate([np.arange(one)[np.newaxis], chosen])
    dealt = np.zeros((len(chosen), runs), dtype=bool)
    np.put_along_axis(dealt, chosen, True, axis=1)
    return dealt


def _share(null: Floats, seen: float) -> float:
    """Of the dealings, how many have a statistic as great as the one seen."""
    return float(np.mean(null >= seen * (1 - _SAME)))


def _least_shift(
    one: Floats, other: Floats, k: int, null: Floats, dealt: NDArray[np.bool_], alpha: float
) -> float:
    """By bisection: how far `other` has to be moved in number k, until it is told beside all others."""
    rest = np.delete(null, k, axis=1).max(axis=1, initial=0.0)

    def told(shift: float) -> bool:
        moved = np.concatenate([one[:, [k]], other[:, [k]] + shift])
        t = _student(dealt, moved / max(float(np.abs(moved).max()), 1e-300))[:, 0]
        return _share(np.maximum(rest, t), t[0]) <= alpha

    scatter = float(np.ptp(np.concatenate([one[:, k], other[:, k]])))
    if scatter == 0.0:
        return 0.0
    low, high = 0.0, scatter
    while not told(high):
        low, high = high, 2 * high
        if high > 1e6 * scatter:
            return float("inf")
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if told(middle) else (middle, high)
    return high
