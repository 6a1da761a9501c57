"""tracer/capture/descendants.py: who is told to end, on children of this process."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from support.records_builder import Trace

from tracer.capture.descendants import Descendants
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind


class Numbers:
    """ID of the records → number in /proc: here one with an offset."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def numbers(self, tids: set[int]) -> dict[int, int]:
        return {tid: tid - self.offset for tid in tids}


@pytest.fixture
def child():
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def born(tid: int, tgid: int, time_ns: int) -> RecordBatch:
    return RecordBatch.of(
        Trace().add(Kind.THREAD, time_ns, tid=tid, result=tgid, fd=os.getpid()).records()
    )


@pytest.mark.parametrize("offset", [0, 1000000])
def test_a_process_that_was_made_is_told_to_end(child, offset):
    its = Descendants(Numbers(offset), set)
    its.feed(born(child.pid + offset, child.pid + offset, time.monotonic_ns()))
    assert not its.wait(0)
    its.send(signal.SIGTERM)
    assert child.wait(60) == -signal.SIGTERM and its.wait(0)


def test_another_process_that_has_its_id_now_is_not(child):
    its = Descendants(Numbers(), set)
    its.feed(born(child.pid, child.pid, time.monotonic_ns() - 10**9))
    assert its.wait(0)
    its.send(signal.SIGKILL)
    assert child.poll() is None


def test_threads_are_no_processes(child):
    its = Descendants(Numbers(), set)
    its.feed(born(child.pid, os.getpid(), time.monotonic_ns()))
    assert its.wait(0)


def test_a_zombie_is_not_waited_for(child):
    its = Descendants(Numbers(), set)
    its.feed(born(child.pid, child.pid, time.monotonic_ns()))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert its.wait(0)


def test_births_of_processes_that_have_ended_are_forgotten(child):
    its = Descendants(Numbers(), lambda: {child.pid})
    its.feed(born(child.pid, child.pid, time.monotonic_ns()))
    trace = Trace()
    for tid in range(1 << 22, (1 << 22) + 30_000):
        trace.add(Kind.THREAD, 5, tid=tid, result=tid, fd=1)
    its.feed(RecordBatch.of(trace.records()))
    assert list(its._born) == [child.pid] and not its.wait(0)
