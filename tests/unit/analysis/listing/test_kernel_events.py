"""tracer/analysis/listing/kernel_events.py: who followed whom on each CPU, who was woken, which calls; bounded."""

from __future__ import annotations

from typing import Any

import pytest
from support.analysing import results_of
from support.records_builder import HELPER, TID, Trace

from tracer.analysis.listing import kernel_events
from tracer.analysis.listing.kernel_events import IDLE, NOT_TRACED, KernelEvents
from tracer.recording.records import SWITCH_SAYS_NEXT, Kind

STRANGER = 77


def told(trace: Trace, count: int = 1) -> dict[str, Any]:
    its: dict[str, Any] = results_of(trace.records(), KernelEvents, count=count)[KernelEvents]
    return dict(its["kernel_events"])


def out(trace: Trace, time: int, tid: int, following: int, state: int = 1, taken: int = 0) -> None:
    says = SWITCH_SAYS_NEXT
    trace.add(
        Kind.SWITCH_OUT, time, tid=tid, start=says, result=following, nr=1, arg=state, fd=taken
    )


def two_threads() -> Trace:
    """On CPU 1: the first thread, at once the second, a stranger, the first, nobody, the second, which ends."""
    trace = Trace().add(Kind.THREAD, 5, tid=HELPER, result=TID, fd=TID)
    out(trace, 100, TID, HELPER)
    trace.add(Kind.SWITCH_IN, 101, tid=HELPER, fd=TID, nr=1)
    out(trace, 200, HELPER, STRANGER, state=2)
    trace.add(Kind.WAKING, 250, tid=TID, fd=STRANGER, nr=0)
    trace.add(Kind.SWITCH_IN, 300, tid=TID, fd=STRANGER, nr=1)
    out(trace, 400, TID, 0, state=0, taken=1)
    trace.add(Kind.SWITCH_IN, 500, tid=HELPER, fd=0, nr=1)
    return trace.add(Kind.EXIT, 600, tid=HELPER, result=TID, nr=1, fd=0)


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_who_followed_whom(count: int) -> None:
    switches = told(two_threads(), count)["switches"]
    assert switches["at_ns"] == [100, 200, 300, 400, 500, 600]
    assert switches["previous"] == [TID, HELPER, NOT_TRACED, TID, IDLE, HELPER]
    assert switches["next"] == [HELPER, NOT_TRACED, TID, IDLE, HELPER, NOT_TRACED]
    assert switches["state"] == [1, 2, 0, 0x100, 0, 0x10], "as sched_switch tells them"
    assert switches["cpu"] == [1] * 6


@pytest.mark.parametrize(
    ("kept", "says"),
    [(0, 0), (1, 1), (0x402, 0x80), (0x8002, 2), (0x1000, 2), (4, 4), (0x80, 0x10)],
)
def test_states_as_the_tracepoint_tells_them(kept: int, says: int) -> None:
    trace = Trace()
    out(trace, 100, TID, 0, state=kept)
    assert told(trace)["switches"]["state"] == [says]


def test_where_the_recording_does_not_say_who_came_it_is_not_the_idle_task() -> None:
    trace = Trace().sleep(100, 150, 200)
    assert told(trace)["switches"]["next"][0] == NOT_TRACED


def test_a_thread_adopted_asleep_was_not_switched() -> None:
    trace = Trace().add(Kind.START, 50, tid=HELPER, start=50, result=TID)
    trace.add(Kind.SWITCH_OUT, 50, tid=HELPER, arg=1)
    assert told(trace)["switches"]["at_ns"] == []


@pytest.mark.parametrize("count", [1, 4])
def test_wakings_and_calls(count: int) -> None:
    trace = two_threads().call("read", 310, 350, 7).call("read", 360, 370, -11)
    trace.add(Kind.OPEN, 700, start=390, nr=0)
    its = told(trace, count)
    assert its["wakings"] == {"at_ns": [250], "cpu": [0], "waker": [STRANGER], "tid": [TID]}
    calls = its["calls"]
    assert calls["start_ns"] == [310, 360, 390] and calls["result"][:2] == [7, -11]
    assert calls["returned"] == [1, 1, 0] and calls["cpu"] == [1, 1, 1]
    assert its["until_ns"] is None


def test_of_very_many_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace()
    for start in range(100, 1000, 100):
        trace.call("getppid", start, start + 10, 1)
    monkeypatch.setattr(kernel_events, "MOST", 5)
    its = told(trace, 9)
    assert its["count"] == 9 and 0 < len(its["calls"]["tid"]) <= 5
    assert all(end < its["until_ns"] for end in its["calls"]["end_ns"])
