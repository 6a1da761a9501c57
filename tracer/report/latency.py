"""How long messages took from the sender to the receiver, traced and untraced, by the two programs' own clocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tracer.analysis.steps.step import ReportPart, Results
from tracer.analysis.tables.distribution import distribution
from tracer.report.cost import untraced_runs


class Latency(ReportPart):
    """The report's `latency`."""

    NEEDS = ()

    def finish(self, results: Results) -> dict[str, Any]:
        return {"latency": latency(results.recording.facts)}


def latency(facts: dict[str, Any]) -> dict[str, Any] | None:
    """{untraced, traced}: distributions of ns from just before a send to just after the receive that brought the
    message; untraced over all runs without probes. None where the programs kept no such times."""
    traced = sent_to_received(facts)
    untraced = _joined(sent_to_received(run) for run in untraced_runs(facts))
    if not len(traced):
        return None
    return {
        "traced": distribution(traced),
        "untraced": distribution(untraced) if len(untraced) else None,
    }


def sent_to_received(run: dict[str, Any]) -> np.ndarray:
    """int64[n] ns, one for each message, of a run's {notes, sender}; empty where a receive is not one message: some
    were dropped, or a stream has joined them."""
    sent, received = (
        np.asarray((run.get(side) or {}).get(key) or [], np.int64)
        for side, key in (("sender", "send_begin_ns"), ("notes", "receive_ns"))
    )
    if len(sent) != len(received):
        return np.empty(0, np.int64)
    taken: np.ndarray = received - sent
    return taken if (taken >= 0).all() else np.empty(0, np.int64)


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *parts])
