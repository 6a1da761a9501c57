"""tracer/analysis/verdict/advice.py: each rule on what it is about, and on what only looks like it."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import pytest
from support.analysing import batches
from support.records_builder import EAGAIN, FD, FILE, INODE, PIPE, SOCKET, TID, Trace
from support.reports import FACTS, US, built

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

    return {its["rule"]: dict(its) for its in build.build(read, FACTS)["advice"]}


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


@pytest.mark.parametrize(("asleep_us", "fires"), [(90, False), (40, True)])
def test_who_sleeps_between_its_questions_keeps_no_cpu_busy(asleep_us: int, fires: bool) -> None:
    """A loop of EAGAIN and nanosleep, 100 µs a turn."""
    trace = Trace()
    for i in range(5):
        for k in range(100):
            at = (i + 1) * 20_000 * US + k * 100 * US
            trace.call("recvfrom", at, at + US, EAGAIN)
            trace.sleep(at + 5 * US, at + (5 + asleep_us) * US - 10, at + (5 + asleep_us) * US)
            trace.call("clock_nanosleep", at + 4 * US, at + (6 + asleep_us) * US, 0)
        trace.call("recvfrom", at + 100 * US, at + 101 * US, 64)
    its = advised(trace).get("polling")
    assert bool(its) is fires
    if its:  # what it slept was no cost
        assert its["cost_ns"] == 5 * (100 * 100 + 1 - 100 * asleep_us) * US


def test_who_asks_while_others_have_the_cpu_polls_all_the_same() -> None:
    """Every tenth question is followed by 300 µs of waiting for a CPU, preempted."""
    trace = Trace()
    for k in range(200):
        at = 1000 * US + (k // 10) * 320 * US + k % 10 * 2 * US
        trace.call("recvfrom", at, at + US, EAGAIN)
        if k % 10 == 9:
            trace.preempted(at + 2 * US, at + 300 * US)
    end = 1000 * US + 20 * 320 * US
    its = advised(trace.call("recvfrom", end, end + US, 64))["polling"]
    assert its["count"] == 200 and its["cost_ns"] < 2000 * US


@pytest.mark.parametrize("call", ["accept4", "sendto", "poll"])
@pytest.mark.parametrize(("apart_us", "fires"), [(2, True), (20, False)])
def test_a_cpu_is_kept_busy_whatever_the_call(call: str, apart_us: int, fires: bool) -> None:
    """A call of 1 µs every 2 µs, or every 20 µs with others in between."""
    trace = Trace()
    for k in range(200):
        at = 1000 * US + k * apart_us * US
        trace.call(call, at, at + US, 0 if call == "poll" else EAGAIN)
        if apart_us > 2:
            trace.call("getuid", at + 2 * US, at + 19 * US, 0)
    its = advised(trace).get("busy polling")
    assert bool(its) is fires
    if its:
        assert its["count"] == 200 and call.rstrip("4") in its["text"]
        assert ("EAGAIN" in its["text"]) is (call != "poll")


def test_each_call_that_keeps_a_cpu_busy_has_its_own_line() -> None:
    trace = Trace()
    for k in range(200):
        at = 1000 * US + k * 4 * US
        trace.call("poll", at, at + US, 0).call("epoll_wait", at + 2 * US, at + 3 * US, 0, fd=EPOLL)
    report = build.build(lambda since, until: batches(trace.records(), 1), FACTS)
    lines = [its["text"] for its in report["advice"] if its["rule"] == "busy polling"]
    assert len(lines) == 2 and all("200 calls" in line for line in lines)


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
    # the last one's rest may still be there, but nothing says so
    assert (its["count"] if its else 0) == (4 if fires else 0)


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
    assert (its and (its["count"], its["cost_ns"])) == ((1, 92 * US) if fires else None)


READER = TID + 1


@pytest.mark.parametrize(
    ("look", "reader", "fires"),
    [(100, TID, True), (1, TID, False), (100, READER, False), (1, READER, False)],
)
def test_another_read_that_needs_no_wake_up_drains(look: int, reader: int, fires: bool) -> None:
    """Go's HTTP server reads one byte in the background, and the rest in a goroutine that another thread may run: the
    data was there all the while, and nobody had to be told of it."""
    trace = registered(Trace(), select.EPOLLIN | select.EPOLLET)
    trace.add(Kind.THREAD, 6, tid=READER, result=TID)
    for i in range(20):
        at = (i + 1) * 1000 * US
        told(trace.ready(at + 7 * US), at)
        trace.call("read", at + 11 * US, at + 12 * US, look, arg=look)
        if not fires:
            trace.call("read", at + 14 * US, at + 15 * US, 80, arg=4096, tid=reader)
        trace.sleep(at + 22 * US, at + 500 * US, at + 501 * US)
        trace.call("epoll_wait", at + 20 * US, at + 510 * US, 1, fd=EPOLL)
        trace.call("getpid", at + 511 * US, at + 512 * US, 1)
    for count in (1, 3):
        its = advised(trace, count).get("not drained")
        assert (its["count"] if its else 0) == (19 if fires else 0)


@pytest.mark.parametrize("before_the_wait", [False, True])
def test_data_that_comes_around_the_waits_entry_was_not_left(before_the_wait: bool) -> None:
    """nginx: between the receive and the sleep, before the wait's entry or after it, and the wait returns with it."""
    trace = registered(Trace(), select.EPOLLIN | select.EPOLLET)
    for i in range(50):
        at = (i + 1) * 100 * US
        trace.ready(at - 1 * US if before_the_wait else at + US)
        trace.sleep(at + 2 * US, at + 3 * US, at + 4 * US)
        trace.call("epoll_wait", at, at + 10 * US, 1, fd=EPOLL)
        trace.call("recvfrom", at + 11 * US, at + 12 * US, 80)
    assert "not drained" not in advised(trace)


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


