"""What numbers of runs say: whether two sets of runs differ (permutation.py), and by how much (shift.py)."""

from __future__ import annotations

from tracer.statistics.permutation import (
    ALPHA,
    FEWEST,
    Floats,
    detectable,
    fewest_runs,
    holm,
    least_p,
    step_down,
)
from tracer.statistics.shift import Shift, grid, shift

__all__ = [
    "ALPHA",
    "FEWEST",
    "Floats",
    "Shift",
    "detectable",
    "fewest_runs",
    "grid",
    "holm",
    "least_p",
    "shift",
    "step_down",
]
