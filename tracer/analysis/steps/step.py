"""A step of the one pass over a recording (tracer/analysis/passes.py), and how steps read the results of others.

A new analysis is one file below tracer/analysis with a class that derives from ReportPart:

    class Naps(ReportPart):
        NEEDS = (TimelineStep,)

        def __init__(self) -> None:
            self._count = 0

        def feed(self, batch: RecordBatch, state: State) -> None:
            self._count += len(state[TimelineStep].absences)

        def finish(self, results: Results) -> dict[str, Any]:
            return {"naps": self._count}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, cast

from tracer.analysis.steps.window import Window
from tracer.recording.batch import Read, RecordBatch

Part = TypeVar("Part")
Whole = TypeVar("Whole")


@dataclass(frozen=True)
class Recording:
    """A recording to analyse. read: gives the records from a time to a time, in order and in batches; facts: the
    metadata; window: the time that the report is about; asked: the parts of the report that are made on request, each
    with how many (of what it says)."""

    read: Read
    facts: dict[str, Any]
    window: Window
    asked: Mapping[str, int] = field(default_factory=dict)

    @property
    def base_ns(self) -> int:
        """The time from which the report's times are counted (ns of CLOCK_MONOTONIC)."""
        return int(self.facts["base_ns"])


class Step(ABC, Generic[Part, Whole]):
    """A step: made without arguments, fed every batch, then finished.

    NEEDS: the steps that are fed and finished before this one, since it uses their results: state[Other] is what
    Other.feed returned for this batch, results[Other] what Other.finish returned. ON_REQUEST: what has to be asked for
    that the step be made (Recording.asked); empty: it always is."""

    NEEDS: ClassVar[tuple[type[Step[Any, Any]], ...]] = ()
    ON_REQUEST: ClassVar[str] = ""

    @abstractmethod
    def feed(self, batch: RecordBatch, state: State) -> Part:
        """Takes a batch not older than the one before; returns what later steps may use of it."""

    @abstractmethod
    def finish(self, results: Results) -> Whole:
        """The result, after the last batch."""


class ReportPart(Step[None, dict[str, Any]]):
    """A step whose result is a part of the report: its keys, each with its value. Times are ns; threads and processes
    may be given as the numbers of their lives, in whose place the report has their IDs."""

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Does nothing; a part that looks at batches itself overrides this."""


class State:
    """What the steps so far have returned for one batch."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._parts: dict[type[Step[Any, Any]], object] = {}

    def __getitem__(self, step: type[Step[Part, Whole]]) -> Part:
        return cast(Part, self._parts[step])

    def put(self, step: type[Step[Any, Any]], result: object) -> None:
        """Keeps what a step returned for the batch."""
        self._parts[step] = result

    @property
    def window(self) -> Window:
        """The window of the recording."""
        return self.recording.window


class Results:
    """What the steps so far have returned for the whole recording. recording.read gives records with lives in the place
    of IDs, like the batches of the pass."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._wholes: dict[type[Step[Any, Any]], object] = {}

    def __getitem__(self, step: type[Step[Part, Whole]]) -> Whole:
        return cast(Whole, self._wholes[step])

    def put(self, step: type[Step[Any, Any]], whole: object) -> None:
        """Keeps what a step returned."""
        self._wholes[step] = whole
