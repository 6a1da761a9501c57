"""The operations that a report is about: those whose data came inside its window."""

from __future__ import annotations

from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.analysis import Analysis
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.timeline import TimelineStep
from tracer.analysis.threads.watched_sets import WatchedSetsStep
from tracer.recording.batch import RecordBatch


class OperationsInWindow(Step[None, Operations]):
    """All operations of a recording, and of these the ones in the window."""

    NEEDS = (TimelineStep, Identity, WatchedSetsStep)

    def __init__(self) -> None:
        self._analysis: Analysis | None = None

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._analysis = self._analysis or Analysis(state[Identity].descriptors)
        self._analysis.feed(batch, state[TimelineStep], state[WatchedSetsStep])
        if len(batch):  # no later step asks about a time before the batch
            state[Identity].forget_before(int(batch.time[0]))

    def finish(self, results: Results) -> Operations:
        operations = (self._analysis or Analysis(results[Identity].descriptors)).finish()
        window = results.recording.window
        if window == Window():
            return operations
        # As calls are counted that ended inside (counts/syscall_stats.py). `done` may be later: a signal's delivery.
        return operations.where(window.holds(operations.copy_end))
