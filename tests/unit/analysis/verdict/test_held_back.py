"""What holds a program back: each kind by a program that it must be said of, and by one that it must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.records_builder import PIPE, TID, Trace
from support.reports import built

from tracer.kernel import syscalls
from tracer.recording.records import Kind

ACCEPTED, MADE, LISTENER = 11, 12, 10
ETIMEDOUT = -110


def held(trace: Trace, **facts: object) -> dict[str, Any]:
    its = built(trace, **facts)["held_back"]
    assert its == built(trace, 5, **facts)["held_back"]
    return dict(its)


def computing() -> Trace:
    return Trace().call("getpid", 10, 20, 1).call("getpid", 900_000, 900_010, 1)


def preempted() -> Trace:
    """As redis beside programs that keep the CPUs busy: it wants to run, and cannot."""
    return (
        Trace()
        .call("getpid", 10, 20, 1)
        .preempted(100_000, 900_000)
        .call("getpid", 950_000, 950_010, 1)
    )


def of_files() -> Trace:
    trace = Trace(mode=0o100644).call("getpid", 10, 20, 1)
    return trace.sleep(1000, 800_000, 801_000).call("read", 900, 802_000, 64)


def filter_of_a_pipe() -> Trace:
    return Trace(mode=PIPE).sleep(1000, 800_000, 801_000).call("read", 900, 802_000, 64)


def no_room() -> Trace:
    return Trace().sleep(1000, 800_000, 801_000).call("sendto", 900, 802_000, 64)


def client() -> Trace:
    """It connected, sent, and waits for the answer."""
    trace = Trace().call("connect", 10, 20, 0).call("sendto", 30, 40, 64)
    return trace.sleep(1000, 800_000, 801_000).call("recvfrom", 900, 802_000, 64)


def server(accepts: bool = True) -> Trace:
    """It accepted, and waits for the next request, in the receive or out of epoll_wait."""
    trace = Trace().add(Kind.DESCRIPTOR, 2, start=77, fd=LISTENER, arg=0o140777)
    trace.call("accept4", 10, 20, ACCEPTED, fd=LISTENER)
    trace.add(Kind.DESCRIPTOR, 21, start=78, fd=ACCEPTED, arg=0o140777)
    trace.sleep(1000, 800_000, 801_000)
    return trace.call("recvfrom", 900, 802_000, 64, fd=ACCEPTED)


def listener_that_asks_too() -> Trace:
    """It made a connection; now it waits for one, and none comes."""
    trace = Trace().add(Kind.DESCRIPTOR, 2, start=79, fd=MADE, arg=0o140777)
    trace.call("connect", 10, 20, 0, fd=MADE).sleep(1000, 800_000, 801_000)
    return trace.call("accept4", 900, 802_000, -4)


def asleep(call: str, result: int = 0) -> Callable[[], Trace]:
    return lambda: Trace().sleep(1000, 800_000, 801_000).call(call, 900, 802_000, result)


def mutex() -> Trace:
    """Four threads take turns: each waits on the word for three, then wakes the next one there."""
    trace = Trace()
    for tid in range(TID + 1, TID + 4):
        trace.add(Kind.THREAD, 1, tid=tid, fd=TID, result=TID)
    for turn in range(12):
        tid, end = TID + turn % 4, turn * 100_000 + 90_000
        trace.call("futex", end - 5_000, end, 1, tid=tid, fd=64, arg=0x81)
        trace.sleep(end + 1_000, end + 297_000, end + 298_000, tid=tid)
        trace.call("futex", end + 500, end + 299_000, 0, tid=tid, fd=64, arg=0x80)
    return trace


@pytest.mark.parametrize(
    ("program", "what"),
    [
        (computing, "computing"),
        (preempted, "waiting for a CPU"),
        (of_files, "disk"),
        (filter_of_a_pipe, "peer"),
        (no_room, "peer"),
        (client, "peer"),
        (server, "nothing to do"),
        (listener_that_asks_too, "nothing to do"),
        (asleep("clock_nanosleep"), "nothing to do"),
        (asleep("wait4", 7), "nothing to do"),
        (asleep("futex"), "nothing to do"),
        (asleep("pause", -4), "nothing to do"),
    ],
)
def test_the_one_thing(program: Callable[[], Trace], what: str) -> None:
    its = held(program())
    assert its["what"] == what and its["share"] > 0.7
    assert its["ns"] <= its["of_ns"] <= 1_000_000 and its["text"]


def test_who_waits_for_the_next_request_is_told_so() -> None:
    assert "waiting for the next request" in held(server())["text"]
    assert "waiting for a time to come" in held(asleep("clock_nanosleep")())["text"]
    assert "waiting for its children" in held(asleep("wait4", 7)())["text"]


@pytest.mark.parametrize(("fd", "what"), [(ACCEPTED, "nothing to do"), (MADE, "peer")])
def test_a_wait_in_epoll_is_for_what_was_received_next(fd: int, what: str) -> None:
    """A proxy that accepted one connection and made another: the wait alone does not say for which of them it was."""
    trace = server().add(Kind.DESCRIPTOR, 803_000, start=79, fd=MADE, arg=0o140777)
    trace.call("connect", 803_500, 804_000, 0, fd=MADE)
    trace.sleep(810_000, 5_000_000, 5_001_000).call("epoll_wait", 805_000, 5_002_000, 1, fd=40)
    trace.call("recvfrom", 5_003_000, 5_004_000, 64, fd=fd)
    assert held(trace)["what"] == what


def test_locks_are_those_that_are_given_back() -> None:
    its = held(mutex())
    assert its["what"] == "locks" and "another thread has locked" in its["text"]


def test_idle_threads_do_not_decide() -> None:
    trace = preempted()
    for tid in range(TID + 1, TID + 19):
        trace.add(Kind.THREAD, 3, tid=tid, fd=TID, result=TID).sleep(5, None, None, tid=tid)
        trace.add(Kind.OPEN, 950_020, start=4, nr=syscalls.numbers()["futex"], tid=tid)
    assert held(trace)["what"] == "waiting for a CPU"


def test_where_nothing_decides_the_reason_is_said() -> None:
    trace = Trace(mode=0o100644).call("getpid", 10, 20, 1).preempted(100_000, 400_000)
    trace.sleep(500_000, 900_000, 900_100).call("read", 499_000, 900_200, 64)
    trace.call("getpid", 1_150_000, 1_150_010, 1)
    its = held(trace)
    assert its["what"] is its["share"] is its["ns"] is its["of_ns"] is None
    assert its["text"].startswith("no one thing: computing ")
    lost = held(trace, ledger={"counted": 100, "delivered": 5, "lost": 95})
    assert lost["what"] is None and lost["text"] == "cannot tell: 95 of 100 events were lost"
