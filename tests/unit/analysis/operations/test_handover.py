"""tracer/analysis/operations/handover.py: cases that are rare in stories, each by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support.analysing import analyse
from support.records_builder import FD, HELPER, TID, Trace

from tracer.analysis.operations.handover import LONGEST_NS
from tracer.recording.records import Kind

EPOLL, EINTR = 9, -4


def loop() -> Trace:
    """The first thread registers the socket; a second one is there."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=TID)
    trace.call("epoll_ctl", 4, 5, 0, fd=EPOLL, arg=1)
    return trace.args("epoll_ctl", 6, 1, FD, first=EPOLL, fourth=1)


def woken(
    trace: Trace, at: int, *, call: str = "futex", fd: int = 0x4000, result: int = 0
) -> Trace:
    """The second thread sleeps until the first wakes it at `at`, and receives."""
    trace.sleep(11, at, at + 3, tid=HELPER, waker=TID)
    trace.call(call, 10, at + 4, result, fd=fd, tid=HELPER)
    return trace.call("recvfrom", at + 5, at + 9, 64, tid=HELPER)


def last(trace: Trace) -> SimpleNamespace:
    found: SimpleNamespace = analyse(trace)[-1]
    return found


def test_told_woken_running() -> None:
    op = last(woken(loop().ready(25).call("epoll_wait", 20, 30, 1, fd=EPOLL), 40))
    assert (op.told_tid, op.told, op.woken, op.running) == (TID, 30, 40, 43)
    assert (op.ask, op.ready, op.wait_kind) == (20, 25, "multiplexed")
    assert {"ask", "told"} <= set(op.estimated)


@pytest.mark.parametrize(("several", "clear"), [(1, True), (2, False)])
def test_several_at_once_and_again_before_the_wake_up_is_not_clear(
    several: int, clear: bool
) -> None:
    trace = loop().ready(25).call("epoll_wait", 20, 30, several, fd=EPOLL)
    op = last(woken(trace.call("epoll_wait", 31, 35, 1, fd=EPOLL), 40))
    assert (op.told_tid, op.told) == (TID, 30)
    assert (op.woken, op.running) == ((40, 43) if clear else (0, 0))


@pytest.mark.parametrize(
    ("call", "fd", "result"),
    [
        ("epoll_wait", EPOLL, EINTR),
        ("clock_nanosleep", 0, 0),
        ("futex", 0x4000, -110),
        ("sendto", 8, 5),
    ],
)
def test_sleeps_that_no_thread_ended_for_this(call: str, fd: int, result: int) -> None:
    """In a wait for the descriptor itself, until a time had come, and for room to send."""
    trace = loop().ready(25).call("epoll_wait", 20, 30, 1, fd=EPOLL)
    op = last(woken(trace, 40, call=call, fd=fd, result=result))
    assert (op.told_tid, op.told, op.woken, op.running) == (TID, 30, 0, 0)


def test_what_is_older_than_a_second_explains_nothing() -> None:
    trace = loop().call("epoll_wait", 20, 30, 1, fd=EPOLL)
    trace.call("recvfrom", LONGEST_NS + 31, LONGEST_NS + 35, 64, tid=HELPER)
    assert last(trace).told_tid == 0


def test_reading_on_is_no_hand_over() -> None:
    trace = woken(loop().ready(25).call("epoll_wait", 20, 30, 1, fd=EPOLL), 40)
    trace.call("recvfrom", 50, 55, 64, tid=HELPER)
    first, second = analyse(trace)
    assert first.told_tid == TID and second.told_tid == 0


def test_by_a_dup_of_the_socket() -> None:
    """Epoll watches the file, not its number."""
    trace = loop().add(Kind.DESCRIPTOR, 7, start=9000, fd=FD + 1, arg=0o140777)
    trace.ready(25).call("epoll_wait", 20, 30, 1, fd=EPOLL)
    trace.sleep(11, 40, 43, tid=HELPER, waker=TID).call("futex", 10, 44, 0, fd=0x4000, tid=HELPER)
    op = last(trace.call("recvfrom", 45, 49, 64, fd=FD + 1, tid=HELPER))
    assert (op.told_tid, op.woken, op.events) == (TID, 40, 1)
