"""tracer/analysis/threads/timeline.py: each thread's calls with what happened inside, wherever batches are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.analysing import batches, thread_times
from support.records_builder import EAGAIN, TID, Trace

from tracer.analysis.threads.timeline import NEVER, Timeline, by_thread
from tracer.kernel import syscalls
from tracer.recording.records import Kind


def calls_of(trace: Trace, count: int = 1) -> list[dict[str, Any]]:
    timeline, found = Timeline(), []
    for batch in batches(trace.records(), count):
        calls = timeline.feed(batch).calls
        names = (
            "tid",
            "nr",
            "fd",
            "result",
            "start",
            "last_start",
            "end",
            "count",
            "out",
            "woken",
            "back",
            "last_in",
            "slept",
            "copy",
        )
        found += [
            dict(zip(names, row, strict=True))
            for row in zip(*(getattr(calls, name).tolist() for name in names), strict=True)
        ]
    return found


def polls(trace: Trace, start: int, count: int, **others: int) -> Trace:
    for i in range(count):
        trace.call("recvfrom", start + 10 * i, start + 10 * i + 4, EAGAIN, **others)
    return trace


def counts(trace: Trace) -> list[int]:
    return [call["count"] for call in calls_of(trace)]


def test_a_run_is_one_call_with_its_count() -> None:
    (call,) = calls_of(polls(Trace(), 100, 5))
    assert (call["count"], call["start"], call["last_start"], call["end"]) == (5, 100, 140, 144)
    assert (call["tid"], call["result"]) == (TID, EAGAIN)


def test_success_ends_a_run() -> None:
    assert counts(polls(polls(Trace(), 100, 3).call("recvfrom", 130, 134, 64), 140, 4)) == [3, 1, 4]


def test_successes_are_never_folded() -> None:
    assert counts(Trace().call("recvfrom", 100, 110, 64).call("recvfrom", 120, 130, 64)) == [1, 1]


def test_another_error_descriptor_or_call_ends_a_run() -> None:
    trace = polls(polls(Trace(), 100, 2), 120, 2, fd=5)
    trace.call("recvfrom", 140, 144, -104).call("recvfrom", 150, 154, -104).call(
        "recvmsg", 160, 164, -104
    )
    assert counts(trace) == [2, 2, 2, 1]


def test_a_switch_or_a_signal_ends_a_run() -> None:
    trace = polls(polls(Trace(), 100, 2).preempted(116, 118), 120, 2).signal(29, 136, 137)
    assert counts(polls(trace, 140, 2)) == [2, 2, 2]


def test_threads_do_not_break_each_others_runs() -> None:
    found = calls_of(polls(polls(Trace(), 100, 5), 102, 5, tid=101))
    assert [(call["tid"], call["count"]) for call in found] == [(TID, 5), (101, 5)]


def test_nothing() -> None:
    assert calls_of(Trace()) == []


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_what_happened_inside_a_call(count: int) -> None:
    trace = (
        Trace()
        .call("recvfrom", 20, 30, 64)
        .sleep(110, 210, 220)
        .preempted(221, 225)
        .copy(230)
        .copy(231)
    )
    (_, call) = calls_of(trace.call("recvfrom", 100, 240, 64), count)
    assert (call["out"], call["woken"], call["back"], call["last_in"]) == (110, 210, 220, 225)
    assert (call["slept"], call["copy"]) == (110, 230)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_what_happened_before_a_call_is_not_inside(count: int) -> None:
    (call,) = calls_of(Trace().sleep(50, 60, 70).copy(80).call("recvfrom", 100, 240, 64), count)
    assert (
        call["out"],
        call["woken"],
        call["back"],
        call["last_in"],
        call["slept"],
        call["copy"],
    ) == (0,) * 6


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7])
def test_a_restarted_call_is_taken_for_what_it_restarts(count: int) -> None:
    trace = Trace().call("poll", 100, 150, -516, fd=7).call("restart_syscall", 160, 200, 1, fd=0)
    trace.call("restart_syscall", 300, 310, -4, fd=0)
    numbers = syscalls.numbers()
    assert [(call["nr"], call["fd"]) for call in calls_of(trace, count)] == [
        (numbers["poll"], 7),
        (numbers["poll"], 7),
        (numbers["restart_syscall"], 0),
    ]


def test_a_lesson_explains_the_call_before_it() -> None:
    trace = Trace().call("socket", 10, 20, 5, fd=2).args("socket", 21, 1, 0, first=2)
    trace.add(Kind.DESCRIPTOR, 22, start=77, fd=5)
    for count in (1, 2, 5):
        timeline, found = Timeline(), []
        for batch in batches(trace.records(), count):
            found += timeline.feed(batch).lessons.start.tolist()
        assert found[-2:] == [10, 10]  # the descriptor of Trace() itself is explained by none


def test_absences_that_end_with_the_trace() -> None:
    timeline = Timeline()
    for batch in batches(
        Trace().sleep(50, 60, 70).sleep(80, 90, None).add(Kind.OPEN, 99, start=75).records()
    ):
        part = timeline.feed(batch)
    assert (part.absences.out.tolist(), part.absences.back.tolist()) == ([50], [70])
    last, inside, _ = timeline.finish(100)
    assert (last.out.tolist(), last.woken.tolist(), last.back.tolist(), inside.tolist()) == (
        [80],
        [90],
        [100],
        [True],
    )


def test_threads_gone_are_not_carried_on() -> None:
    timeline = Timeline()
    for batch in batches(Trace().call("read", 10, 20, 1).add(Kind.EXIT, 30, result=TID).records()):
        timeline.feed(batch)
    assert len(timeline._carried) == 0


@given(st.lists(st.integers(0, 70_000), max_size=50))
def test_threads_are_brought_together_in_their_own_order(tids: list[int]) -> None:
    ids = np.array(tids, np.uint32)
    rows = np.arange(len(ids))[by_thread(ids)]
    assert rows.tolist() == sorted(range(len(tids)), key=lambda i: tids[i])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([EAGAIN, EAGAIN, EAGAIN, 64, -104]),
            st.sampled_from([TID, 101]),
            st.sampled_from([4, 5]),
            st.sampled_from([None, None, "sleep", Kind.WAKING, Kind.SWITCH_OUT]),
        ),
        max_size=40,
    ),
    st.integers(1, 6),
)
def test_no_call_is_lost_wherever_batches_are_cut(steps: Any, count: int) -> None:
    trace = Trace()
    for i, (result, tid, fd, other) in enumerate(steps):
        at = 100 + 10 * i
        if other == "sleep":
            trace.sleep(at + 1, at + 2, at + 3, tid=tid)
        elif other:
            trace.add(other, at + 5, tid=tid)
        trace.call("recvfrom", at, at + 4, result, fd=fd, tid=tid)
    once, cut = calls_of(trace), calls_of(trace, count)
    for found in (once, cut):
        assert sum(call["count"] for call in found) == len(steps)
        assert sum(call["result"] == 64 for call in found) == sum(step[0] == 64 for step in steps)
        assert sum(call["slept"] for call in found) == 2 * sum(step[3] == "sleep" for step in steps)
    assert {call["end"] for call in once} <= {call["end"] for call in cut}
    assert all(call["woken"] != NEVER for call in cut)


def test_who_returns_from_a_call_has_a_cpu_though_no_switch_was_seen() -> None:
    trace = (
        Trace().add(Kind.SWITCH_OUT, 110, arg=1).add(Kind.WAKING, 120).call("futex", 100, 130, 0)
    )
    trace.add(Kind.SWITCH_OUT, 200, arg=1).add(Kind.WAKING, 210).add(Kind.SWITCH_IN, 220).call(
        "getpid", 230, 240, TID
    )
    (its,) = thread_times(trace.records(), (100, 240))
    assert (its.blocked_ns, its.runnable_ns, its.kernel_ns) == (10 + 10, 10 + 10, 10 + 10)
    assert its.user_ns == 140 - 60


def unseen(trace: Trace, count: int, end: int = 500) -> int:
    timeline = Timeline()
    for batch in batches(trace.records(), count):
        timeline.feed(batch)
    return timeline.finish(end).unseen_switches


@pytest.mark.parametrize("count", range(1, 9))
def test_a_switch_back_that_was_not_shown_is_counted_once(count: int) -> Any:
    def away() -> Trace:
        return (
            Trace()
            .call("getpid", 20, 30, TID)
            .add(Kind.SWITCH_OUT, 110, arg=1)
            .add(Kind.WAKING, 120)
        )

    def slept(trace: Trace) -> Trace:
        return trace.add(Kind.SWITCH_OUT, 200, arg=1).add(Kind.SWITCH_IN, 220)

    assert unseen(away().add(Kind.SWITCH_IN, 130).call("futex", 100, 140, 0), count) == 0
    assert unseen(slept(away().call("futex", 100, 140, 0)), count) == 1
    assert unseen(slept(away()).call("futex", 100, 230, 0), count) == 1
    assert (
        unseen(
            away()
            .call("futex", 100, 140, 0)
            .add(Kind.SWITCH_IN, 220)
            .call("getpid", 230, 240, TID),
            count,
        )
        == 1
    )
    assert unseen(away().call("futex", 100, 140, 0), count) == 1  # and nothing more
    assert unseen(away().call("getpid", 10, 40, TID), count) == 0  # never back
    assert unseen(away().add(Kind.OPEN, 300, start=100), count) == 0
    assert (
        unseen(
            away().add(Kind.EXIT, 150).add(Kind.THREAD, 160, result=TID).add(Kind.SWITCH_IN, 170),
            count,
        )
        == 0
    )


@pytest.mark.parametrize("count", range(1, 7))
def test_who_was_off_the_cpu_until_the_end_was_off_it(count: int) -> None:
    trace = (
        Trace()
        .add(Kind.SWITCH_OUT, 110, arg=1)
        .add(Kind.WAKING, 190)
        .add(Kind.EXIT, 200, result=TID)
    )
    (its,) = thread_times(trace.records(), count=count)
    assert (its.blocked_ns, its.runnable_ns, its.user_ns) == (80, 10, 109)
