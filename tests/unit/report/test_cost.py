"""tracer/report/cost.py: a cost that was measured comes before one that is estimated; none is made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.report.cost import cost

SLEEPER = ThreadTimes(7, 7, "a", 0, 100, 90, 0, 6, 4, 1, 0)
COMPUTING = replace(SLEEPER, blocked_ns=40, user_ns=54)
TRACED: dict[str, Any] = {"messages": 10, "cpu_ns": 3_004, "calls": {"recvfrom": 10}, "tid": 7}
UNTRACED = [
    {"notes": {"messages": 20, "cpu_ns": cpu_ns, "calls": {"recvfrom": 40}}}
    for cpu_ns in (4_000, 6_000, 2_000)
]
EVENT = {"event_cost_ns": 123.456}
ESTIMATED = {
    "per": "event",
    "untraced_cpu_ns_per_op": None,
    "traced_cpu_ns_per_op": None,
    "ratio": None,
    "estimate": True,
    "event_ns": 123.5,
    "events": 1_000,
    "total_ns": 123_456,
    "cpu_ns": 10,
}
NONE: tuple[Any, ...] = (None, [], [{"notes": {}}], {"messages": 20, "cpu_ns": 4_000})


def test_of_a_sleeper_a_message_is_compared_with_the_median_run() -> None:
    assert cost({"notes": TRACED, "untraced": UNTRACED} | EVENT, [SLEEPER], 1_000) == {
        "per": "message",
        "untraced_cpu_ns": 200,
        "traced_cpu_ns": 300,
        "ratio": 1.502,
        "untraced_runs": 3,
        "untraced_spread_ns": [100, 300],
        "untraced_cpu_ns_per_op": 200,
        "traced_cpu_ns_per_op": 300,
    }


def test_of_a_poller_a_call_is_compared() -> None:
    traced = TRACED | {"calls": {"recvfrom": 100}, "cpu_ns": 9_000}
    measured = cost({"notes": traced, "untraced": UNTRACED} | EVENT, [SLEEPER], 1_000)
    assert measured is not None and measured["per"] == "call"
    assert (measured["untraced_cpu_ns"], measured["traced_cpu_ns"]) == (100, 90)
    assert measured["ratio"] == 0.9 and measured["traced_cpu_ns_per_op"] == 900


def test_of_a_program_that_computes_meanwhile_the_events_are_counted() -> None:
    facts = {"notes": TRACED, "untraced": UNTRACED} | EVENT
    helper = replace(SLEEPER, tid=8)
    assert cost(facts, [COMPUTING, helper], 1_000) == ESTIMATED | {"cpu_ns": 70}
    assert cost(facts | {"event_cost_ns": None}, [COMPUTING], 1_000) is None


def test_no_ratio_to_nothing() -> None:
    untraced = [{"notes": {"messages": 20, "cpu_ns": 0}}]
    its = cost({"notes": TRACED, "untraced": untraced}, [SLEEPER], 7)
    assert its is not None and its["ratio"] is None and its["traced_cpu_ns_per_op"] == 300


@pytest.mark.parametrize("untraced", NONE)
@pytest.mark.parametrize("notes", [None, {}, {"messages": 0, "cpu_ns": 1}, TRACED])
def test_estimated_where_it_was_not_measured(notes: dict[str, Any] | None, untraced: Any) -> None:
    facts = {"notes": notes, "untraced": untraced}
    assert cost(facts | EVENT, [SLEEPER], 1_000) == ESTIMATED
    assert cost(facts, [SLEEPER], 1_000) is None


@pytest.mark.parametrize("missing", ["notes", "untraced"])
def test_one_run_alone_measures_nothing(missing: str) -> None:
    facts = {"notes": TRACED, "untraced": UNTRACED}
    assert cost(facts | {missing: None}, [SLEEPER], 7) is None
