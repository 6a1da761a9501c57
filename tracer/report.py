"""A recording → the report: the dict that --json prints and every renderer reads (docs/json.md)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from tracer import models, stats, syscalls
from tracer.example import figure
from tracer.operations import PHASES, Analysis, Operation
from tracer.records import LIBRARY_NAMES
from tracer.states import ThreadStates, ThreadTimes
from tracer.tallies import Tallies

SCHEMA = 1


def build(batches: Iterable[np.ndarray], facts: dict) -> dict:
    """batches of RECORD[n] in time order; facts: the recording's metadata."""
    base = facts["base_ns"]
    notes = facts.get("notes") or {}
    window = tuple(notes.get("window_ns") or facts.get("window_ns") or ()) or None
    analysis, states, tallies = Analysis(), ThreadStates(window), Tallies(window)
    for batch in batches:
        for part in (analysis, states, tallies):
            part.feed(batch)
    operations = analysis.finish()
    if window:
        operations = [op for op in operations if window[0] <= op.done <= window[1] + 1_000_000]
    verdict = models.judge(operations, analysis.registrations)
    calls, signals = tallies.calls() + _library_calls(analysis, window), tallies.signals()
    shown = {
        "schema": SCHEMA,
        "scenario": facts.get("scenario"),
        "host": facts["host"],
        "options": facts["options"],
        "expected": _expected(notes, facts, calls, signals, operations),
        "base_ns": base,
        "window_ns": [t - base for t in window] if window else None,
        "ended": facts["ended"],
        "target": facts["target"],
        "features": facts["features"],
        "operations": [_operation(i, op, base) for i, op in enumerate(operations)],
        "phases": _phases(operations),
        "threads": _threads(states.finish(), base),
        "syscalls": calls,
        "signals": signals,
        "model": {"name": verdict.name, "synchronous": verdict.synchronous, "confidence": verdict.confidence,
                  "evidence": verdict.evidence, **({"shares": verdict.shares} if verdict.shares else {})},
        "ledger": facts["ledger"],
        "cost": _cost(notes, facts.get("untraced")),
        "figure": figure(operations, models.models_of(operations, analysis.registrations), analysis, base),
    }
    return shown


def _operation(index: int, op: Operation, base: int) -> dict:
    entry = {"index": index, "tid": op.tid, "fd": op.fd, "bytes": op.bytes}
    for name in ("ask", "ready", "told", "copy_start", "copy_end", "done"):
        entry[f"{name}_ns"] = getattr(op, name) - base
    entry["queued_ns"] = op.queued
    entry["estimated"] = op.estimated
    if op.helper:
        entry["helper_tid"] = op.helper
    if op.raw:
        entry["raw"] = {f"{name}_ns": value - base for name, value in op.raw.items()}
    return entry


def _phases(operations: list[Operation]) -> dict:
    times = np.array([op.phases() for op in operations], np.int64).reshape(-1, len(PHASES))
    return {name: stats.distribution(times[:, i]) for i, name in enumerate(PHASES)}


def _threads(times: list[ThreadTimes], base: int) -> list[dict]:
    return [{"tid": t.tid, "tgid": t.tgid, "name": t.name, "start_ns": t.start_ns - base, "end_ns": t.end_ns - base,
             "blocked_ns": t.blocked_ns, "runnable_ns": t.runnable_ns, "kernel_ns": t.kernel_ns, "user_ns": t.user_ns,
             "cpu_ns": t.kernel_ns + t.user_ns} for t in times]


def _library_calls(analysis: Analysis, window: tuple[int, int] | None) -> list[dict]:
    """Calls of the C library's that are no system calls; they have no times."""
    inside = [which for time, _, which in analysis.library_calls if not window or window[0] <= time <= window[1]]
    return [{"name": LIBRARY_NAMES[which], "library": True, "calls": count, "errors": {}, "total_ns": 0, "min_ns": 0,
             "p50_ns": 0, "p90_ns": 0, "p99_ns": 0, "max_ns": 0, "hist": {}}
            for which, count in Counter(inside).items()]


def _expected(notes: dict, facts: dict, calls: list[dict], signals: list[dict],
              operations: list[Operation]) -> dict | None:
    """What the workload says it did, and where the trace says otherwise.

    CPython runs a Python handler once for all the deliveries since it last could: in an open loop the program can
    have counted fewer signals than were delivered, never more.
    """
    if not notes:
        return None
    sender, base = facts.get("sender") or {}, facts["base_ns"]
    merging = facts["options"]["open_loop"]
    traced: Counter[str] = Counter()
    errors: dict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        traced[syscalls.class_of(call["name"])] += call["calls"]
        errors[syscalls.class_of(call["name"])].update(call["errors"])
    delivered = {signal["name"]: signal["delivered"] for signal in signals}
    pairs = {
        "calls": [(name, count, traced[name]) for name, count in notes["calls"].items()],
        "errors": [(f"{name} {error}", count, errors[name][error]) for name, kinds in notes["errors"].items()
                   for error, count in kinds.items()],
        "signals": [(name, count, seen) for name, count in notes["signals"].items()
                    if (seen := delivered.get(name, 0)) < count or not merging],
        "bytes": [("bytes", notes["bytes"], sum(op.bytes for op in operations))],
    }
    differences = [f"{what}: the program says {said}, the trace {seen}"
                   for group in pairs.values() for what, said, seen in group if said != seen]
    return {
        "messages": notes["messages"], "bytes": notes["bytes"], "dropped": notes["dropped"],
        "calls": notes["calls"], "errors": notes["errors"], "signals": notes["signals"],
        "send_begin_ns": [t - base for t in sender.get("send_begin_ns", [])],
        "receive_ns": [t - base for t in notes["receive_ns"]],
        "sent": sender.get("sent"), "differences": differences, 
        "match": {group: all(said == seen for _, said, seen in its) for group, its in pairs.items()},
    }


def _cost(notes: dict, untraced: dict | None) -> dict | None:
    if not notes.get("messages") or not untraced or not untraced.get("messages"):
        return None
    without, with_probes = (round(n["cpu_ns"] / n["messages"]) for n in (untraced, notes))
    return {"untraced_cpu_ns_per_op": without, "traced_cpu_ns_per_op": with_probes,
            "ratio": round(with_probes / without, 3) if without else None}
