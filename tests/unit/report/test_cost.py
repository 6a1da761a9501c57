"""tracer/report/cost.py: a cost that was measured comes before one that is estimated; none is made up."""

from __future__ import annotations

from typing import Any

import pytest

from tracer.report.cost import cost

TRACED = {"messages": 10, "cpu_ns": 3_004}
UNTRACED = {"messages": 20, "cpu_ns": 4_000}
LEDGER = {"counted": 1_000}
NONE: tuple[dict[str, Any] | None, ...] = (None, {}, {"messages": 0, "cpu_ns": 1})


def test_measured() -> None:
    facts = {"notes": TRACED, "untraced": UNTRACED, "event_cost_ns": 9.0, "ledger": LEDGER}
    assert cost(facts, 7) == {
        "untraced_cpu_ns_per_op": 200,
        "traced_cpu_ns_per_op": 300,
        "ratio": 1.5,
    }


def test_no_ratio_to_nothing() -> None:
    its = cost({"notes": TRACED, "untraced": {"messages": 20, "cpu_ns": 0}}, 7)
    assert its is not None and its["ratio"] is None and its["traced_cpu_ns_per_op"] == 300


@pytest.mark.parametrize("untraced", NONE)
@pytest.mark.parametrize("notes", NONE)
def test_estimated_where_it_was_not_measured(
    notes: dict[str, Any] | None, untraced: dict[str, Any] | None
) -> None:
    facts = {"notes": notes, "untraced": untraced, "event_cost_ns": 123.456, "ledger": LEDGER}
    assert cost(facts, 7) == {
        "untraced_cpu_ns_per_op": None,
        "traced_cpu_ns_per_op": None,
        "ratio": None,
        "estimate": True,
        "event_ns": 123.5,
        "events": 1_000,
        "total_ns": 123_456,
        "cpu_ns": 7,
    }
    assert cost(facts | {"event_cost_ns": None}, 7) is None


@pytest.mark.parametrize("missing", ["notes", "untraced"])
def test_one_run_alone_measures_nothing(missing: str) -> None:
    facts = {"notes": TRACED, "untraced": UNTRACED, "ledger": LEDGER}
    assert cost(facts | {missing: None}, 7) is None
