"""All times off the CPU of a recording: how long a thread slept, or waited for a CPU, in any stretch of time."""

from __future__ import annotations

import numpy as np

from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.appender import Appender
from tracer.analysis.tables.intervals import Intervals
from tracer.analysis.threads.timeline import OffCpu, TimelineStep, no_off_cpu
from tracer.recording.batch import RecordBatch, rows_by

_NONE = np.empty(0, np.int64)


class OffCpuTimes:
    """absences: all threads' times off the CPU, in the order in which they ended."""

    def __init__(self, absences: OffCpu) -> None:
        self._absences = absences
        self._rows: dict[int, np.ndarray] | None = None  # by thread, once somebody has asked
        self._of_thread: dict[int, tuple[Intervals, Intervals, Intervals]] = {}

    def within(
        self, tids: np.ndarray, since: np.ndarray, until: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """How long each thread was asleep, and how long it was off the CPU, between two times of its own (int64[n],
        ns)."""
        asleep_ns, away_ns = np.zeros((2, len(tids)), np.int64)
        for tid, mine in rows_by(tids).items():
            asleep, away, _ = self._intervals(tid)
            asleep_ns[mine] = asleep.within(since[mine], until[mine])
            away_ns[mine] = away.within(since[mine], until[mine])
        return asleep_ns, away_ns

    def stopped_within(self, tids: np.ndarray, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """How long a signal or a tracer (ptrace) had stopped each thread between two times of its own (int64[n], ns):
        part of the time asleep."""
        stopped_ns = np.zeros(len(tids), np.int64)
        for tid, mine in rows_by(tids).items():
            stopped_ns[mine] = self._intervals(tid)[2].within(since[mine], until[mine])
        return stopped_ns

    def _intervals(self, tid: int) -> tuple[Intervals, Intervals, Intervals]:
        """(when a thread was asleep, when it was off the CPU, when it was stopped)."""
        if tid not in self._of_thread:
            if self._rows is None:
                self._rows = rows_by(self._absences.tid)
            mine = self._absences.take(self._rows.get(tid, _NONE))
            stops = mine.where(mine.stopped)
            self._of_thread[tid] = (
                Intervals(mine.out, mine.blocked_until),
                Intervals(mine.out, mine.back),
                Intervals(stops.out, stops.blocked_until),
            )
        return self._of_thread[tid]


class Absences(Step[None, OffCpuTimes]):
    """Collects them."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._absences = Appender(no_off_cpu())

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._absences.add(state[TimelineStep].absences)

    def finish(self, results: Results) -> OffCpuTimes:
        self._absences.add(results[TimelineStep].absences)
        return OffCpuTimes(self._absences.whole())
