"""tracer/capture/recorder.py: when the program began is told by its execve, whichever drain brings that."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.records_builder import Trace

from tracer.capture.recorder import Recorder
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

BASE = time.monotonic_ns() + 3_600_000_000_000  # a test may run long after this


class Collector:
    """What the probes wrote, a batch a drain."""

    def __init__(self, drains: list[RecordBatch]) -> None:
        self._drains = drains

    def oldest_held(self) -> int:
        return 0

    def drain(self) -> RecordBatch:
        return self._drains.pop(0)

    def detach(self) -> None:
        raise AssertionError("nothing fails")


def batches(*drains: list[Any]) -> list[RecordBatch]:
    made = []
    for records in drains:
        trace = Trace()
        trace.rows.clear()
        for add in records:
            add(trace)
        made.append(RecordBatch.of(trace.records()))
    return made


def start(trace: Trace) -> None:
    trace.add(Kind.START, BASE, tid=100, result=100)


def call(trace: Trace) -> None:
    trace.call("execve", BASE + 100, BASE + 200, 0, fd=0, tid=100)


def executed(trace: Trace) -> None:
    trace.add(Kind.EXEC, BASE + 210, tid=100, result=100, arg=0x33)


@pytest.mark.parametrize(
    "drains",
    [
        [[start, call, executed]],
        [[start, executed], [call]],
        [[start], [executed], [call]],
        [[start], [call], [executed]],
    ],
)
def test_the_program_began_at_the_exit_of_its_execve(drains):
    made = batches(*drains)
    recorder = Recorder(Collector(made), None)
    for _ in range(len(made)):
        recorder.drain()
    assert recorder.failure is None and (recorder.base, recorder.began) == (BASE, BASE + 200)
