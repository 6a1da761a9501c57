"""How many records the target caused inside the window."""

from __future__ import annotations

from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.steps.window import Window
from tracer.recording.batch import RecordBatch


class EventsInWindow(Step[None, int]):
    """Counts the records whose time lies inside the window."""

    NEEDS = ()

    def __init__(self) -> None:
        self._count = 0

    def feed(self, batch: RecordBatch, state: State) -> None:
        whole = state.window == Window()
        self._count += len(batch) if whole else int(state.window.holds(batch.time).sum())

    def finish(self, results: Results) -> int:
        return self._count
