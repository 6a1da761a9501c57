"""benchmarks/accuracy.py: intervals over pairs of runs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="intervals need scipy (the extra `bench`)")

from accuracy import compared, interval


def test_runs_are_compared_in_pairs():
    """Runs scatter by 100,000 ns; what tracing adds is 1,000 to 1,200 in every pair."""
    untraced = np.random.default_rng(3).uniform(40_000, 140_000, 11)
    added = np.linspace(1_000, 1_200, 11)
    told = compared(untraced.tolist(), (untraced + added).tolist())
    assert told["added_ns"]["median"] == pytest.approx(1_100)
    assert 1_000 <= told["added_ns"]["low"] < 1_100 < told["added_ns"]["high"] <= 1_200
    assert 1 < told["ratio"]["low"] <= told["ratio"]["median"] <= told["ratio"]["high"] < 1.04
    assert told["untraced_ns"] == np.median(untraced) and len(told["rounds"]) == 11


def test_an_effect_that_is_none_has_zero_inside_its_interval():
    scatter = np.random.default_rng(4)
    told = compared(scatter.uniform(40, 60, 21).tolist(), scatter.uniform(40, 60, 21).tolist())
    assert told["added_ns"]["low"] < 0 < told["added_ns"]["high"]


def test_the_interval_is_about_as_sure_as_it_says():
    """Of 100 samples of 15, about 95 intervals hold the median from which they were drawn."""
    draws = np.random.default_rng(5).exponential(size=(100, 15))
    held = sum(its["low"] <= np.log(2) <= its["high"] for its in map(interval, draws))
    assert 85 <= held <= 100


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0, 5.0]])
def test_without_scatter_there_is_no_width(values):
    assert interval(np.array(values)) == {"median": 5, "low": 5, "high": 5}
