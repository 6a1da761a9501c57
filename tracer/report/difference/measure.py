"""One measure of two sets of runs: what is said of it, by the rule that so many runs allow (docs/diff.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracer.report.difference.floors import FLOORS_NS, floor_ns
from tracer.report.difference.run import Number, Usual
from tracer.statistics import shift

# What so many operations of one side do, and so few of the other, is a difference: chance does not change most of them.
USUAL, SELDOM = 0.75, 0.25


def apart(one: Sequence[Number], other: Sequence[Number]) -> bool:
    """Whether all of one lies beyond all of the other: runs, or the parts of a side's only run."""
    first, second = _values(one), _values(other)
    if not len(first) or not len(second):
        return False
    return bool(first.max() < second.min() or second.max() < first.min())


def _values(numbers: Sequence[Number]) -> np.ndarray:
    return numbers[0].parts if len(numbers) == 1 else np.array([its.value for its in numbers])


def told(one: Sequence[Number], other: Sequence[Number], least: float) -> bool:
    """Whether times of too few runs for a test differ: their medians by more than the floor, all of one beyond all of
    the other, and so without the time in which they waited for a CPU."""
    if abs(median(other) - median(one)) <= least or not apart(one, other):
        return False
    first, second = ([its.on_cpu for its in side if its.on_cpu] for side in (one, other))
    return len(first) < len(one) or len(second) < len(other) or told(first, second, least)


def floor_of(name: str, unit: str, one: float, other: float) -> float | None:
    """From where on two values differ where there are too few runs for a test; None: by how much nobody can say."""
    phase, _, percentile = name.partition(" ")
    if unit == "ns" and percentile == "p50" and phase in FLOORS_NS:
        return floor_ns(phase, one, other)
    return None


def median(numbers: Sequence[Number]) -> float:
    """Of the runs' numbers."""
    return float(np.median([its.value for its in numbers]))


def effect(
    one: Sequence[Number], other: Sequence[Number]
) -> tuple[float, tuple[float, float] | None]:
    """How much `other` lies above `one`: Hodges and Lehmann's estimate over runs, and its interval; of a single run's
    median over operations, and no interval, since these are not independent."""
    alone = min(len(one), len(other)) == 1
    if not alone:
        return shift(*(np.array([its.value for its in numbers]) for numbers in (one, other)))
    samples = [np.concatenate([its.sample for its in numbers]) for numbers in (one, other)]
    if all(len(sample) for sample in samples):
        return shift(*samples).effect, None
    return median(other) - median(one), None


def changed(one: Sequence[Usual], other: Sequence[Usual]) -> tuple[Any, Any] | None:
    """What most operations of every run of one side do and few of every run of the other, and what these do instead;
    None where there is no such thing."""
    if _only(one, other) or _only(other, one):
        return _most(one), _most(other)
    return None


def _only(one: Sequence[Usual], other: Sequence[Usual]) -> bool:
    way = _most(one)
    return min(its.shares.get(way, 0.0) for its in one) >= USUAL and (
        max(its.shares.get(way, 0.0) for its in other) <= SELDOM
    )


def _most(runs: Sequence[Usual]) -> Any:
    """What most operations of the runs do; each run has one vote for each of its ways, as large as their share."""
    votes: dict[Any, float] = {}
    for run in runs:
        for way, share in run.shares.items():
            votes[way] = votes.get(way, 0.0) + share
    return max(votes, key=votes.__getitem__)
