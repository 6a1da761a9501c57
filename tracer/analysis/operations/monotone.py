"""The six times of an operation in order: each is held between its neighbours, and what is moved is kept as seen."""

from __future__ import annotations

import numpy as np

from tracer.analysis.operations.readiness import Match
from tracer.analysis.operations.table import IO_URING, UNKNOWN, Operations, bit
from tracer.terms import BOUNDARIES, MOVABLE


def hold_in_order(operations: Operations, match: Match) -> None:
    """Brings the boundaries into order, in place; moved ones are listed in `estimated`, as is an unseen `ready`."""
    seen = match.ready != UNKNOWN
    operations.raw_ask = operations.ask
    operations.raw_ready = np.where(seen, match.ready, operations.ready)
    operations.raw_told = operations.told
    operations.raw_copy_start = operations.copy_start
    _copy_after_ready(operations)
    _clamp(operations)
    operations.queued = np.maximum(0, operations.raw_ask - operations.raw_ready)
    operations.estimated |= bit("ready", ~seen)
    for name in MOVABLE:
        moved = getattr(operations, name) != getattr(operations, f"raw_{name}")
        operations.estimated |= bit(name, moved)
    operations.raw_ready = np.where(match.late != UNKNOWN, match.late, operations.raw_ready)


def _copy_after_ready(operations: Operations) -> None:
    """Where only io_uring's completion shows the copy, that cannot have begun before there was something to copy."""
    unseen = operations.estimated >> BOUNDARIES.index("copy_start") & 1 > 0
    only_end = (operations.wait_kind == IO_URING) & unseen
    for name in ("raw_copy_start", "raw_told"):
        raw = getattr(operations, name)
        setattr(operations, name, np.where(only_end, np.maximum(raw, operations.raw_ready), raw))


def _clamp(operations: Operations) -> None:
    """ask ≤ ready ≤ told ≤ copy_start ≤ copy_end: copy_end stands, ask and copy_start give way to it alone."""
    end = operations.copy_end
    operations.ask = np.minimum(operations.raw_ask, end)
    operations.copy_start = np.clip(operations.raw_copy_start, operations.ask, end)
    operations.ready = np.clip(operations.raw_ready, operations.ask, operations.copy_start)
    operations.told = np.clip(operations.raw_told, operations.ready, operations.copy_start)
