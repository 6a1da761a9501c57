"""tracer/analysis/operations/evidence.py: which call told of an operation's data, where several could have."""

from __future__ import annotations

from support.analysing import only
from support.records_builder import EAGAIN, ERESTARTSYS, PIPE, SIGIO, Trace


def test_who_sleeps_in_the_receive_was_not_told_by_the_wait_before() -> None:
    trace = Trace().call("poll", 50, 60, 1, fd=0, arg=2)  # of another descriptor
    op = only(trace.sleep(110, 210, 220).ready(200).copy(230).call("recvfrom", 100, 240, 64))
    assert op.wait_kind == "blocked" and op.told == 220


def test_a_wait_that_timed_out_told_of_nothing() -> None:
    trace = Trace().call("poll", 50, 60, 0, fd=0, arg=1)
    op = only(trace.ready(70).copy(105).call("recvfrom", 100, 110, 64))
    assert op.wait_kind == "at once"


def test_a_poll_that_found_the_data_there_told_of_it() -> None:
    trace = Trace().ready(40).call("poll", 50, 60, 1, fd=0, arg=1)
    op = only(trace.copy(105).call("recvfrom", 100, 110, 64))
    assert op.wait_kind == "multiplexed" and op.told == 60


def test_of_several_waits_that_told_the_last_one_counts() -> None:
    trace = Trace().call("poll", 50, 60, 1, fd=0, arg=2)
    trace.sleep(72, 80, 85).ready(79).call("poll", 70, 90, 1, fd=0, arg=2)
    op = only(trace.copy(105).call("recvfrom", 100, 110, 64))
    assert op.wait_kind == "multiplexed" and op.told == 90


def test_a_receive_that_was_interrupted_had_found_the_socket_empty() -> None:
    trace = Trace().ready(50).call("recvfrom", 60, 70, ERESTARTSYS)
    op = only(trace.ready(90).copy(105).call("recvfrom", 100, 110, 64))
    assert op.ready >= 90


def test_a_pipe_is_ready_when_the_wait_for_it_was_woken() -> None:
    trace = Trace(PIPE).sleep(55, 80, 85).call("poll", 50, 90, 1, fd=0, arg=1)
    op = only(trace.call("read", 100, 110, 64))
    assert op.wait_kind == "multiplexed"
    assert (op.ready, op.told) == (80, 90) and "ready" in op.estimated


def test_a_wait_that_did_not_sleep_says_nothing_of_when_the_socket_was_empty() -> None:
    trace = Trace().ready(50).call("recvfrom", 60, 70, EAGAIN).ready(75)
    op = only(trace.call("poll", 80, 90, 1, fd=0, arg=1).call("recvfrom", 100, 110, 64))
    assert op.wait_kind == "multiplexed" and op.ready == 75


def test_a_signal_sent_as_the_socket_was_found_empty_came_with_the_data() -> None:
    trace = Trace(PIPE).call("read", 100, 105, EAGAIN).signal(SIGIO, 100, 215)
    assert only(trace.call("read", 230, 240, 64)).ready == 100
