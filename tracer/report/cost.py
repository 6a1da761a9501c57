"""What tracing cost: measured beside a run without probes, else estimated from what one event costs."""

from __future__ import annotations

from typing import Any

from tracer.report.contract import EstimatedCost, Facts, MeasuredCost


def cost(facts: Facts, cpu_ns: int) -> MeasuredCost | EstimatedCost | None:
    """The report's `cost`; None where nothing is known of it. cpu_ns: CPU time of the traced threads."""
    measured = _measured(facts.get("notes") or {}, facts.get("untraced") or {})
    return measured or _estimated(facts, cpu_ns)


def _measured(traced: dict[str, Any], untraced: dict[str, Any]) -> MeasuredCost | None:
    """CPU time a message, from the notes of the receiver in both runs; wall time would say 1 of every paced run."""
    if not traced.get("messages") or not untraced.get("messages"):
        return None
    without, with_probes = (round(n["cpu_ns"] / n["messages"]) for n in (untraced, traced))
    return {
        "untraced_cpu_ns_per_op": without,
        "traced_cpu_ns_per_op": with_probes,
        "ratio": round(with_probes / without, 3) if without else None,
    }


def _estimated(facts: Facts, cpu_ns: int) -> EstimatedCost | None:
    """What an event cost when tracing began, times the events; beside it the threads' CPU time."""
    event_ns = facts.get("event_cost_ns")
    if event_ns is None:
        return None
    events = facts["ledger"]["counted"]
    return {
        "untraced_cpu_ns_per_op": None,
        "traced_cpu_ns_per_op": None,
        "ratio": None,
        "estimate": True,
        "event_ns": round(event_ns, 1),
        "events": events,
        "total_ns": round(events * event_ns),
        "cpu_ns": cpu_ns,
    }
