"""tracer/analysis/threads/thread_states.py: each thread's time in four parts that add up."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.analysing import thread_times
from support.records_builder import TID, Trace
from support.reports import built

from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.recording.records import Kind


def times(trace: Trace, window: tuple[int, int] | None = None) -> ThreadTimes:
    found = thread_times(trace.records(), window)
    assert len(found) == 1
    assert sum(states(found[0])) == found[0].end_ns - found[0].start_ns
    return found[0]


def states(its: ThreadTimes) -> tuple[int, int, int, int]:
    return its.blocked_ns, its.runnable_ns, its.kernel_ns, its.user_ns


def until(trace: Trace, end: int) -> Trace:
    return trace.add(Kind.EXIT, end, result=TID)


def test_a_thread_that_only_computes() -> None:
    assert states(times(until(Trace(), 101))) == (0, 0, 0, 100)


def test_a_call_is_kernel_time() -> None:
    assert states(times(until(Trace().call("read", 11, 31, 1), 101))) == (0, 0, 20, 80)


def test_a_sleep_in_a_call_is_blocked_then_runnable() -> None:
    trace = Trace().sleep(21, 61, 66).call("read", 11, 71, 1)
    assert states(times(until(trace, 101))) == (40, 5, 15, 40)


@pytest.mark.parametrize("state", [0x104, 0x108, 0x4, 0x8])
def test_what_is_stopped_is_blocked_and_is_told_apart(state: int) -> None:
    trace = Trace().add(Kind.SWITCH_OUT, 21, arg=state).add(Kind.WAKING, 61)
    trace.add(Kind.SWITCH_IN, 66).sleep(71, 81, 81)
    its = times(until(trace, 101))
    assert states(its) == (50, 5, 0, 45) and its.stopped_ns == 40
    assert times(until(trace, 101), (41, 71)).stopped_ns == 20


def test_what_is_preempted_on_its_way_to_a_stop_is_not_yet_stopped() -> None:
    trace = Trace().add(Kind.SWITCH_OUT, 21, arg=0x104, fd=1).add(Kind.SWITCH_IN, 66)
    its = times(until(trace, 101))
    assert its.stopped_ns == 0 and its.runnable_ns == 45


@pytest.mark.parametrize(
    ("status", "killed_by"),
    [(-1, None), (0, None), (7 << 8, None), (31, "SIGSYS"), (11 | 0x80, "SIGSEGV")],
)
def test_how_a_thread_ended(status: int, killed_by: str | None) -> None:
    trace = Trace().add(Kind.EXIT, 101, result=TID, fd=status)
    (thread,) = built(trace)["threads"]
    assert thread["killed_by"] == killed_by


def test_preempted_is_runnable() -> None:
    assert states(times(until(Trace().preempted(21, 51), 101))) == (0, 30, 0, 70)


def test_preempted_in_a_call_is_runnable() -> None:
    assert states(times(until(Trace().preempted(21, 51).call("read", 11, 61, 1), 101))) == (
        0,
        30,
        20,
        50,
    )


def test_switched_out_while_it_could_run_is_runnable() -> None:
    trace = Trace().add(Kind.SWITCH_OUT, 21, arg=0).add(Kind.SWITCH_IN, 51)
    assert states(times(until(trace, 101))) == (0, 30, 0, 70)


def test_a_call_that_stayed_open_is_one_wherever_batches_are_cut() -> None:
    """Others make records after the moment when it is held to end: the probes go one after the other."""
    trace = Trace().add(Kind.SWITCH_OUT, 10, arg=1).add(Kind.OPEN, 100, start=5, nr=0, fd=0)
    trace.add(Kind.START, 2, tid=TID + 1, result=TID).call("getppid", 90, 101, 1, tid=TID + 1).call(
        "getppid", 105, 110, 1, tid=TID + 1
    )
    whole = thread_times(trace.records(), (1, 100))
    assert states(whole[0]) == (90, 0, 5, 4)  # born at 1, in its call from 5 on
    for count in range(2, len(trace.rows) + 1):
        assert thread_times(trace.records(), (1, 100), count) == whole


@pytest.mark.parametrize(
    ("window", "wanted"), [(None, (2, 2)), ((40, 70), (1, 1)), ((62, 70), (0, 0))]
)
def test_switches_to_sleep_and_preemptions_inside_the_window(
    window: Any, wanted: tuple[int, int]
) -> None:
    trace = Trace().sleep(11, 15, 20).preempted(21, 30).sleep(41, 45, 50)
    trace.add(Kind.SWITCH_OUT, 61, arg=1, fd=1).add(
        Kind.SWITCH_IN, 66
    )  # preempted on its way to sleep
    its = times(until(trace, 101), window)
    assert (its.switches, its.preemptions) == wanted


def test_a_waking_before_the_switch_out_makes_it_runnable() -> None:
    trace = Trace().add(Kind.WAKING, 19).add(Kind.SWITCH_OUT, 21, arg=1).add(Kind.SWITCH_IN, 51)
    assert states(times(until(trace.call("read", 11, 61, 1), 101))) == (0, 30, 20, 50)


def test_a_waking_of_the_sleep_before_says_nothing_of_this_one() -> None:
    trace = Trace().sleep(11, 21, 31).sleep(41, 51, 61)
    assert states(times(until(trace, 101))) == (20, 20, 0, 60)


def test_a_sleep_nobody_ended() -> None:
    trace = Trace().sleep(21, None, None).add(Kind.OPEN, 101, start=11, nr=0)
    assert states(times(trace)) == (80, 0, 10, 10)


def test_woken_and_never_run_again() -> None:
    trace = Trace().sleep(21, 61, None).add(Kind.OPEN, 101, start=11, nr=0)
    assert states(times(trace)) == (40, 40, 10, 10)


def test_an_open_call_lasts_until_the_end() -> None:
    assert states(times(Trace().add(Kind.OPEN, 101, start=61, nr=0))) == (0, 0, 40, 60)


@pytest.mark.parametrize(
    ("window", "wanted"),
    [
        ((1, 101), (40, 5, 15, 40)),
        ((41, 101), (20, 5, 5, 30)),
        ((1, 41), (20, 0, 10, 10)),
        ((31, 51), (20, 0, 0, 0)),
        ((63, 69), (0, 3, 3, 0)),
        ((71, 101), (0, 0, 0, 30)),
        ((0, 1000), (40, 5, 15, 40)),
    ],
)
def test_only_the_window_counts(window: Any, wanted: tuple[int, ...]) -> None:
    trace = until(Trace().sleep(21, 61, 66).call("read", 11, 71, 1), 101)
    assert states(times(trace, window)) == wanted


def test_a_thread_outside_the_window_is_not_there() -> None:
    assert thread_times(until(Trace(), 101).records(), (200, 300)) == []


def test_names_and_ids() -> None:
    trace = Trace()
    for time, text in ((5, b"first"), (6, b"second")):
        raw = text.ljust(16, b"\0")
        trace.add(
            Kind.NAME,
            time,
            start=int.from_bytes(raw[:8], "little"),
            result=int.from_bytes(raw[8:], "little"),
        )
    trace.add(Kind.THREAD, 50, tid=101, result=TID, fd=TID)
    first, second = thread_times(until(trace, 101).records())
    assert (first.tid, first.tgid, first.name, first.start_ns, first.end_ns) == (
        TID,
        TID,
        "second",
        1,
        101,
    )
    assert (second.tid, second.tgid, second.name, second.start_ns, second.end_ns) == (
        101,
        TID,
        "second",
        50,
        101,
    )


def test_threads_that_were_never_born_are_left_out() -> None:
    assert len(thread_times(until(Trace().call("read", 11, 31, 1, tid=55), 101).records())) == 1
    assert thread_times(Trace().records()[:0]) == []


lives = st.lists(
    st.tuples(
        st.sampled_from(["run", "call", "sleep in call", "preempted", "sleep", "early", "lost in"]),
        st.integers(1, 30),
        st.integers(4, 30),
    ),
    max_size=25,
)


def live(steps: Any) -> tuple[Trace, list[int]]:
    """A thread's life, and the four sums that it must have."""
    trace, now, sums = Trace(), 2, [0, 0, 0, 1]
    for what, gap, length in steps:
        sums[3] += gap
        now += gap
        end, woken = now + length, now + length // 2
        if what == "run":
            sums[3] += length
        elif what == "call":
            trace.call("read", now, end, 1)
            sums[2] += length
        elif what == "sleep in call":
            trace.sleep(now + 1, woken, end - 1).call("recvfrom", now, end, 1)
            sums[0] += woken - now - 1
            sums[1] += end - 1 - woken
            sums[2] += 2
        elif what == "preempted":
            trace.preempted(now, end)
            sums[1] += length
        elif what == "sleep":
            trace.sleep(now, woken, end)
            sums[0] += woken - now
            sums[1] += end - woken
        elif what == "early":
            trace.add(Kind.WAKING, now + 1).add(Kind.SWITCH_OUT, now + 2, arg=1).add(
                Kind.SWITCH_IN, end - 1
            )
            trace.call("recvfrom", now, end, 1)
            sums[1] += length - 3
            sums[2] += 3
        else:
            trace.sleep(now, None, end)
            sums[0] += length
        now = end
    return until(trace, now), sums


