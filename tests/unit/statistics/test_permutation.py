"""Two sets of runs: what the tests say of the same thing run twice, and of a shift that was put in."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracer.statistics import ALPHA, detectable, fewest_runs, holm, least_p, step_down

RUNS = arrays.arrays(
    float,
    st.tuples(st.integers(6, 10), st.integers(1, 4)),
    elements=st.integers(0, 50).map(float),
)


@settings(max_examples=20)
@given(RUNS, st.floats(0.005, 0.2))
def test_of_all_dealings_of_the_same_runs_at_most_alpha_differ(runs, alpha):
    """The promise itself, counted out: of all ways to put runs into two sets, at most a share alpha has a number that
    differs."""
    half, all_of_them = len(runs) // 2, range(len(runs))
    differ = [
        step_down(runs[list(first)], np.delete(runs, list(first), axis=0)).min() <= alpha
        for first in combinations(all_of_them, half)
    ]
    assert np.mean(differ) <= alpha


def test_the_same_distribution_seldom_differs_whatever_it_looks_like():
    random = np.random.default_rng(7)
    for sample in (random.standard_normal, random.standard_cauchy, random.standard_exponential):
        wrong = sum(step_down(*sample((2, 5, 20))).min() <= ALPHA for _ in range(200))
        assert wrong <= 8  # 2 are to be expected; so many come once in two thousand times


@given(RUNS, st.integers(0, 3), st.sampled_from([1e3, 1e9]))
def test_a_planted_shift_is_found_and_nothing_else(runs, number, scale):
    one, other = (np.tile(runs, (2, 1))[:10] * 1.0 for _ in range(2))
    random = np.random.default_rng(1)
    number %= runs.shape[1]
    one, other = (sample[random.permutation(10)] for sample in (one, other))
    other[:, number] += scale
    p = step_down(one, other)
    assert p[number] <= ALPHA
    assert (np.delete(p, number) > ALPHA).all()


@given(RUNS, st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**20]), st.integers(-(10**6), 10**6))
def test_the_unit_and_the_zero_do_not_matter(runs, unit, zero):
    first, second = np.array_split(runs, 2)
    np.testing.assert_allclose(
        step_down(first, second), step_down(first * unit + zero, second * unit + zero)
    )


def test_one_number_is_the_plain_permutation_test():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(3)
    for n, m in ((5, 5), (4, 7), (6, 5)):
        one, other = random.standard_normal(n), random.standard_normal(m) + 1
        expected = stats.permutation_test(
            (one, other),
            lambda x, y, axis: np.abs(stats.ttest_ind(x, y, axis=axis).statistic),
            alternative="greater",
            n_resamples=np.inf,
            vectorized=True,
        ).pvalue
        assert step_down(one[:, None], other[:, None])[0] == pytest.approx(expected)


def test_several_numbers_are_corrected_together_and_at_no_cost_of_runs():
    random = np.random.default_rng(5)
    one, other = random.standard_normal((2, 5, 30))
    other[:, 4] += 30
    alone = step_down(one[:, [7]], other[:, [7]])[0]
    p = step_down(one, other)
    assert p[4] == pytest.approx(2 / 252)
    assert alone <= p[7]
    assert holm([2 / 252] * 30)[0] > 0.2  # what Holm would have said of it


def test_a_number_that_never_varies():
    same = np.full((5, 1), 3.0)
    assert step_down(same, same)[0] == 1.0
    assert step_down(same, same + 1)[0] == pytest.approx(2 / 252)


def test_many_runs_are_dealt_at_random_always_alike():
    random = np.random.default_rng(9)
    one, other = random.standard_normal((2, 40, 3))
    other[:, 1] += 3
    p = step_down(one, other)
    assert p[1] == pytest.approx(1 / 20_001)
    assert (step_down(one, other) == p).all()
    assert (p[[0, 2]] > ALPHA).all()


def test_holm_in_the_order_given():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_how_few_runs_can_say_anything():
    assert least_p(5, 5) == pytest.approx(2 / 252)
    assert least_p(4, 5) == pytest.approx(1 / 126)
    assert least_p(1, 1) == 1.0
    assert least_p(0, 5) == 1.0
    assert fewest_runs(1) == 5
    assert fewest_runs(28) == 8
    assert all(tests * least_p(n := fewest_runs(tests), n) <= ALPHA for tests in (1, 3, 6, 28, 100))


def test_what_these_runs_would_have_shown_is_just_what_they_show():
    random = np.random.default_rng(11)
    one, other = random.standard_normal((2, 5, 6))
    least = detectable(one, other)
    one, other = one - np.median(one, axis=0), other - np.median(other, axis=0)
    for number, shift in enumerate(least):
        for factor, told in ((1.01, True), (0.9, False)):
            moved = other.copy()
            moved[:, number] += factor * shift
            assert (step_down(one, moved)[number] <= ALPHA) == told
    assert np.isinf(detectable(one[:3], other)).all()
