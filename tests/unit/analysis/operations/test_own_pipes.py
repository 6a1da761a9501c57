"""tracer/analysis/operations/own_pipes.py: which splices are operations."""

from __future__ import annotations

import pytest
from support.analysing import analyse
from support.records_builder import EAGAIN, FD, HELPER, PIPE, TID, Trace

from tracer.recording.records import Kind

READ_END, WRITE_END, OTHER, INODE, WRONLY = 5, 6, 7, 77, 1


def program() -> Trace:
    """A process with a socket (FD), both ends of a pipe, and another socket; and another process with that pipe."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=HELPER, fd=TID)
    for tid in (TID, HELPER):
        trace.add(Kind.DESCRIPTOR, 4, start=INODE, fd=READ_END, arg=PIPE, tid=tid)
        trace.add(Kind.DESCRIPTOR, 4, start=INODE, fd=WRITE_END, arg=PIPE, result=WRONLY, tid=tid)
    return trace.add(Kind.DESCRIPTOR, 4, start=8, fd=OTHER, arg=0o140777)


def proxied(trace: Trace, at: int) -> Trace:
    """From a socket to a pipe and on."""
    trace.ready(at - 5).call("splice", at, at + 10, 64, arg=WRITE_END)
    return trace.call("splice", at + 20, at + 30, 64, fd=READ_END, arg=OTHER)


@pytest.mark.parametrize("batches", [1, 2, 3, 7])
def test_a_proxys_second_splice_moves_on_what_the_first_received(batches: int) -> None:
    found = analyse(proxied(proxied(program(), 100), 200), batches)
    assert [(op.fd, op.bytes, op.done) for op in found] == [(FD, 64, 110), (FD, 64, 210)]


def test_what_another_process_fills_is_received() -> None:
    trace = program().call("splice", 50, 60, 64, fd=OTHER, arg=WRITE_END, tid=HELPER)
    trace.sleep(110, 140, 150).call("splice", 100, 160, 64, fd=READ_END, arg=OTHER)
    (op,) = analyse(trace)
    assert (op.fd, op.wait_kind, op.ready) == (READ_END, "blocked", 140)


def test_what_came_before_its_own_is_received() -> None:
    trace = program().call("splice", 100, 110, 64, fd=READ_END, arg=OTHER)
    assert [op.done for op in analyse(proxied(trace, 200))] == [110, 210]


def test_a_splice_that_found_nothing_asks() -> None:
    trace = program().call("splice", 100, 105, EAGAIN, arg=WRITE_END)
    (op,) = analyse(trace.ready(150).call("splice", 200, 210, 64, arg=WRITE_END))
    assert (op.ask, op.wait_kind, op.eagain_count) == (100, "polled", 1)


@pytest.mark.parametrize(("fd", "count"), [(READ_END, 1), (WRITE_END, 0)])
def test_vmsplice_receives_at_the_reading_end(fd: int, count: int) -> None:
    assert len(analyse(program().call("vmsplice", 100, 110, 64, fd=fd))) == count


def test_what_vmsplice_fills_is_its_own() -> None:
    trace = program().call("vmsplice", 100, 110, 64, fd=WRITE_END)
    assert analyse(trace.call("splice", 120, 130, 64, fd=READ_END, arg=OTHER)) == []


def test_tee_leaves_what_it_brings() -> None:
    trace = program().sleep(110, 140, 150).call("tee", 100, 160, 64, fd=READ_END, arg=9)
    (op,) = analyse(trace.call("read", 170, 180, 64, fd=READ_END))
    assert (op.ask, op.done) == (100, 180)
