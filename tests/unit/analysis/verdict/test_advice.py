"""tracer/analysis/verdict/advice.py: each rule on what it is about, and on what only looks like it."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import pytest
from support.analysing import batches
from support.records_builder import EAGAIN, FD, FILE, INODE, PIPE, SOCKET, TID, Trace
from support.reports import FACTS, US

from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind
from tracer.report import build

EPOLL = 6


def advised(trace: Trace, count: int = 1) -> dict[str, dict[str, Any]]:
    """Rule → what it says, of the trace fed in `count` batches."""
    records = trace.records()

    def read(since: int | None, until: int | None) -> Iterator[RecordBatch]:
        for batch in batches(records, count):
            keep = (batch.time >= (since or 0)) & (batch.time <= (until or 1 << 62))
            yield batch.take(keep)

    return {its["rule"]: its for its in build.build(read, FACTS)["advice"]}


def registered(trace: Trace, events: int, fd: int = FD) -> Trace:
    return trace.call("epoll_ctl", 3, 4, 0, fd=EPOLL).args(
        "epoll_ctl", 5, 1, fd, first=EPOLL, fourth=events
    )


def told(trace: Trace, at: int, *, asleep: bool = True, ready: int = 1) -> Trace:
    """epoll_wait from `at` on, 10 µs long."""
    if asleep:
        trace.sleep(at + 1 * US, at + 8 * US, at + 9 * US)
    return trace.call("epoll_wait", at, at + 10 * US, ready, fd=EPOLL)


# polling


def test_polling_that_keeps_a_cpu_busy() -> None:
    trace = Trace()
    for i in range(5):
        for k in range(100):
            trace.call(
                "recvfrom",
                (i + 1) * 1000 * US + k * 2 * US,
                (i + 1) * 1000 * US + k * 2 * US + US,
                EAGAIN,
            )
        trace.call("recvfrom", (i + 1) * 1000 * US + 300 * US, (i + 1) * 1000 * US + 301 * US, 64)
    its = advised(trace)["polling"]
    assert (its["fd"], its["tgid"], its["count"]) == (FD, TID, 500)
    assert its["cost_ns"] == 5 * 301 * US
    assert advised(trace, 7)["polling"] == its


@pytest.mark.parametrize(("other", "fires"), [("", True), ("getpid", False)])
def test_who_never_gets_data_polls_if_it_asks_in_a_row(other: str, fires: bool) -> None:
    trace = Trace()
    for k in range(200):
        trace.call("recvfrom", (k + 1) * 10 * US, (k + 1) * 10 * US + US, EAGAIN)
        if other:
            trace.call(other, (k + 1) * 10 * US + 2 * US, (k + 1) * 10 * US + 3 * US, 1)
    for count in (1, 3):
        assert ("polling" in advised(trace, count)) is fires


def test_one_eagain_a_receive_is_how_an_edge_is_drained() -> None:
    trace = Trace()
    for i in range(200):
        at = i * 10 * US
        trace.call("recvfrom", at, at + US, 64).call("recvfrom", at + 2 * US, at + 3 * US, EAGAIN)
    assert "polling" not in advised(trace)


# edge-triggered, not drained


@pytest.mark.parametrize(
    ("events", "result", "fires"),
    [
        (select.EPOLLIN | select.EPOLLET, 100, True),
        (select.EPOLLIN, 100, False),
        (select.EPOLLIN | select.EPOLLET, 99, False),
    ],
)
def test_a_full_buffer_and_back_to_waiting(events: int, result: int, fires: bool) -> None:
    trace = registered(Trace(), events)
    for i in range(5):
        at = (i + 1) * 100 * US
        told(trace, at).call("read", at + 11 * US, at + 12 * US, result, arg=100)
    told(trace, 700 * US)
    its = advised(trace).get("not drained")
    assert (its["count"] if its else 0) == (5 if fires else 0)


@pytest.mark.parametrize(("between", "fires"), [("sendto", True), ("read", False)])
@pytest.mark.parametrize("count", [1, 3])
def test_an_echo_server_that_does_not_drain(between: str, fires: bool, count: int) -> None:
    """What counts is that it waits without another receive, whatever else it does before that."""
    trace = registered(Trace(), select.EPOLLIN | select.EPOLLET)
    for i in range(5):
        at = (i + 1) * 100 * US
        told(trace, at).call("read", at + 11 * US, at + 12 * US, 100, arg=100)
        trace.call(between, at + 13 * US, at + 14 * US, 99, arg=100).call(
            "getpid", at + 15 * US, at + 16 * US, 1
        )
    told(trace, 700 * US)
    assert ("not drained" in advised(trace, count)) is fires


def test_another_threads_wait_is_not_its_own() -> None:
    trace = registered(Trace(), select.EPOLLIN | select.EPOLLET).add(
        Kind.THREAD, 6, tid=TID + 1, result=TID
    )
    told(trace, 100 * US).call("read", 111 * US, 112 * US, 100, arg=100)
    trace.sleep(101 * US, 120 * US, 130 * US, tid=TID + 1)
    trace.call("epoll_wait", 100 * US, 140 * US, 1, fd=EPOLL, tid=TID + 1)
    assert "not drained" not in advised(trace)


@pytest.mark.parametrize("call", ["recvfrom", "recvmsg", "readv"])
@pytest.mark.parametrize(
    ("events", "fires"), [(select.EPOLLIN | select.EPOLLET, True), (select.EPOLLIN, False)]
)
def test_a_sleep_on_data_whatever_the_call(call: str, events: int, fires: bool) -> None:
    trace = registered(Trace(), events).ready(10 * US).ready(11 * US)
    told(trace, 20 * US, asleep=False).call(call, 31 * US, 32 * US, 64)
    trace.sleep(42 * US, 100 * US, 101 * US).ready(99 * US).call(
        "epoll_wait", 40 * US, 102 * US, 1, fd=EPOLL
    )
    its = advised(trace.call(call, 103 * US, 104 * US, 64)).get("not drained")
    assert (its and (its["count"], its["cost_ns"])) == ((1, 64 * US) if fires else None)


def test_reading_on_until_eagain_drains() -> None:
    trace = registered(Trace(), select.EPOLLIN | select.EPOLLET)
    for i in range(5):
        at = (i + 1) * 100 * US
        told(trace, at).call("read", at + 11 * US, at + 12 * US, 100, arg=100)
        trace.call("read", at + 13 * US, at + 14 * US, EAGAIN, arg=100)
    assert "not drained" not in advised(trace)


# repeated wake-ups


def test_woken_again_for_what_nobody_takes() -> None:
    trace = registered(Trace(), select.EPOLLIN)
    for i in range(50):
        told(trace, (i + 1) * 100 * US, asleep=False)
    its = advised(trace)["repeated wake-ups"]
    assert (its["fd"], its["count"]) == (EPOLL, 49)
    assert its["cost_ns"] == 49 * 10 * US


@pytest.mark.parametrize("what", ["taken", "slept"])
def test_wake_ups_that_are_not_repeated(what: str) -> None:
    trace = registered(Trace(), select.EPOLLIN)
    for i in range(50):
        at = (i + 1) * 100 * US
        told(trace, at, asleep=what == "slept")
        if what == "taken":
            trace.call("read", at + 11 * US, at + 12 * US, 5, arg=100)
    assert "repeated wake-ups" not in advised(trace)


# thundering herd


@pytest.mark.parametrize(("lost", "fires"), [(True, True), (False, False)])
def test_woken_for_a_connection_that_another_took(lost: bool, fires: bool) -> None:
    trace = Trace().add(Kind.THREAD, 3, tid=TID + 1, fd=TID, result=TID)
    for i in range(20):
        at = (i + 1) * 100 * US
        told(trace, at)
        trace.call("accept4", at + 11 * US, at + 12 * US, 9)
        trace.call("accept4", at + 13 * US, at + 14 * US, EAGAIN)  # until there is none: no herd
        if lost:
            trace.call("epoll_wait", at, at + 10 * US, 1, fd=EPOLL, tid=TID + 1)
            trace.call("accept4", at + 15 * US, at + 16 * US, EAGAIN, tid=TID + 1)
    its = advised(trace).get("thundering herd")
    assert (its["count"] if its else 0) == (20 if fires else 0)


# scanning


@pytest.mark.parametrize(
    ("watched", "ready", "fires"), [(1000, 1, True), (1000, 500, False), (10, 1, False)]
)
def test_looking_at_many_for_few(watched: int, ready: int, fires: bool) -> None:
    trace = Trace()
    for i in range(50):
        trace.call(
            "poll", (i + 1) * 100 * US, (i + 1) * 100 * US + 30 * US, ready, fd=0, arg=watched
        )
    its = advised(trace).get("scanning")
    assert bool(its) == fires
    if its:
        assert (
            its["count"] == 50
            and its["cost_ns"] == 50 * 30 * US
            and "1,000 descriptors" in its["text"]
        )


# one byte at a time


@pytest.mark.parametrize("mode", [SOCKET, PIPE, FILE])
def test_one_receive_a_byte(mode: int) -> None:
    trace = Trace(mode)
    for i in range(200):
        trace.call("read", (i + 1) * 10 * US, (i + 1) * 10 * US + US, 1, arg=1)
    its = advised(trace)["one byte at a time"]
    assert its["count"] == 199 and its["cost_ns"] == 199 * US
    assert advised(trace, 2)["one byte at a time"]["count"] >= 198


@pytest.mark.parametrize("what", ["asleep", "in turns", "more than one"])
def test_single_bytes_that_are_all_there_is(what: str) -> None:
    trace = Trace()
    for i in range(200):
        at = (i + 1) * 100 * US
        if what == "asleep":
            trace.sleep(at + US, at + 2 * US, at + 3 * US)
        if what == "in turns":
            trace.call("write", at - 5 * US, at - 4 * US, 1, fd=9)
        trace.call("read", at, at + 5 * US, 2 if what == "more than one" else 1, arg=100)
    assert "one byte at a time" not in advised(trace)


def left_over(bytes_: int, messages: int) -> dict[str, dict[str, Any]]:
    """`messages` messages come, of which each of 200 receives takes so many bytes when epoll_wait has said so."""
    trace = registered(Trace(), select.EPOLLIN)
    for i in range(200):
        at = (i + 1) * 100 * US
        if i % (200 // messages) == 0:
            trace.ready(at + 5 * US)
        told(trace, at, asleep=i % (200 // messages) == 0).call(
            "recvfrom", at + 11 * US, at + 12 * US, bytes_
        )
    return advised(trace)


def test_a_byte_a_wake_up_with_the_rest_left_where_it_is() -> None:
    its = left_over(1, 10)
    assert its["one byte at a time"]["count"] == its["told again"]["count"] == 190
    assert its["told again"]["fd"] == FD


def test_a_small_buffer_is_told_of_the_rest_again() -> None:
    its = left_over(10, 10)
    assert set(its) == {"told again"} and its["told again"]["cost_ns"] == 190 * 12 * US


def test_a_receive_a_message_leaves_nothing() -> None:
    assert left_over(1, 200) == {}


# notice


def noticing(woken: int, fetched: int) -> dict[str, dict[str, Any]]:
    """Twenty messages, told `woken` ns after they were ready, received `fetched` ns after that."""
    trace = registered(Trace(), select.EPOLLIN)
    for i in range(20):
        at = (i + 1) * 10_000 * US
        trace.sleep(at + US, at + 100 * US, at + 100 * US + woken).ready(at + 99 * US)
        trace.call("epoll_wait", at, at + 101 * US + woken, 1, fd=EPOLL)
        trace.call("recvfrom", at + 102 * US + woken + fetched, at + 105 * US + woken + fetched, 64)
    return advised(trace)


def test_late_because_others_had_the_cpu() -> None:
    its = noticing(500 * US, 0)
    assert "woken late" in its and "fetched late" not in its
    assert its["woken late"]["count"] == 20 and its["woken late"]["cost_ns"] >= 20 * 500 * US


def test_late_because_the_program_did_something_else() -> None:
    its = noticing(0, 500 * US)
    assert "fetched late" in its and "woken late" not in its


def test_soon_enough() -> None:
    assert not noticing(5 * US, 5 * US)


def test_no_evidence_no_advice() -> None:
    trace = Trace()
    for i in range(500):
        at = (i + 1) * 100 * US
        trace.sleep(at + US, at + 20 * US, at + 22 * US).ready(at + 19 * US).call(
            "recvfrom", at, at + 25 * US, 64
        )
    assert advised(trace) == {}
    assert INODE  # the socket's, which the readiness names
