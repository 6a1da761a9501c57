"""The operations that a report is about: those whose data came inside its window."""

from __future__ import annotations

from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.analysis import Analysis
from tracer.analysis.operations.table import Operations
from tracer.analysis.operations.waits_inside import WaitsInside, no_waits
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.timeline import TimelineStep
from tracer.analysis.threads.watched_sets import WatchedSetsStep
from tracer.recording.batch import RecordBatch


class OperationsInWindow(Step[Analysis, Operations]):
    """All operations of a recording, and of these the ones in the window. Each batch's part is the analysis itself."""

    NEEDS = (TimelineStep, Identity, WatchedSetsStep)

    def __init__(self) -> None:
        self._analysis: Analysis | None = None

    def feed(self, batch: RecordBatch, state: State) -> Analysis:
        self._analysis = self._analysis or Analysis(state[Identity].descriptors)
        self._analysis.feed(batch, state[TimelineStep], state[WatchedSetsStep])
        if len(batch):  # no later step asks about a time before the batch
            state[Identity].forget_before(int(batch.time[0]))
        return self._analysis

    def finish(self, results: Results) -> Operations:
        operations = (self._analysis or Analysis(results[Identity].descriptors)).finish()
        window = results.recording.window
        if window == Window():
            return operations
        # As calls are counted that ended inside (counts/syscall_stats.py). `done` may be later: a signal's delivery.
        return operations.where(window.holds(operations.copy_end))


class InsideWaits(Step[None, WaitsInside]):
    """The sleeps of all operations after their first bytes."""

    NEEDS = (OperationsInWindow,)

    def __init__(self) -> None:
        self._analysis: Analysis | None = None

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._analysis = state[OperationsInWindow]

    def finish(self, results: Results) -> WaitsInside:
        return self._analysis.waits_inside if self._analysis else no_waits()
