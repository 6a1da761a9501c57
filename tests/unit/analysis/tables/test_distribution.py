"""tracer/analysis/tables/distribution.py: percentiles by their definition, buckets by theirs, sums that are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.analysis.tables.distribution import Distribution, distribution

times = st.lists(st.integers(0, 2**50), max_size=200)


def nearest_rank(values: list[int], percent: int) -> int:
    """The smallest value that at least `percent` % of the values do not exceed."""
    return min(
        v for v in values if 100 * sum(other <= v for other in values) >= percent * len(values)
    )


@given(times.filter(len))
def test_percentiles_are_nearest_rank(values: Any) -> None:
    found = distribution(np.array(values))
    for percent in (50, 90, 99):
        assert found[f"p{percent}_ns"] == nearest_rank(values, percent)
    assert (found["count"], found["total_ns"]) == (len(values), sum(values))
    assert (found["min_ns"], found["max_ns"]) == (min(values), max(values))


@pytest.mark.parametrize(
    ("count", "p50", "p90", "p99"),
    [
        (1, 1, 1, 1),
        (2, 1, 2, 2),
        (10, 5, 9, 10),
        (11, 6, 10, 11),
        (100, 50, 90, 99),
        (101, 51, 91, 100),
    ],
)
def test_percentiles_of_one_to_n(count: int, p50: Any, p90: Any, p99: Any) -> None:
    found = distribution(np.arange(count, 0, -1))
    assert (found["p50_ns"], found["p90_ns"], found["p99_ns"]) == (p50, p90, p99)


@given(times)
def test_histogram_counts_each_value_once_in_its_power_of_two(values: Any) -> None:
    hist = distribution(np.array(values, np.int64))["hist"]
    expected: dict[str, int] = {}
    for value in values:
        lower = str(1 << (value.bit_length() - 1) if value else 0)
        expected[lower] = expected.get(lower, 0) + 1
    assert hist == expected
    assert list(hist) == sorted(hist, key=int)


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 2),
        (4, 4),
        (7, 4),
        (8, 8),
        (1023, 512),
        (1024, 1024),
        (1025, 1024),
        (2**40 - 1, 2**39),
        (2**40, 2**40),
    ],
)
def test_buckets_begin_at_powers_of_two(value: Any, bucket: Any) -> None:
    assert distribution(np.array([value]))["hist"] == {str(bucket): 1}


def test_nothing_has_no_times() -> None:
    found = distribution(np.empty(0, np.int64))
    assert found.pop("hist") == {}
    assert set(found.values()) == {0}


@given(st.lists(times, max_size=5))
def test_batches_add_up(batches: Any) -> None:
    whole = Distribution()
    for batch in batches:
        whole.add(np.array(batch, np.int64))
    together = distribution(np.array([value for batch in batches for value in batch], np.int64))
    assert whole.summary() == together
    assert whole.summary() == together  # asking changes nothing


def test_many_pending_values_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.analysis.tables.distribution._MOST_PENDING", 10)
    whole, rng = Distribution(), np.random.default_rng(3)
    batches = [rng.integers(0, 50, 7) for _ in range(20)]
    for batch in batches:
        whole.add(batch)
    assert whole.summary() == distribution(np.concatenate(batches))


def test_numbers_are_json() -> None:
    found = distribution(np.array([3, 5]))
    assert all(type(value) is int for name, value in found.items() if name != "hist")
    assert all(type(count) is int for count in found["hist"].values())
