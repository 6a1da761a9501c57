"""What the asking thread did while its data had not come: slept, asked again and again, or was free for other work."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import POLLED, Operations
from tracer.analysis.step import ReportPart, Results, State
from tracer.analysis.tables.appender import Appender
from tracer.analysis.tables.intervals import Intervals
from tracer.analysis.threads.timeline import OffCpu, TimelineStep, no_off_cpu
from tracer.recording.batch import RecordBatch, rows_by
from tracer.terms import MEANWHILE

_AT_ONCE = 1 << 17  # operations


class DuringWait(ReportPart):
    """The report's `waiting` (ns, and operations by MEANWHILE)."""

    NEEDS = (TimelineStep, OperationsInWindow)

    def __init__(self) -> None:
        self._absences = Appender(no_off_cpu())

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._absences.add(state[TimelineStep].absences)

    def finish(self, results: Results) -> dict[str, Any]:
        self._absences.add(results[TimelineStep].absences)
        return {"waiting": waiting(results[OperationsInWindow], self._absences.whole())}


def waiting(operations: Operations, absences: OffCpu) -> dict[str, Any]:
    """absences: all threads' times off the CPU, in the order in which they ended."""
    slept, away = {}, {}
    asking = np.unique(operations.tid)
    absences = absences.where(np.isin(absences.tid, asking))
    of_thread, none = rows_by(absences.tid), np.empty(0, np.int64)
    for tid in asking.tolist():
        mine = absences.take(of_thread.get(tid, none))
        slept[tid] = Intervals(mine.out, mine.blocked_until)
        away[tid] = Intervals(mine.out, mine.back)
    total = dict.fromkeys(("total_ns", "asleep_ns", "runnable_ns", "cpu_ns", "free_ns"), 0)
    counts = dict.fromkeys(MEANWHILE, 0)
    for first in range(0, len(operations), _AT_ONCE):
        _count(operations.take(slice(first, first + _AT_ONCE)), slept, away, total, counts)
    return total | {"operations": counts}


def _count(
    operations: Operations,
    slept: dict[int, Intervals],
    away: dict[int, Intervals],
    total: dict[str, int],
    counts: dict[str, int],
) -> None:
    """Adds what some operations' threads did; slept, away: each thread's."""
    asleep, gone = np.zeros((2, len(operations)), np.int64)
    for tid, mine in rows_by(operations.tid).items():
        wait = operations.ask[mine], operations.ready[mine]
        asleep[mine], gone[mine] = slept[tid].within(*wait), away[tid].within(*wait)
    took = operations.ready - operations.ask
    on_cpu, waited = took - gone, took > 0
    sleeps = asleep * 2 >= took
    asks = ~sleeps & (operations.wait_kind == POLLED)
    kinds = {"asleep": sleeps & waited, "asking": asks & waited, "free": ~sleeps & ~asks & waited}
    for name, ns in (
        ("total_ns", took),
        ("asleep_ns", asleep),
        ("runnable_ns", gone - asleep),
        ("cpu_ns", on_cpu),
        ("free_ns", on_cpu[kinds["free"]]),
    ):
        total[name] += int(ns.sum())
    for name in MEANWHILE:
        counts[name] += int(kinds[name].sum())
