"""tracer/report/latency.py: the programs' own times, of messages that each had a receive of their own."""

from __future__ import annotations

from typing import Any

import pytest

from tracer.report.latency import latency


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
