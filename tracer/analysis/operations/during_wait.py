"""What the asking thread did while its data had not come: slept, asked again and again, or was free for other work."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.operations.in_window import InsideWaits, OperationsInWindow
from tracer.analysis.operations.table import POLLED, Operations
from tracer.analysis.operations.waits_inside import WaitsInside
from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.tables.appender import Appender
from tracer.analysis.tables.intervals import Intervals
from tracer.analysis.threads.timeline import OffCpu, TimelineStep, no_off_cpu
from tracer.recording.batch import RecordBatch, rows_by
from tracer.terms import MEANWHILE

_AT_ONCE = 1 << 17  # operations


class DuringWait(ReportPart):
    """The report's `waiting` (ns, and operations by MEANWHILE)."""

    NEEDS = (TimelineStep, OperationsInWindow, InsideWaits)

    def __init__(self) -> None:
        self._absences = Appender(no_off_cpu())

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._absences.add(state[TimelineStep].absences)

    def finish(self, results: Results) -> dict[str, Any]:
        self._absences.add(results[TimelineStep].absences)
        operations, inside = results[OperationsInWindow], results[InsideWaits]
        return {"waiting": waiting(operations, inside, self._absences.whole())}


def waiting(operations: Operations, inside: WaitsInside, absences: OffCpu) -> dict[str, Any]:
    """The report's `waiting` (ns, and operations by MEANWHILE). absences: all threads' times off the CPU, in the order
    in which they ended."""
    asleep, away = _by_thread(absences, np.unique(operations.tid))
    asleep_inside = _asleep_inside(operations, inside, asleep)
    total = dict.fromkeys(("total_ns", "asleep_ns", "runnable_ns", "cpu_ns", "free_ns"), 0)
    counts = dict.fromkeys(MEANWHILE, 0)
    for first in range(0, len(operations), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        _count(operations.take(some), asleep_inside[some], asleep, away, total, counts)
    return total | {"operations": counts}


def _by_thread(
    absences: OffCpu, tids: np.ndarray
) -> tuple[dict[int, Intervals], dict[int, Intervals]]:
    """(when each of these threads was asleep, when it was off the CPU), by thread."""
    absences = absences.where(np.isin(absences.tid, tids))
    rows, none = rows_by(absences.tid), np.empty(0, np.int64)
    asleep, away = {}, {}
    for tid in tids.tolist():
        mine = absences.take(rows.get(tid, none))
        asleep[tid] = Intervals(mine.out, mine.blocked_until)
        away[tid] = Intervals(mine.out, mine.back)
    return asleep, away


def _asleep_inside(
    operations: Operations, inside: WaitsInside, asleep: dict[int, Intervals]
) -> np.ndarray:
    """How long each operation's thread was blocked after its first bytes (int64[n], ns)."""
    blocked = np.zeros(len(operations), np.int64)
    row = inside.rows_in(operations)
    inside, row = inside.take(row >= 0), row[row >= 0]
    for tid, mine in rows_by(operations.tid[row]).items():
        slept = asleep[tid].within(inside.begin[mine], inside.end[mine])
        np.add.at(blocked, row[mine], slept)
    return blocked


def _count(
    operations: Operations,
    asleep_inside: np.ndarray,
    asleep: dict[int, Intervals],
    away: dict[int, Intervals],
    total: dict[str, int],
    counts: dict[str, int],
) -> None:
    """Adds to `total` and `counts` what the threads of some operations did meanwhile."""
    asleep_ns, away_ns = np.zeros((2, len(operations)), np.int64)
    for tid, mine in rows_by(operations.tid).items():
        wait = operations.ask[mine], operations.ready[mine]
        asleep_ns[mine], away_ns[mine] = asleep[tid].within(*wait), away[tid].within(*wait)
    took = operations.ready - operations.ask + operations.inside
    asleep_ns, away_ns = asleep_ns + asleep_inside, away_ns + operations.inside
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
