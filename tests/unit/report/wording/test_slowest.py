"""report --slowest: what the slowest operations' time went into, on traces in which that is known."""

from __future__ import annotations

from typing import Any

from support.analysing import batches
from support.records_builder import FD, FILE, INODE, TID, Trace
from support.reports import FACTS

from tracer.recording.records import Kind
from tracer.report import build

SENDER, HOG = 55, 66
US = 1000


def slowest(trace: Trace, count: int = 1) -> list[dict[str, Any]]:
    def read(since: int | None, until: int | None) -> Any:
        for batch in batches(trace.records()):
            yield batch.take((batch.time >= (since or 0)) & (batch.time <= (until or 1 << 62)))

    its: Any = build.build(read, FACTS, {"slowest": count})
    return list(its["slowest"])


def reasons(trace: Trace) -> dict[str, dict[str, Any]]:
    """What → the reason, of the slowest operation."""
    (slow,) = slowest(trace)
    return {its["what"]: its for its in slow["reasons"]}


def named(trace: Trace, tid: int, name: str) -> Trace:
    low = int.from_bytes(name.encode().ljust(8, b"\0"), "little")
    trace.add(Kind.START, 5, tid=tid, result=tid)
    return trace.add(Kind.NAME, 6, tid=tid, start=low, result=0, arg=tid)


def test_a_long_wait_names_the_call_and_what_the_sender_did() -> None:
    trace = named(Trace(), SENDER, "client")
    trace.sleep(20 * US, 900 * US, 910 * US, tid=SENDER)
    trace.add(Kind.SWITCH_OUT, 101 * US, arg=1)
    trace.add(Kind.READY, 1000 * US, tid=SENDER, start=INODE)
    trace.add(Kind.WAKING, 1001 * US, fd=SENDER).add(Kind.SWITCH_IN, 1002 * US, fd=SENDER)
    told = reasons(trace.call("recvfrom", 100 * US, 1010 * US, 64))
    assert told["no data"]["ns"] == 900 * US and "slept in recvfrom" in told["no data"]["text"]
    assert told["sender"]["who"] == "client (55)"
    assert "slept 800 µs of that time" in told["sender"]["text"]
    assert "no CPU" not in told and "wake-up" not in told, "they took less than a twentieth"


def test_who_had_the_cpu_is_named() -> None:
    trace = named(Trace(), HOG, "hog")
    trace.add(Kind.SWITCH_OUT, 101 * US, arg=1).ready(200 * US)
    trace.add(Kind.WAKING, 202 * US, fd=0).add(Kind.SWITCH_IN, 900 * US, fd=HOG)
    told = reasons(trace.call("recvfrom", 100 * US, 905 * US, 64))
    assert told["no CPU"]["ns"] == 698 * US and told["no CPU"]["who"] == "hog (66)"


def test_a_late_wake_up_and_its_waker() -> None:
    trace = Trace().add(Kind.SWITCH_OUT, 101 * US, arg=1).ready(200 * US)
    trace.add(Kind.WAKING, 700 * US, fd=77).add(Kind.SWITCH_IN, 705 * US)
    told = reasons(trace.call("recvfrom", 100 * US, 710 * US, 64))
    assert told["wake-up"]["ns"] == 500 * US
    assert told["wake-up"]["who"] == "thread 77 (not traced)"


def test_what_was_done_first_while_the_data_lay_there() -> None:
    trace = Trace().sleep(101 * US, 202 * US, 203 * US).ready(200 * US)
    trace.call("epoll_wait", 100 * US, 210 * US, 1, fd=9)
    trace.sleep(310 * US, 600 * US, 600 * US).call("nanosleep", 300 * US, 610 * US, 0, fd=0)
    told = reasons(trace.call("recvfrom", 900 * US, 905 * US, 64))
    assert told["asleep"]["ns"] == 290 * US and "nanosleep" in told["asleep"]["text"]
    assert told["computing"]["ns"] == 380 * US


def test_a_hand_over_names_the_thread_that_was_told() -> None:
    trace = Trace().add(Kind.START, 3, tid=SENDER, result=TID)
    trace.add(Kind.DESCRIPTOR, 4, start=77, fd=9, arg=FILE)
    trace.call("epoll_ctl", 5 * US, 6 * US, 0, fd=9, arg=1, tid=SENDER)
    trace.args("epoll_ctl", 6 * US + 1, 1, FD, first=9, fourth=1, tid=SENDER)
    trace.sleep(21 * US, 302 * US, 303 * US, tid=SENDER).ready(200 * US)
    trace.call("epoll_wait", 20 * US, 310 * US, 1, fd=9, tid=SENDER)
    trace.add(Kind.SWITCH_OUT, 30 * US, arg=1).add(Kind.WAKING, 320 * US, fd=SENDER)
    trace.add(Kind.SWITCH_IN, 900 * US, fd=HOG).call("futex", 25 * US, 901 * US, 0, fd=7)
    told = reasons(trace.call("recvfrom", 905 * US, 910 * US, 64))
    assert told["handed over"]["who"] == "thread (55)"
    assert told["handed over"]["ns"] == 110 * US and "no CPU" in told
    assert "slept in epoll_wait" in told["no data"]["text"], "it was the teller that waited"


def test_as_many_as_were_asked_for_the_slowest_first() -> None:
    trace = Trace()
    for start, wait in ((1000, 300), (3000, 900), (5000, 100)):
        trace.sleep(start + 10, start + wait, start + wait + 5).ready(start + wait - 5)
        trace.call("recvfrom", start, start + wait + 10, 64)
    assert [slow["index"] for slow in slowest(trace, 2)] == [1, 0]
    for slow in slowest(trace, 5):
        assert sum(slow["phases"].values()) >= max(its["ns"] for its in slow["reasons"])
