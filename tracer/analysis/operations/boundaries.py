"""The six times of an operation (docs/model.md), in order: each held between its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.analysis.operations.readiness import UNKNOWN
from tracer.terms import BOUNDARIES, MOVABLE

if TYPE_CHECKING:
    from tracer.analysis.operations.receives import Operations


def monotone(
    its: Operations, ready: np.ndarray, late: np.ndarray, by_completion: np.ndarray
) -> None:
    """Holds the boundaries between their neighbours, in place; what is moved is kept as seen in raw_*, and listed.

    ready, late: int64[n] ns as readiness.Match has them. by_completion: bool[n], whether a completion shows the copy.
    """
    seen = ready != UNKNOWN
    its.raw_ask, its.raw_told, its.raw_copy_start = its.ask, its.told, its.copy_start
    its.raw_ready = np.where(seen, ready, its.ready)
    # where a completion shows only the end of the copy, it cannot have begun before there was something to copy
    late_start = by_completion & (its.estimated >> BOUNDARIES.index("copy_start") & 1 > 0)
    its.raw_copy_start = np.where(
        late_start, np.maximum(its.raw_copy_start, its.raw_ready), its.raw_copy_start
    )
    its.copy_start = its.raw_copy_start
    its.raw_told = np.where(late_start, np.maximum(its.raw_told, its.raw_ready), its.raw_told)
    its.ask = np.minimum(its.raw_ask, its.copy_end)
    its.copy_start = np.minimum(np.maximum(its.raw_copy_start, its.ask), its.copy_end)
    its.ready = np.minimum(np.maximum(its.raw_ready, its.ask), its.copy_start)
    its.told = np.minimum(np.maximum(its.raw_told, its.ready), its.copy_start)
    its.queued = np.maximum(0, its.raw_ask - its.raw_ready)
    its.estimated |= (~seen).astype(np.uint8) << BOUNDARIES.index("ready")
    for name in MOVABLE:
        moved = getattr(its, name) != getattr(its, f"raw_{name}")
        its.estimated |= moved.astype(np.uint8) << BOUNDARIES.index(name)
    its.raw_ready = np.where(late != UNKNOWN, late, its.raw_ready)
