"""The steps of every traced run: records are drained while the target runs, the rest at its end, and the recording is
closed with the run's facts."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from tracer import __version__
from tracer.bpf.loader import Attachment
from tracer.capture.collector import Collector, SeenCall
from tracer.capture.host import host
from tracer.capture.priority import Priority
from tracer.capture.recorder import DRAIN_MS, Recorder
from tracer.kernel import cpus
from tracer.kernel.features import Features
from tracer.recording import parquet, partial, redact
from tracer.recording.batch import RecordBatch

AnyWriter: TypeAlias = parquet.Writer | partial.Writer | redact.Writer
LOOK_UP_S = 0.005  # between two drains, for what has to be looked up in /proc


@dataclass(frozen=True)
class Keep:
    """place: a file for the records while they come in; user: whose it is (uid, gid), None: this process's."""

    place: str
    user: tuple[int, int] | None


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
    """The target of a traced run. record() calls its methods in the order in which they stand here.

    watch: called with the records as they come; a failure in it costs the recording names alone.
    priority: the tracer's own while it traces, None: as it was.
    keep: where and whose (uid, gid) the records are while they come in, so that they stay if iotrace is killed.
    redact: whether addresses, paths and arguments are left out (tracer/recording/redact.py).
    """

    watch: Callable[[RecordBatch], None] | None = None
    priority: Priority | None = None
    keep: Keep | None = None
    redact = False

    def prepare(self, collector: Collector) -> dict[str, Any]:
        """Facts of the run that are known before it begins. A failure here does the target no harm."""
        return {}

    @abstractmethod
    def known(self) -> dict[str, Any]:
        """`scenario`, `options` and `target` as they are known once the target has begun."""

    @abstractmethod
    def begin(self, recorder: Recorder) -> None:
        """Opens the gate of a held target, or adopts processes that run already."""

    @abstractmethod
    def follow(self, recorder: Recorder) -> str:
        """Drains until the target has ended or tracing is to end; returns Ended.ending."""

    def unreturned(self, recorder: Recorder) -> dict[int, SeenCall]:
        """Thread → the call that the thread is in now, by another source than the probes."""
        return {}

    @abstractmethod
    def end(self, recorder: Recorder, ending: str, stopped_ns: int) -> tuple[Ended, dict[str, Any]]:
        """Called when all is drained: how the run ended, and its facts. stopped_ns: when tracing was ended."""


def record(probes: Attachment, features: Features, path: str, subject: Subject) -> Ended:
    """Traces the subject by the attached probes and records to `path`.

    Once the target runs, failures of iotrace's own are not raised, because they must not end the target: they are in
    the Ended that is returned. Raises what the subject's methods raise, and before the target begins CannotTrace and
    OSError.
    """
    with Collector(probes) as collector, _writer(path, subject) as writer:
        machine = host()
        facts = {"version": __version__, "host": machine, "features": features.sources}
        facts |= subject.prepare(collector)
        recorder = Recorder(collector, writer, subject.watch)
        stolen_ns = cpus.stolen_ns()
        subject.begin(recorder)
        with recorder.or_end():
            writer.begin(facts | subject.known())
        ending = _followed(subject, recorder)
        stopped_ns = time.monotonic_ns()
        with subject.priority.urgent() if subject.priority else nullcontext():
            recorder.finish(stopped_ns, subject.unreturned(recorder))
        machine["steal_ns"] = _since(stolen_ns, cpus.stolen_ns())
        ended, more = subject.end(recorder, ending, stopped_ns)
        return _closed(writer, recorder, ended, facts | {"end_ns": stopped_ns} | more)


def _since(before: dict[str, int] | None, after: dict[str, int] | None) -> dict[str, int] | None:
    """How much of each CPU's time was stolen between the two (ns); None where the kernel does not tell."""
    if before is None or after is None:
        return None
    # it may go backwards where a machine was moved to another host
    return {cpu: max(0, ns - before[cpu]) for cpu, ns in after.items() if cpu in before}


def _writer(path: str, subject: Subject) -> AnyWriter:
    keep = subject.keep
    writer = partial.Writer(keep.place, path, keep.user) if keep else parquet.Writer(path)
    return redact.Writer(writer) if subject.redact else writer


def drained(
    recorder: Recorder,
    has_ended: Callable[[float], bool],
    beside: Callable[[float], bool] = lambda seconds: True,
    priority: Priority | None = None,
) -> Iterator[None]:
    """Drains and yields until the target has ended.

    has_ended: waits so many ms; returns whether it has. beside: has so many seconds between two drains for something
    else; returns whether nothing of that is left. priority: is told how late the waits end.
    """
    wait_ms: float = DRAIN_MS
    while True:
        due_s = time.monotonic() + wait_ms / 1000
        if has_ended(wait_ms):
            return
        if priority:
            priority.woke(time.monotonic() - due_s)
        recorder.drain()
        wait_ms = DRAIN_MS
        with recorder.aside():
            if not beside(LOOK_UP_S):
                wait_ms = DRAIN_MS / 4
        yield


def _followed(subject: Subject, recorder: Recorder) -> str:
    """Follows the subject to its end, whatever fails meanwhile; returns Ended.ending."""
    while True:
        try:
            return subject.follow(recorder)
        except Exception as error:  # whatever it is, the target must go on
            if recorder.ended_early:  # it has failed without anything to drain
                raise
            recorder.end(error)


def _closed(writer: AnyWriter, recorder: Recorder, ended: Ended, facts: dict[str, Any]) -> Ended:
    """Closes the recording with its facts; returns `ended` with the failures of iotrace that came meanwhile."""
    ending, recorded = "failed" if recorder.ended_early else ended.ending, False
    with recorder.or_end():
        if recorder.written or not isinstance(recorder.failure, OSError):  # no disk, no recording
            writer.close(facts | {"ended": ending} | recorder.facts())
            recorded = True
    if not recorded:
        writer.abandon()
    return replace(
        ended, ending=ending if recorded else "failed", recorded=recorded, failure=recorder.failure
    )
