"""A step of the one pass over a recording (tracer/analysis/passes.py), and what steps tell one another.

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
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, cast

from tracer.analysis.steps.window import Window
from tracer.recording.batch import Read, RecordBatch

Part = TypeVar("Part")
Whole = TypeVar("Whole")


@dataclass(frozen=True)
class Recording:
    """What is analysed. read: gives its records from a time to a time, in order of time and in batches; facts: its
    metadata; window: the time that is reported."""

    read: Read
    facts: dict[str, Any]
    window: Window

    @property
    def base_ns(self) -> int:
        """The time from which the report's times are counted (ns of CLOCK_MONOTONIC)."""
        return int(self.facts["base_ns"])


class Step(ABC, Generic[Part, Whole]):
    """A step: made without arguments, fed every batch, then finished.

    NEEDS: the steps that are fed and finished before this one, and whose results it asks for: state[Other] is what
    Other.feed gave for this batch, results[Other] what Other.finish gave."""

    NEEDS: ClassVar[tuple[type[Step[Any, Any]], ...]] = ()

    @abstractmethod
    def feed(self, batch: RecordBatch, state: State) -> Part:
        """A batch in order of time, not older than what was fed before; gives what later steps may ask of it."""

    @abstractmethod
    def finish(self, results: Results) -> Whole:
        """After the last batch: the result."""


class ReportPart(Step[None, dict[str, Any]]):
    """A step whose result is a part of the report: its keys, each with its value. Times are ns; threads and processes
    may be given as the numbers of their lives, in whose place the report has their IDs."""

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing, unless a part looks at batches itself."""


class State:
    """Of one batch: what the steps before have made of it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._parts: dict[type[Step[Any, Any]], object] = {}

    def __getitem__(self, step: type[Step[Part, Whole]]) -> Part:
        return cast(Part, self._parts[step])

    def put(self, step: type[Step[Any, Any]], part: object) -> None:
        """What a step made of the batch."""
        self._parts[step] = part

    @property
    def window(self) -> Window:
        """The recording's."""
        return self.recording.window


class Results:
    """Of the whole recording: what the steps before have given. recording.read gives lives in the place of IDs, as the
    batches of the pass had them."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._wholes: dict[type[Step[Any, Any]], object] = {}

    def __getitem__(self, step: type[Step[Part, Whole]]) -> Whole:
        return cast(Whole, self._wholes[step])

    def put(self, step: type[Step[Any, Any]], whole: object) -> None:
        """What a step gave."""
        self._wholes[step] = whole
