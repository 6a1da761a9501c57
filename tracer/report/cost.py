"""What tracing cost the target's CPU: measured beside runs without probes, else estimated from what one event costs.

What can be compared depends on what the receiver does meanwhile. One that sleeps uses CPU for its messages alone: CPU a
message. One that asks again and again uses all the CPU that it gets, however long it waits, so that CPU a message says
nothing; CPU a call does. One that computes makes few calls and uses all that it gets too: there the events times the
measured cost of one are set against its CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from tracer.analysis.counts.events_in_window import EventsInWindow
from tracer.analysis.steps.step import ReportPart, Results
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.report.contract import EstimatedCost, Facts, MeasuredCost

Notes = dict[str, Any]
Unit = Literal["message", "call", "event"]
_POLLS = 10  # calls a message: from here on a receiver that spins asks again and again


class Cost(ReportPart):
    """The report's `cost`."""

    NEEDS = (ThreadStates, EventsInWindow)

    def finish(self, results: Results) -> dict[str, Any]:
        facts, threads = results.recording.facts, results[ThreadStates]
        return {"cost": cost(facts, threads, results[EventsInWindow])}


def cost(
    facts: Facts, threads: list[ThreadTimes], events: int
) -> MeasuredCost | EstimatedCost | None:
    """The cost; None where there is nothing to compare. threads: times, and events: number of records, inside the
    window."""
    traced = facts.get("notes") or {}
    without = [notes for notes in untraced_notes(facts) if notes.get("messages")]
    if traced.get("messages") and without:
        unit = _unit(traced, threads)
        if unit != "event":
            return _measured(traced, without, unit)
    return _estimated(facts, sum(map(_cpu_ns, threads)), events)


def untraced_notes(facts: Facts) -> list[Notes]:
    """The receiver's notes of each run without probes."""
    return [run.get("notes") or {} for run in untraced_runs(facts)]


def untraced_runs(facts: Facts) -> list[dict[str, Any]]:
    """Each run without probes as {notes, sender}. An older recording holds the receiver's notes of one run,
    which began before its sender was up: their CPU is that of another interval, and is left out."""
    runs = facts.get("untraced")
    return [run for run in runs if run] if isinstance(runs, list) else []


def _unit(traced: Notes, threads: list[ThreadTimes]) -> Unit:
    """What the receiver's CPU time is to be divided by."""
    if _calls(traced) >= _POLLS * traced["messages"]:
        return "call"
    receiver = [thread for thread in threads if thread.tid == traced.get("tid")] or threads
    wanted_ns = sum(_cpu_ns(thread) + thread.runnable_ns for thread in receiver)
    slept_ns = sum(thread.blocked_ns for thread in receiver)
    return "message" if slept_ns >= wanted_ns else "event"


def _cpu_ns(thread: ThreadTimes) -> int:
    return thread.kernel_ns + thread.user_ns


def _calls(notes: Notes) -> int:
    return sum((notes.get("calls") or {}).values())


def _measured(traced: Notes, without: Sequence[Notes], unit: Unit) -> MeasuredCost:
    """CPU time a message or a call, with and without probes; of several runs without them the median."""

    def per(notes: Notes, what: Unit = unit) -> float:
        return float(notes["cpu_ns"] / (_calls(notes) if what == "call" else notes["messages"]))

    runs = sorted(without, key=per)
    median = runs[(len(runs) - 1) // 2]
    before, after = per(median), per(traced)
    return {
        "per": "call" if unit == "call" else "message",
        "untraced_cpu_ns": round(before),
        "traced_cpu_ns": round(after),
        "ratio": round(after / before, 3) if before else None,
        "untraced_runs": len(runs),
        "untraced_spread_ns": [round(per(runs[0])), round(per(runs[-1]))],
        "untraced_cpu_ns_per_op": round(per(median, "message")),
        "traced_cpu_ns_per_op": round(per(traced, "message")),
    }


def _estimated(facts: Facts, cpu_ns: int, events: int) -> EstimatedCost | None:
    """What an event cost when tracing began, times the events; beside it the threads' CPU time."""
    event_ns = facts.get("event_cost_ns")
    if event_ns is None:
        return None
    return {
        "per": "event",
        "untraced_cpu_ns_per_op": None,
        "traced_cpu_ns_per_op": None,
        "ratio": None,
        "estimate": True,
        "event_ns": round(event_ns, 1),
        "events": events,
        "total_ns": round(events * event_ns),
        "cpu_ns": cpu_ns,
    }
