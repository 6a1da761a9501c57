"""tracer/folding.py: equal failing calls in a row become one, and nothing else changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from records_builder import EAGAIN, TID, Trace

from tracer.folding import fold
from tracer.records import Kind


def polls(trace: Trace, start: int, count: int, **others: int) -> Trace:
    for i in range(count):
        trace.call("recvfrom", start + 10 * i, start + 10 * i + 4, EAGAIN, **others)
    return trace


def test_a_run_is_one_call_with_its_count():
    records, runs = fold(polls(Trace(), 100, 5).records())
    assert records["kind"].tolist() == [Kind.START, Kind.DESCRIPTOR, Kind.CALL]
    (call,) = runs.values()
    assert list(runs) == [2]
    assert (call.count, call.start, call.last_start, call.end, call.busy) == (5, 100, 140, 144, 20)
    assert (call.tid, call.result) == (TID, EAGAIN)


def test_one_call_is_no_run():
    original = polls(Trace(), 100, 1).records()
    records, runs = fold(original)
    assert np.array_equal(records, original) and runs == {}


def test_success_ends_a_run():
    records, runs = fold(polls(polls(Trace(), 100, 3).call("recvfrom", 130, 134, 64), 140, 4).records())
    assert [call.count for call in runs.values()] == [3, 4]
    assert np.count_nonzero(records["kind"] == Kind.CALL) == 3


def test_successes_are_never_folded():
    trace = Trace().call("recvfrom", 100, 110, 64).call("recvfrom", 120, 130, 64)
    assert fold(trace.records())[1] == {}


def test_another_error_descriptor_or_call_ends_a_run():
    trace = polls(polls(Trace(), 100, 2), 120, 2, fd=5)
    trace.call("recvfrom", 140, 144, -104).call("recvfrom", 150, 154, -104).call("recvmsg", 160, 164, -104)
    assert [call.count for call in fold(trace.records())[1].values()] == [2, 2, 2]


def test_a_switch_or_a_signal_ends_a_run():
    trace = polls(polls(Trace(), 100, 2).preempted(116, 118), 120, 2).signal(29, 136, 137)
    assert [call.count for call in fold(polls(trace, 140, 2).records())[1].values()] == [2, 2, 2]


def test_threads_do_not_break_each_others_runs():
    records, runs = fold(polls(polls(Trace(), 100, 5), 102, 5, tid=101).records())
    assert sorted((call.tid, call.count) for call in runs.values()) == [(TID, 5), (101, 5)]
    for index, call in runs.items():
        assert (records["tid"][index], records["time"][index]) == (call.tid, call.end)


def test_nothing():
    records, runs = fold(Trace().records()[:0])
    assert len(records) == 0 and runs == {}


@given(st.lists(st.tuples(st.sampled_from([EAGAIN, EAGAIN, EAGAIN, 64, -104]), st.sampled_from([TID, 101]),
                          st.sampled_from([4, 5]), st.sampled_from([None, None, None, Kind.WAKING, Kind.SWITCH_OUT])),
                max_size=60))
def test_no_call_is_lost_and_order_is_kept(steps):
    trace = Trace()
    for i, (result, tid, fd, other) in enumerate(steps):
        trace.call("recvfrom", 100 + 10 * i, 104 + 10 * i, result, fd=fd, tid=tid)
        if other:
            trace.add(other, 105 + 10 * i, tid=tid)
    original = trace.records()
    records, runs = fold(original)
    calls = records["kind"] == Kind.CALL
    folded = sum(call.count - 1 for call in runs.values())
    assert np.count_nonzero(calls) + folded == len(steps)
    assert len(original) == len(records) + folded
    assert (np.diff(records["time"]) > 0).all()
    assert sum(call.busy for call in runs.values()) == 4 * sum(call.count for call in runs.values())
    assert np.array_equal(records[~calls], original[original["kind"] != Kind.CALL])
    assert {int(t) for t in original["time"][original["result"] == 64]} <= {int(t) for t in records["time"][calls]}
    for index, call in runs.items():
        row = records[index]
        assert (row["time"], row["start"], row["fd"], row["tid"]) == (call.end, call.last_start, call.fd, call.tid)
