"""What the asking thread did while its data had not come: slept, asked again and again, or was free for other work."""

from __future__ import annotations

import numpy as np

from tracer.analysis.operations.receives import POLLED, Operations
from tracer.analysis.tables.appender import Appender
from tracer.analysis.threads.timeline import OffCpu, no_off_cpu
from tracer.recording.batch import rows_by
from tracer.terms import MEANWHILE

_AT_ONCE = 1 << 17  # operations


class DuringWait:
    """Feed absences in the order in which they ended."""

    def __init__(self) -> None:
        self._absences = Appender(no_off_cpu())

    def feed(self, absences: OffCpu) -> None:
        """Those that ended in a batch (Part.absences)."""
        self._absences.add(absences)

    def finish(self, operations: Operations, unended: OffCpu) -> dict:
        """The report's `waiting` (ns, and operations by MEANWHILE); unended: Timeline.finish's."""
        self._absences.add(unended)
        absences = self._absences.whole()
        slept, away = {}, {}
        asking = np.unique(operations.tid)
        absences = absences.where(np.isin(absences.tid, asking))
        of_thread, none = rows_by(absences.tid), np.empty(0, np.int64)
        for tid in asking.tolist():
            its = absences.take(of_thread.get(tid, none))
            until = np.where(its.could_run, its.out, np.minimum(its.woken, its.back))
            slept[tid], away[tid] = _Intervals(its.out, until), _Intervals(its.out, its.back)
        total = dict.fromkeys(("total_ns", "asleep_ns", "runnable_ns", "cpu_ns", "free_ns"), 0)
        counts = dict.fromkeys(MEANWHILE, 0)
        for first in range(0, len(operations), _AT_ONCE):
            _count(operations.take(slice(first, first + _AT_ONCE)), slept, away, total, counts)
        return total | {"operations": counts}


def _count(
    operations: Operations,
    slept: dict[int, _Intervals],
    away: dict[int, _Intervals],
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


class _Intervals:
    """Times from `begins` to `ends` (ns), ordered and apart."""

    def __init__(self, begins: np.ndarray, ends: np.ndarray) -> None:
        self._begins, self._ends = begins, ends
        self._before = np.append(0, np.cumsum(ends - begins))

    def within(self, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """How much of each [since, until) lies in them; ns."""
        return (
            self._up_to(until) - self._up_to(since)
            if len(self._begins)
            else np.zeros(len(since), np.int64)
        )

    def _up_to(self, times: np.ndarray) -> np.ndarray:
        place = np.searchsorted(self._begins, times, "right")
        last = np.maximum(place - 1, 0)
        return self._before[last] + np.where(
            place > 0, np.minimum(times, self._ends[last]) - self._begins[last], 0
        )
