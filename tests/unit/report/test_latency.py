"""tracer/report/latency.py: the programs' own times, of messages that each had a receive of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracer.analysis.operations.table import Operations, bit, with_defaults
from tracer.report.latency import accuracy, latency


def run(sent: list[int], received: list[int]) -> dict[str, Any]:
    return {"sender": {"send_begin_ns": sent}, "notes": {"receive_ns": received}}


def test_each_message_of_the_traced_run_and_of_all_untraced_runs() -> None:
    told = latency(run([10, 20], [13, 27]) | {"untraced": [run([1], [2]), run([1, 2], [3, 5])]})
    assert told is not None
    assert [told["traced"][key] for key in ("count", "min_ns", "max_ns")] == [2, 3, 7]
    assert [told["untraced"][key] for key in ("count", "min_ns", "max_ns")] == [3, 1, 3]


@pytest.mark.parametrize(
    "facts", [{}, run([1], []), run([1, 2], [4]), run([5], [4]), {"notes": None}]
)
def test_nothing_is_told_where_a_receive_is_not_one_message(facts: dict[str, Any]) -> None:
    assert latency(facts) is None


def test_without_an_untraced_run_the_traced_one_stands_alone() -> None:
    told = latency(run([1], [2]))
    assert told is not None and told["untraced"] is None


def operations(ready: list[int], done: list[int], **columns: list[int]) -> Operations:
    arrays = {name: np.array(values) for name, values in columns.items()}
    return with_defaults(len(done), {"ready": np.array(ready), "done": np.array(done)} | arrays)


def test_boundaries_lie_between_the_stamps_of_sender_and_receiver() -> None:
    told = accuracy(run([10, 30], [18, 50]), operations([14, 37], [17, 44]))
    assert told is not None
    assert told["done_to_user"] == {"count": 2, **spread(1, 1, 6)}
    assert told["send_to_ready"] == {"count": 2, **spread(4, 4, 7)}


def spread(least: int, median: int, most: int) -> dict[str, int]:
    return {"min_ns": least, "p50_ns": median, "p90_ns": most, "p99_ns": most, "max_ns": most}


def test_operations_are_the_receives_in_the_order_in_which_they_were_done() -> None:
    told = accuracy(run([10, 30], [18, 50]), operations([37, 14], [44, 17]))
    assert told is not None and told["done_to_user"] == {"count": 2, **spread(1, 1, 6)}


def test_what_was_seen_too_early_is_told_as_it_was_seen() -> None:
    told = accuracy(run([10], [18]), operations([8], [20]))
    assert told is not None and told["done_to_user"] and told["send_to_ready"]
    assert (told["done_to_user"]["min_ns"], told["send_to_ready"]["min_ns"]) == (-2, -2)


def test_a_readiness_that_was_not_seen_says_nothing_of_the_probe() -> None:
    unseen = bit("ready", np.array([True, False]))
    told = accuracy(
        run([10, 30], [18, 50]), operations([14, 37], [17, 44], estimated=unseen.tolist())
    )
    assert told is not None and told["send_to_ready"] == {"count": 1, **spread(7, 7, 7)}
    every = bit("ready", np.array([True, True])).tolist()
    told = accuracy(run([1, 2], [3, 4]), operations([2, 3], [3, 4], estimated=every))
    assert told is not None and told["send_to_ready"] is None and told["done_to_user"]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (run([1, 2], [3, 4]), operations([2], [3])),  # a receive that the trace has not
        (run([1, 2], [3, 4]), operations([2, 2], [3, 4], tid=[7, 8])),  # whose stamp is whose?
        (run([], []), operations([], [])),
    ],
)
def test_nothing_is_compared_where_it_is_not_known_what_belongs_together(
    facts: dict[str, Any], found: Operations
) -> None:
    assert accuracy(facts, found) is None
