"""tracer/analysis/counts/busy_asking.py and verdict/busy.py: calls that found nothing and did not sleep, and whether
they kept a CPU busy."""

from __future__ import annotations

import pytest
from support.analysing import results_of
from support.records_builder import EAGAIN, TID, Trace

from tracer.analysis.counts.busy_asking import SOON_NS, Asked, BusyAsking
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.analysis.verdict import facts
from tracer.analysis.verdict.busy import LEAST, burnt
from tracer.kernel import syscalls
from tracer.recording.records import Kind

OTHER = 200


def asked(trace: Trace, count: int = 1) -> dict[int, list[Asked]]:
    found: dict[int, list[Asked]] = results_of(trace.records(), BusyAsking, count=count)[BusyAsking]
    return found


def told(trace: Trace, time: int, timeout: int) -> Trace:
    """poll is given one descriptor, from this call on."""
    number = syscalls.numbers()["poll"]
    return trace.add(Kind.WATCHED, time, start=timeout, nr=number, fd=1, result=4 | 1 << 32)


def polls(trace: Trace, since: int, times: int, result: int = 0) -> Trace:
    """poll every 10 ns, 6 ns each."""
    for i in range(times):
        trace.call("poll", since + 10 * i, since + 10 * i + 6, result, fd=77, arg=1)
    return trace


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_the_time_of_calls_that_find_nothing_counts_with_what_lies_between_them(count: int) -> None:
    trace = polls(told(Trace(), 100, 0), 100, 5)
    assert asked(trace, count) == {TID: [Asked("poll", -1, 5, 5, 0, 46)]}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_time_out_that_was_not_recorded_is_none(count: int) -> None:
    assert asked(polls(Trace(), 100, 2), count) == {TID: [Asked("poll", -1, 2, 0, 0, 16)]}
    waits = polls(told(Trace(), 100, 5000), 100, 2)
    assert asked(waits, count) == {TID: [Asked("poll", -1, 2, 0, 0, 16)]}


def test_who_sleeps_or_finds_something_does_not_ask_in_vain() -> None:
    assert asked(polls(Trace(), 100, 1, result=1)) == {}
    assert asked(Trace().sleep(102, 110, 112).call("poll", 100, 115, 0, fd=77, arg=1)) == {}
    timed_out = Trace().sleep(102, 110, 112).call("recvfrom", 100, 115, EAGAIN)
    assert asked(timed_out) == {}


def test_of_equal_failing_calls_the_first_may_have_slept() -> None:
    trace = Trace().sleep(102, 110, 112).call("recvfrom", 100, 115, EAGAIN)
    trace.call("recvfrom", 120, 130, EAGAIN).call("recvfrom", 140, 150, EAGAIN)
    ((entry,),) = asked(trace).values()
    assert entry == Asked("recvfrom", 4, 2, 0, 0, 150 - 112)


def test_what_the_thread_does_in_between_is_not_asking() -> None:
    trace = polls(Trace(), 100, 1)
    polls(trace, 100 + SOON_NS + 6, 1)
    assert asked(trace) == {TID: [Asked("poll", -1, 2, 0, 0, 12)]}
    busy = Trace().call("recvfrom", 100, 110, EAGAIN)
    busy.call("recvfrom", 200 + 2 * SOON_NS, 210 + 2 * SOON_NS, EAGAIN)
    assert asked(busy) == {TID: [Asked("recvfrom", 4, 2, 0, 0, 0)]}


def test_a_look_at_the_clock_is_part_of_the_loop_and_another_call_is_not() -> None:
    for name, ns in (("clock_gettime", 26), ("getrandom", 12)):
        trace = polls(Trace(), 100, 1).call(name, 108, 112, 0)
        polls(trace, 120, 1)
        assert asked(trace) == {TID: [Asked("poll", -1, 2, 0, 0, ns)]}, name


def test_who_was_preempted_had_no_cpu() -> None:
    trace = Trace().call("poll", 100, 106, 0, fd=77, arg=1)
    trace.preempted(115, 400).call("poll", 110, 406, 0, fd=77, arg=1)
    assert asked(trace) == {TID: [Asked("poll", -1, 2, 0, 0, 12)]}


def times(tid: int, *, blocked: int, cpu: int, runnable: int = 0) -> ThreadTimes:
    end = blocked + cpu + runnable
    return ThreadTimes(tid, TID, "x", 0, end, blocked, runnable, 0, cpu, 1, 0)


def test_what_is_told_again_was_asked_in_vain() -> None:
    taken = polls(Trace(), 100, 1, result=1).call("recvfrom", 107, 108, 5)
    assert asked(polls(taken, 110, 1, result=1)) == {}
    trace = Trace()
    for time in (100, 120, 140):
        trace.call("epoll_wait", time, time + 6, 1, fd=9)
        trace.call("epoll_ctl", time + 8, time + 10, -9, fd=9, arg=2)
    assert asked(trace) == {TID: [Asked("epoll_wait", 9, 2, 0, 2, 26)]}


def test_a_thread_that_asked_for_a_quarter_of_its_time_kept_a_cpu_busy() -> None:
    entries = {TID: [Asked("ppoll", -1, LEAST, 3, 0, 250), Asked("poll", -1, 1, 0, 0, 0)]}
    wanted = facts.Burnt((facts.Asking("poll", LEAST + 1, 3, 0, 250),), 250, 1000)
    assert burnt(entries, [times(TID, blocked=700, cpu=300, runnable=9000)]) == wanted
    assert burnt(entries, [times(TID, blocked=701, cpu=300)]) is None
    assert burnt(entries, [times(OTHER, blocked=0, cpu=300)]) is None
    few = {TID: [Asked("poll", -1, LEAST - 1, 0, 0, 250)]}
    assert burnt(few, [times(TID, blocked=0, cpu=300)]) is None is burnt({}, [])
