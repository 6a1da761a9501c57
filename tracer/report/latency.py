"""How long messages took from the sender to the receiver, traced and untraced, by the two programs' own clocks; and how
far from those clocks the trace's own boundaries lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results
from tracer.analysis.tables.distribution import distribution
from tracer.report.contract_latency import Accuracy, Distances
from tracer.report.cost import untraced_runs
from tracer.terms import BOUNDARIES

_READY = 1 << BOUNDARIES.index("ready")


class Latency(ReportPart):
    """The report's `latency`."""

    NEEDS = (OperationsInWindow,)

    def finish(self, results: Results) -> dict[str, Any]:
        facts = results.recording.facts
        told = latency(facts)
        if told:
            told["accuracy"] = accuracy(facts, results[OperationsInWindow])
        return {"latency": told}


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


def accuracy(facts: dict[str, Any], operations: Operations) -> Accuracy | None:
    """The distances of `done` from the receiver's stamps and of `ready` from the sender's, message by message.

    None where operations and receives are not the same in number, or are several threads': which is whose is not known
    then. Of `ready` those alone that are neither estimated nor moved.
    """
    received, sent = _stamps(facts, "notes"), _stamps(facts, "sender")
    if not len(received) or len(received) != len(operations) or len(np.unique(operations.tid)) > 1:
        return None
    order = np.argsort(operations.done, kind="stable")
    ready, seen = operations.ready[order], operations.estimated[order] & _READY == 0
    return {
        "done_to_user": _distances(received - operations.done[order]),
        "send_to_ready": _distances((ready - sent)[seen]) if len(sent) == len(ready) else None,
    }


def _distances(ns: np.ndarray) -> Distances | None:
    if not len(ns):
        return None
    whole = distribution(ns)
    return {
        "count": whole["count"],
        "min_ns": whole["min_ns"],
        "p50_ns": whole["p50_ns"],
        "p90_ns": whole["p90_ns"],
        "p99_ns": whole["p99_ns"],
        "max_ns": whole["max_ns"],
    }


def sent_to_received(run: dict[str, Any]) -> np.ndarray:
    """int64[n] ns, one for each message, of a run's {notes, sender}; empty where a receive is not one message: some
    were dropped, or a stream has joined them."""
    sent, received = _stamps(run, "sender"), _stamps(run, "notes")
    if len(sent) != len(received):
        return np.empty(0, np.int64)
    taken: np.ndarray = received - sent
    return taken if (taken >= 0).all() else np.empty(0, np.int64)


def _stamps(run: dict[str, Any], side: str) -> np.ndarray:
    """int64[n] ns of CLOCK_MONOTONIC: the `sender`'s just before each send, the receiver's (`notes`) just after each
    receive."""
    key = "send_begin_ns" if side == "sender" else "receive_ns"
    return np.asarray((run.get(side) or {}).get(key) or [], np.int64)


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *parts])
