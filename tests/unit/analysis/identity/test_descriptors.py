"""tracer/analysis/identity/descriptors.py: whose a file is that was used before anything was learnt of a descriptor."""

from __future__ import annotations

import pytest
from support.records_builder import FILE, SOCKET, TID, Trace
from support.reports import built

from tracer.kernel.syscalls import compat_codes, numbers
from tracer.recording.records import WAS_OPEN, Kind

CPU, OTHER_FD, FIRST, SECOND = 3, 9, 501, 502
CHILD = 300
BATCHES = (1, 2, 3, 7)


def written(*times: int, tid: int = TID, trace: Trace | None = None) -> Trace:
    """Writes of 10 bytes to one descriptor."""
    trace = trace or Trace()
    for time in times:
        trace.call("write", time, time + 5, 10, fd=OTHER_FD, tid=tid)
    return trace


def learnt(
    trace: Trace, time: int, inode: int, *, before: bool, tid: int = TID, mode: int = FILE
) -> Trace:
    return trace.add(
        Kind.DESCRIPTOR,
        time,
        start=inode,
        fd=OTHER_FD,
        arg=mode,
        nr=CPU | WAS_OPEN * before,
        tid=tid,
    )


def rows(trace: Trace, count: int = 1, tgid: int = TID) -> list[tuple[int, ...]]:
    """(inode, sends, bytes) of the descriptor's rows."""
    return sorted(
        (its["inode"] or 0, its["sends"], its["sent_bytes"])
        for its in built(trace, count)["descriptors"]
        if (its["tgid"], its["fd"]) == (tgid, OTHER_FD)
    )


@pytest.mark.parametrize("count", BATCHES)
def test_what_was_done_before_the_first_look_belongs_to_the_file_that_was_open(count: int) -> None:
    trace = learnt(written(100, 200), 300, FIRST, before=True)
    assert rows(written(400, trace=trace), count) == [(FIRST, 3, 30)]


@pytest.mark.parametrize("count", BATCHES)
def test_what_was_done_before_a_call_opened_it_stays_unknown(count: int) -> None:
    trace = learnt(written(100, 200), 300, FIRST, before=False)
    assert rows(written(400, trace=trace), count) == [(0, 2, 20), (FIRST, 1, 10)]


@pytest.mark.parametrize("count", BATCHES)
def test_a_later_look_says_nothing_of_before_a_call_opened_it(count: int) -> None:
    trace = learnt(learnt(written(100), 300, FIRST, before=False), 400, SECOND, before=True)
    assert rows(written(500, trace=trace), count) == [(0, 1, 10), (SECOND, 1, 10)]


@pytest.mark.parametrize("count", BATCHES)
def test_the_first_of_two_files_had_what_was_done_before(count: int) -> None:
    trace = learnt(learnt(written(100), 300, FIRST, before=True), 400, SECOND, before=False)
    assert rows(written(500, trace=trace), count) == [(FIRST, 1, 10), (SECOND, 1, 10)]


@pytest.mark.parametrize("count", BATCHES)
def test_a_child_has_what_its_parent_had_open_before_it_was_learnt(count: int) -> None:
    trace = Trace().add(Kind.THREAD, 50, tid=CHILD, fd=TID, result=CHILD)
    trace = learnt(written(100, 200, tid=CHILD, trace=trace), 300, FIRST, before=True)
    assert rows(trace, count, CHILD) == [(FIRST, 2, 20)]


def test_another_process_has_its_own() -> None:
    trace = Trace().add(Kind.START, 1, tid=CHILD, result=CHILD)
    trace = learnt(
        written(100, tid=CHILD, trace=written(100, trace=trace)), 300, FIRST, before=True
    )
    assert rows(trace, 1, CHILD) == [(0, 1, 10)] and rows(trace) == [(FIRST, 1, 10)]


def test_sends_accepts_and_connections_before_the_look() -> None:
    trace = (
        written(100)
        .call("accept4", 110, 120, 30, fd=OTHER_FD)
        .call("connect", 130, 140, 0, fd=OTHER_FD)
    )
    trace.call("sendto", 150, 160, -11, fd=OTHER_FD)
    its = [
        d
        for d in built(learnt(trace, 300, FIRST, before=True, mode=SOCKET))["descriptors"]
        if d["fd"] == OTHER_FD
    ]
    assert [
        (d["inode"], d["file"], d["sends"], d["accepts"], d["connects"], d["send_again"])
        for d in its
    ] == [(FIRST, f"socket:[{FIRST}]", 1, 1, 1, 1)]


def test_writes_of_files_before_the_look_are_what_the_program_does() -> None:
    trace = learnt(written(*range(100, 3100, 10)), 4000, FIRST, before=True)
    trace.add(Kind.CALL, 10_000, start=5000, nr=numbers()["fsync"], fd=OTHER_FD).sleep(
        5100, 9000, 9100
    )
    assert built(trace)["model"].get("instead") == "files"


@pytest.mark.parametrize("count", BATCHES)
@pytest.mark.parametrize("name", ["open", "openat", "dup2", "eventfd2", "socket"])
def test_what_a_call_of_the_32_bit_abi_opens_is_unknown(name: str, count: int) -> None:
    """Its close was of that ABI too: neither is learnt, and the number is not what it was before."""
    trace = written(200, trace=learnt(Trace(), 100, FIRST, before=True))
    (nr,) = compat_codes((name,))
    trace.add(Kind.CALL, 310, start=300, result=OTHER_FD, fd=-1, nr=nr)
    assert rows(written(400, 500, trace=trace), count) == [(0, 2, 20), (FIRST, 1, 10)]