@pytest.mark.parametrize(
    ("between", "result", "fires"),
    [
        (
            "epoll_ctl",
            -9,
            True,
        ),  # libuv 1148: EPOLL_CTL_DEL says EBADF, the file lives on under another number
        ("close", -9, True),
        ("clock_gettime", 0, True),
        ("epoll_ctl", 0, False),  # another registration, another thing to be told of
        ("read", EAGAIN, False),  # another thread has taken it
        ("read", 5, False),
        ("accept4", 9, False),
        ("futex", 1, False),  # handed over
        ("io_uring_enter", 1, False),
    ],
)
def test_calls_between_that_take_nothing(between: str, result: int, fires: bool) -> None:
    trace = registered(Trace(), select.EPOLLIN)
    for i in range(50):
        at = (i + 1) * 100 * US
        told(trace, at, asleep=False).call(between, at + 11 * US, at + 12 * US, result)
    its = advised(trace).get("repeated wake-ups")
    assert (its["count"] if its else 0) == (49 if fires else 0)


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


TRACED = 0x8  # __TASK_TRACED


@pytest.mark.parametrize(("state", "late"), [(TRACED, set()), (1, {"fetched late"})])
def test_a_program_that_a_tracer_stops_does_nothing_else_first(state: int, late: set[str]) -> None:
    """strace stops it at the end of the wait and at the beginning of the receive."""
    trace = registered(Trace(), select.EPOLLIN)
    for i in range(20):
        at = (i + 1) * 10_000 * US
        trace.sleep(at + US, at + 100 * US, at + 100 * US).ready(at + 99 * US)
        trace.call("epoll_wait", at, at + 101 * US, 1, fd=EPOLL)
        trace.add(Kind.SWITCH_OUT, at + 102 * US, arg=state).add(Kind.WAKING, at + 600 * US, fd=-1)
        trace.add(Kind.SWITCH_IN, at + 601 * US)
        trace.call("recvfrom", at + 602 * US, at + 605 * US, 64)
    assert set(advised(trace)) == late


@pytest.mark.parametrize("call", ["poll", "epoll_wait", "select"])
def test_a_busy_poll_is_not_late_for_the_message_before(call: str) -> None:
    """It has each message before sk_data_ready fires. That a poll timed out in between shows that nothing lay there."""
    trace = registered(Trace(), select.EPOLLIN)
    for i in range(20):
        at = (i + 1) * 10_000 * US
        for k in range(5):
            trace.call(call, at + k * US, at + k * US + 500, 0, fd=EPOLL)
        trace.call(call, at + 10 * US, at + 11 * US, 1, fd=EPOLL)
        trace.call("recvfrom", at + 12 * US, at + 13 * US, 64).ready(at + 14 * US)
    assert advised(trace) == {}


def test_an_overloaded_machine_is_one_line() -> None:
    trace = registered(Trace(), select.EPOLLIN)
    for number in range(12):
        tid, inode = 200 + number, 7000 + number
        trace.add(Kind.START, 1, tid=tid, result=tid)
        trace.add(Kind.DESCRIPTOR, 2, start=inode, fd=FD, arg=SOCKET, tid=tid)
        for i in range(20):
            at = (i + 1) * 10_000 * US
            trace.sleep(at + US, at + 100 * US, at + 600 * US, tid=tid).ready(at + 99 * US, inode)
            trace.call("recvfrom", at, at + 610 * US, 64, tid=tid)
    late = [its for its in built(trace)["advice"] if its["rule"] in ("woken late", "fetched late")]
    assert [its["rule"] for its in late] == ["woken late"]
    assert late[0]["count"] == 12 * 20 and late[0]["cost_ns"] == 12 * 20 * 500 * US
    assert "12 processes" in late[0]["text"]


def test_one_habit_on_many_descriptors_is_one_line() -> None:
    trace = Trace()
    for fd in range(10, 40):
        trace.add(Kind.DESCRIPTOR, 3, start=fd + 100, fd=fd, arg=SOCKET)
        for k in range(200):
            at = fd * 1000 * US + k * 2 * US
            trace.call("recvfrom", at, at + US, EAGAIN, fd=fd)
        trace.call("recvfrom", at + 2 * US, at + 3 * US, 64, fd=fd)
    (its,) = built(trace)["advice"]
    assert (its["rule"], its["count"]) == ("polling", 30 * 200)
    assert its["text"].startswith("6,000 receives") and "on 30 descriptors" in its["text"]


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