@given(lives)
def test_any_life_adds_up_and_every_part_is_right(steps: Any) -> None:
    trace, sums = live(steps)
    assert list(states(times(trace))) == sums


@given(lives, st.lists(st.integers(0, 1500), min_size=1, max_size=6), st.booleans())
def test_windows_and_batches_add_up(steps: Any, cuts: Any, batched: bool) -> None:
    trace, sums = live(steps)
    records = trace.records()
    end = int(records["time"][-1])
    edges = [1, *sorted(cut for cut in set(cuts) if 1 < cut < end), end]
    found = [0, 0, 0, 0]
    for window in itertools.pairwise(edges):
        for its in thread_times(records, window, 2 if batched else 1):
            assert min(states(its)) >= 0
            assert sum(states(its)) == its.end_ns - its.start_ns
            found = [a + b for a, b in zip(found, states(its), strict=True)]
    assert found == sums


wild = st.lists(
    st.tuples(
        st.sampled_from([Kind.SWITCH_OUT, Kind.SWITCH_IN, Kind.WAKING]),
        st.integers(1, 20),
        st.booleans(),
    ),
    max_size=30,
)


@given(wild, st.integers(0, 100), st.integers(0, 400))
def test_lost_records_make_no_time_negative_and_none_appear(
    steps: Any, begin: int, length: int
) -> None:
    trace, now = Trace(), 2
    for kind, gap, flag in steps:
        now += gap
        trace.add(kind, now, arg=int(flag))
    for its in thread_times(until(trace, now + 1).records(), (begin, begin + length)):
        assert min(states(its)) >= 0
        assert sum(states(its)) == its.end_ns - its.start_ns
