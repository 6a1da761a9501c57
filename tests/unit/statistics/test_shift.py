"""How much two samples differ: the estimate, its interval and its bounded memory."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.statistics import ALPHA, grid, shift
from tracer.statistics.shift import _ways

VALUES = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=12).map(np.array)


@given(VALUES, st.integers(-500, 500))
def test_a_sample_moved_differs_by_so_much(values, by):
    assert shift(values, values + by).effect == by
    assert shift(values + by, values).effect == -by


@given(VALUES, VALUES)
def test_the_effect_lies_in_its_interval(one, other):
    effect, interval = shift(one, other)
    assert interval is None or interval[0] <= effect <= interval[1]


def test_one_value_far_away_hardly_moves_it():
    values = np.arange(20.0)
    other = values + 5
    other[-1] = 1e9
    assert shift(values, other).effect == pytest.approx(5, abs=1)


def test_five_and_five_are_the_fewest_with_an_interval():
    values = np.array([1.0, 2, 4, 8, 16])
    assert shift(values[:4], values).interval is None
    assert shift(values, values + 3).interval == (1 - 16 + 3, 16 - 1 + 3)


def test_the_interval_holds_as_often_as_it_says():
    random = np.random.default_rng(2)
    for n, m in ((5, 5), (8, 6), (40, 30)):
        missed = 0
        for _ in range(400):
            low, high = shift(random.standard_normal(n), random.standard_normal(m) + 1).interval
            missed += not low <= 1 <= high
        assert (
            missed <= 12
        )  # 4 are to be expected at the level; 13 come once in four thousand times


def test_ways_are_counted():
    for n, m in ((1, 4), (3, 2), (4, 4), (5, 3)):
        counted = np.zeros(n * m + 1)
        for places in combinations(range(n + m), n):
            counted[sum(places) - n * (n - 1) // 2] += 1
        assert (_ways(n, m) == counted).all()


def test_the_interval_is_that_of_the_exact_test():
    """A shift lies in it just where the rank test would not tell the samples apart, were they moved by it."""
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(4)
    one, other = random.standard_normal(7), random.standard_normal(8)
    low, high = shift(one, other).interval
    for by, outside in (
        (low - 1e-6, True),
        (low + 1e-6, False),
        (high + 1e-6, True),
        (high - 1e-6, False),
    ):
        p = stats.mannwhitneyu(one + by, other, method="exact").pvalue
        assert (p <= ALPHA) == outside


def test_memory_is_bounded_and_the_choice_fixed():
    random = np.random.default_rng(6)
    many = random.standard_exponential(100_000)
    thin = grid(many)
    assert len(thin) == 1000
    assert (thin == grid(random.permutation(many))).all()
    assert np.median(thin) == pytest.approx(np.median(many), rel=0.01)
    assert shift(many, many + 0.25).effect == pytest.approx(0.25, rel=0.02)
    assert list(grid([3, 1, 2])) == [1, 2, 3]
