"""What the asking thread did while its data had not come: slept, asked again and again, or was free for other work."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.operations.in_window import InsideWaits, OperationsInWindow
from tracer.analysis.operations.table import POLLED, Operations
from tracer.analysis.operations.waits_inside import WaitsInside
from tracer.analysis.steps.step import ReportPart, Results
from tracer.analysis.threads.absences import Absences, OffCpuTimes
from tracer.terms import MEANWHILE

_AT_ONCE = 1 << 17  # operations


class DuringWait(ReportPart):
    """The report's `waiting` (ns, and operations by MEANWHILE)."""

    NEEDS = (Absences, OperationsInWindow, InsideWaits)

    def finish(self, results: Results) -> dict[str, Any]:
        operations, inside = results[OperationsInWindow], results[InsideWaits]
        return {"waiting": waiting(operations, inside, results[Absences])}


def waiting(operations: Operations, inside: WaitsInside, off_cpu: OffCpuTimes) -> dict[str, Any]:
    """The report's `waiting` (ns, and operations by MEANWHILE)."""
    asleep_inside = _asleep_inside(operations, inside, off_cpu)
    total = dict.fromkeys(("total_ns", "asleep_ns", "runnable_ns", "cpu_ns", "free_ns"), 0)
    counts = dict.fromkeys(MEANWHILE, 0)
    for first in range(0, len(operations), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        _count(operations.take(some), asleep_inside[some], off_cpu, total, counts)
    return total | {"operations": counts}


def _asleep_inside(operations: Operations, inside: WaitsInside, off_cpu: OffCpuTimes) -> np.ndarray:
    """How long each operation's thread was blocked after its first bytes (int64[n], ns)."""
    blocked = np.zeros(len(operations), np.int64)
    row = inside.rows_in(operations)
    inside, row = inside.take(row >= 0), row[row >= 0]
    tids = np.where(operations.receiver_tid > 0, operations.receiver_tid, operations.tid)
    np.add.at(blocked, row, off_cpu.within(tids[row], inside.begin, inside.end)[0])
    return blocked


def _count(
    operations: Operations,
    asleep_inside: np.ndarray,
    off_cpu: OffCpuTimes,
    total: dict[str, int],
    counts: dict[str, int],
) -> None:
    """Adds to `total` and `counts` what the threads of some operations did meanwhile."""
    asleep_ns, away_ns = off_cpu.within(operations.tid, operations.ask, operations.ready)
    asleep_ns, away_ns = asleep_ns + asleep_inside, away_ns + operations.inside
    took = operations.ready - operations.ask + operations.inside
    waited, sleeps = took > 0, asleep_ns * 2 >= took
    asks = ~sleeps & (operations.wait_kind == POLLED)
    free = ~sleeps & ~asks & waited
    on_cpu = took - away_ns
    total["total_ns"] += int(took.sum())
    total["asleep_ns"] += int(asleep_ns.sum())
    total["runnable_ns"] += int((away_ns - asleep_ns).sum())
    total["cpu_ns"] += int(on_cpu.sum())
    total["free_ns"] += int(on_cpu[free].sum())
    for name, which in zip(MEANWHILE, (sleeps & waited, asks & waited, free), strict=True):
        counts[name] += int(which.sum())
