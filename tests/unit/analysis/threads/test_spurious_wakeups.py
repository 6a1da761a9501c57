"""tracer/analysis/threads/spurious_wakeups.py: wake-ups in waiting calls, and how many were for nothing."""

from __future__ import annotations

from typing import Any

import pytest
from support.analysing import results_of
from support.records_builder import EAGAIN, TID, Trace

from tracer.analysis.threads.spurious_wakeups import SpuriousWakeups
from tracer.recording.records import Kind

OTHER = 200


def wakeups(trace: Trace, count: int = 1) -> list[dict[str, Any]]:
    results = results_of(trace.records(), SpuriousWakeups, count=count)
    found: list[dict[str, Any]] = results[SpuriousWakeups]["wakeups"]
    return found


def told(trace: Trace, tid: int, start: int, *wakes: int, then: int = 7) -> Trace:
    """epoll_wait woken at these times, the last time to return; then accept4 with a result."""
    for wake in wakes:
        trace.sleep(wake - 5, wake, wake + 2, tid=tid)
    trace.call("epoll_wait", start, wakes[-1] + 3, 1, tid=tid)
    return trace.call("accept4", wakes[-1] + 4, wakes[-1] + 6, then, tid=tid)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_herd(count: int) -> None:
    trace = Trace().add(Kind.THREAD, 3, tid=OTHER, result=TID, fd=TID)
    trace = told(told(trace, TID, 10, 100), TID, 200, 300)
    (its,) = wakeups(told(trace, OTHER, 11, 101, 301, then=EAGAIN), count)
    assert its == {
        "call": "epoll_wait",
        "threads": 2,
        "returned": 3,
        "woken": 4,
        "slept_again": 1,
        "found_nothing": 1,
    }


def test_whoever_finds_something_was_not_woken_for_nothing() -> None:
    (its,) = wakeups(told(told(Trace(), TID, 10, 100), TID, 200, 300))
    assert its["woken"] == its["returned"] == 2 and its["slept_again"] == its["found_nothing"] == 0


def test_a_time_out_is_no_wake_up_for_nothing() -> None:
    trace = (
        Trace()
        .sleep(20, 100, 105)
        .call("epoll_wait", 10, 106, 0)
        .call("recvfrom", 110, 112, EAGAIN)
    )
    assert wakeups(trace) == []


def test_who_did_not_sleep_was_not_woken() -> None:
    assert wakeups(Trace().call("poll", 10, 12, 1).call("recvfrom", 13, 14, 64)) == []
