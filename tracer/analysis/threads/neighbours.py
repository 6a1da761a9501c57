"""Names of threads that had a traced thread's CPU before it, or got it after it (KIND_NEIGHBOUR), as of a time."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

from tracer import text
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Neighbours, each
from tracer.recording.records import bytes_of

_time = itemgetter(0)


class NeighbourNames(Step[None, "NeighbourNames"]):
    """A step whose result is the step itself."""

    NEEDS = (ThreadStates,)

    def __init__(self) -> None:
        self._told: dict[int, list[tuple[int, str]]] = {}  # thread → since when (ns), name
        self._traced: dict[int, str] = {}

    def feed(self, batch: RecordBatch, state: State) -> None:
        told = Neighbours.of(batch)
        for _, _, (time, tid, low, high) in each((told, ("time", "other", "low", "high"))):
            self._told.setdefault(tid, []).append((time, text.shown(bytes_of(low, high))))

    def finish(self, results: Results) -> NeighbourNames:
        self._traced = {thread.tid: thread.name for thread in results[ThreadStates]}
        return self

    def name(self, tid: int, time: int) -> str | None:
        """The name of a thread at a time (ns), None where it was never told."""
        told = self._told.get(tid)
        if not told:
            return self._traced.get(tid) or None
        return told[max(0, bisect_right(told, time, key=_time) - 1)][1]
