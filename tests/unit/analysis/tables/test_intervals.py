"""tracer/analysis/tables/intervals.py: how much of some times lies in others."""

from __future__ import annotations

import numpy as np
import pytest

from tracer.analysis.tables.intervals import Intervals

THREE = ((0, 10), (20, 30), (40, 50))


def intervals(*times: tuple[int, int]) -> Intervals:
    begins, ends = np.array(times, np.int64).reshape(-1, 2).T
    return Intervals(begins, ends)


@pytest.mark.parametrize(
    ("others", "common"),
    [
        (THREE, 30),
        (((5, 25),), 10),
        (((10, 20), (30, 40), (50, 60)), 0),
        ((), 0),
        (((-5, 100),), 30),
    ],
)
def test_overlap_is_what_two_lists_of_times_have_in_common(
    others: tuple[tuple[int, int], ...], common: int
) -> None:
    one, other = intervals(*THREE), intervals(*others)
    assert one.overlap(other) == other.overlap(one) == common


def test_each_span_for_itself() -> None:
    since, until = np.array([0, 5, 12, 25]), np.array([50, 25, 18, 45])
    assert intervals(*THREE).within(since, until).tolist() == [30, 10, 0, 10]
    assert intervals().within(since, until).tolist() == [0, 0, 0, 0]
