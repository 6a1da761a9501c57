"""A recording → the report: the dict that --json prints and every output reads (docs/json.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

import tracer.analysis
import tracer.report
from tracer.analysis import passes
from tracer.analysis.counts.self_wakeups import SelfWoken
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import InsideWaits, OperationsInWindow
from tracer.analysis.steps.step import Recording, Results
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.neighbours import NeighbourNames
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.analysis.threads.timeline import TimelineStep
from tracer.analysis.verdict.context import Models
from tracer.recording.batch import Read
from tracer.report import oracle
from tracer.report.contract import Facts, Report
from tracer.report.figure_setup import prelude
from tracer.report.figure_steps import figure
from tracer.report.sender import sends

SCHEMA = 1
KEYS = tuple(Report.__annotations__)
"""In the order in which they are printed; those of analyses that the contract does not name come after them."""


def build(read: Read, facts: Facts, asked: Mapping[str, int] | None = None) -> Report:
    """The report.

    read: gives the recording's records from a time to a time (ns, None: no limit), in time order and in batches;
    facts: the recording's metadata; asked: the keys that are made on request (docs/json.md), each with how many.
    """
    asked = asked or {}
    notes = facts.get("notes") or {}
    window = Window.of(notes.get("window_ns") or facts.get("window_ns"))
    known = [*passes.registered(tracer.analysis), *passes.registered(tracer.report)]
    steps = [step for step in known if not step.ON_REQUEST or step.ON_REQUEST in asked]
    results = passes.run(Recording(read, facts, window, asked), steps)
    report = _facts(results.recording) | passes.parts(results, steps)
    report |= _of_the_whole(results, report)
    keys = [*(key for key in KEYS if key in report), *(key for key in report if key not in KEYS)]
    return cast(Report, results[Identity].shown({key: report[key] for key in keys}))


def _facts(recording: Recording) -> dict[str, Any]:
    """The parts of the report that are the recording's facts."""
    facts, base = recording.facts, recording.base_ns
    whole = recording.window == Window()
    redacted = {"redacted": True} if facts.get("redacted") else {}
    return {
        "schema": SCHEMA,
        "scenario": facts.get("scenario"),
        "options": facts["options"],
        "base_ns": base,
        "window_ns": None if whole else [time - base for time in recording.window],
        "ended": facts["ended"],
        "failure": facts.get("failure"),
        "target": facts["target"],
        "features": facts["features"],
        **redacted,
    }


def _of_the_whole(results: Results, report: dict[str, Any]) -> dict[str, Any]:
    """The parts of the report that need other parts. report: the parts so far."""
    facts, received = results.recording.facts, results[OperationsInWindow]
    unseen = results[TimelineStep].unseen_switches
    drawn = None
    if report["model"]["name"] != "none":
        recording = results.recording
        name = results[NeighbourNames].name
        outside = np.flatnonzero(~results[SelfWoken].operations)
        drawn = figure(
            received,
            results[Models],
            results[InsideWaits],
            recording.read,
            recording.base_ns,
            outside,
            name,
            sends(facts),
        )
        if drawn and (before := prelude(drawn, received, recording.read, recording.base_ns)):
            drawn["prelude"] = before
    received_bytes = int(received.bytes[received.bytes > 0].sum())
    return {
        "expected": oracle.expected(facts, report["syscalls"], report["signals"], received_bytes),
        "ledger": _ledger(facts)
        | {
            "unseen_switches": unseen,
            "contradictory_threads": sum(thread.excess_ns > 0 for thread in results[ThreadStates]),
        },
        "figure": drawn,
    }


def _ledger(facts: Facts | dict[str, Any]) -> dict[str, Any]:
    """The recording's ledger. unentered: None where an older iotrace did not count it; rows: how many records the
    recording holds, None where it was not read from a file; missing_rows: how many fewer than its ledger says."""
    book: dict[str, Any] = {"unentered": None, "added": None} | facts["ledger"]
    rows, missing = facts.get("rows"), None
    if rows is not None and facts["ended"] not in ("failed", "cut short"):
        missing = book["delivered"] + book["open"] + (book["added"] or 0) - rows
        if book["added"] is None:  # by an older iotrace: there may be more rows, never fewer
            missing = max(missing, 0)
    checked = bool(facts.get("checked"))
    return book | {"rows": rows, "missing_rows": missing, "checked": checked}
