"""What every traced run has in common: records drained while the target runs, the rest at its end, and a recording
closed with what is known of the run."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tracer import __version__
from tracer.bpf.loader import Attachment
from tracer.capture.collector import Collector, SeenCall
from tracer.capture.host import host
from tracer.capture.recorder import DRAIN_MS, Recorder
from tracer.kernel.features import Features
from tracer.recording.batch import RecordBatch
from tracer.recording.parquet import Writer


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    ending: "completed", "interrupted", "duration", "timeout" or "abandoned"; "failed" where iotrace failed before that.
    status: the command's exit status as a shell gives it, None for attached processes.
    began: whether the command was executed at all.
    recorded: whether there is a recording that can be read.
    failure: the first exception of iotrace's own.
    """

    ending: str
    status: int | None = None
    began: bool = True
    recorded: bool = True
    failure: Exception | None = None


class Subject(ABC):
    """What is traced. record() calls its methods in the order in which they stand here.

    watch: shown the records as they come; what fails there costs names alone.
    """

    watch: Callable[[RecordBatch], None] | None = None

    def prepare(self, collector: Collector) -> dict[str, Any]:
        """What is known of the run before it has begun. What fails here does the target no harm."""
        return {}

    @abstractmethod
    def begin(self, recorder: Recorder) -> None:
        """Lets a held target go, or adopts what runs already."""

    @abstractmethod
    def follow(self, recorder: Recorder) -> str:
        """Drains until the target has ended or tracing is to end; says how (Ended.ending)."""

    def unreturned(self, recorder: Recorder) -> dict[int, SeenCall]:
        """Thread → the call that it is in now, as something else than the probes sees it."""
        return {}

    @abstractmethod
    def end(self, recorder: Recorder, ending: str, stopped_ns: int) -> tuple[Ended, dict[str, Any]]:
        """When all is drained: how it ended, and what is known of the run. stopped_ns: when tracing was ended."""


def record(probes: Attachment, features: Features, path: str, subject: Subject) -> Ended:
    """Traces the subject by the attached probes and records to `path`.

    From the moment when the target runs, failures of iotrace's own are not raised, for they are none of the target's:
    Ended has them. Raises what the subject does, and before it begins CannotTrace and OSError.
    """
    with Collector(probes) as collector, Writer(path) as writer:
        facts = {"version": __version__, "host": host(), "features": features.sources}
        facts |= subject.prepare(collector)
        recorder = Recorder(collector, writer, subject.watch)
        subject.begin(recorder)
        ending = subject.follow(recorder)
        stopped_ns = time.monotonic_ns()
        recorder.finish(stopped_ns, subject.unreturned(recorder))
        ended, more = subject.end(recorder, ending, stopped_ns)
        return _closed(writer, recorder, ended, facts | {"end_ns": stopped_ns} | more)


def drained(recorder: Recorder, has_ended: Callable[[int], bool]) -> Iterator[None]:
    """Once after every drain, until the target has ended. has_ended: waits so many ms for that, and says whether."""
    while not has_ended(DRAIN_MS):
        recorder.drain()
        yield


def _closed(writer: Writer, recorder: Recorder, ended: Ended, facts: dict[str, Any]) -> Ended:
    """The recording closed with its facts, and how it ended, with what failed in iotrace meanwhile."""
    ending, recorded = "failed" if recorder.ended_early else ended.ending, False
    with recorder.or_end():
        writer.close(facts | {"ended": ending} | recorder.facts())
        recorded = True
    if not recorded:
        writer.abandon()
    return replace(
        ended, ending=ending if recorded else "failed", recorded=recorded, failure=recorder.failure
    )
