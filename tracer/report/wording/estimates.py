"""Why a boundary was estimated, in words."""

from __future__ import annotations

from tracer.analysis.operations.estimates import Cause, Estimate

_WHY = {
    ("ask", Cause.HELD): "held after the end of the one before",
    ("ask", Cause.INFERRED): "when the thread that was told entered its wait",
    ("ask", Cause.NO_CALL): "no call shows it (the end of the one before)",
    ("ready", Cause.THERE_BEFORE): "the data was there before it was asked for",
    ("ready", Cause.SEEN_LATE): "the event came after the reader had the data",
    ("ready", Cause.NOT_SEEN): "no sk_data_ready (the waking, signal or call)",
    ("ready", Cause.OF_PIPE): "a pipe has no such event (the waking or call)",
    ("ready", Cause.OF_FILE): "a file is always ready (the request)",
    ("told", Cause.HELD): "held between readiness and the copy's start",
    ("told", Cause.INFERRED): "another thread was: by who woke whom",
    ("copy_start", Cause.NOT_SEEN): "a small datagram shows none (the call's entry)",
    ("copy_start", Cause.OF_PIPE): "a pipe shows none (the call's entry)",
    ("copy_start", Cause.OF_FILE): "a file shows none (the request)",
    ("copy_end", Cause.BY_DEVICE): "a device copies unseen (who waited, woken)",
    ("done", Cause.IN_MEMORY): "read from memory without a call (copy end)",
    ("done", Cause.NO_CALL): "nothing told of it (copy end)",
}
"""In brackets: what stands for the boundary."""


def why(estimate: Estimate) -> str:
    """The cause, and what stands for the boundary."""
    return _WHY[estimate.boundary, estimate.cause]
