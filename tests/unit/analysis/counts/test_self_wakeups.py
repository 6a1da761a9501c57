"""tracer/analysis/counts/self_wakeups.py: which pipes and socketpairs carry wake-ups of a process's own alone."""

from __future__ import annotations

from typing import Any

import pytest
from support.records_builder import FD, HELPER, INODE, PIPE, SOCKET, TID, Trace
from support.reports import US, built

from tracer.output.figure.notes import nothing_to_draw
from tracer.recording.records import Kind

OTHER = 300  # a process that inherited the descriptors
READ_END, WRITE_END = 10, 11


def channel(kind: str) -> Trace:
    """A pipe or a socketpair, besides the socket FD; the process has a second thread, and a child."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, fd=TID, result=TID)
    trace.add(Kind.THREAD, 9, tid=OTHER, fd=TID, result=OTHER)
    mode = PIPE if kind == "pipe" else SOCKET
    ends = (501, 501) if kind == "pipe" else (501, 502)
    trace.call("pipe2" if kind == "pipe" else "socketpair", 4, 5, 0)
    for fd, inode in zip((READ_END, WRITE_END), ends, strict=True):
        trace.add(Kind.DESCRIPTOR, 6, start=inode, fd=fd, arg=mode)
    return trace


def woken(trace: Trace, writer: int | None, times: int = 30) -> Trace:
    """The first thread sleeps in poll, and reads what a thread wrote; `writer`: None where no write is seen."""
    for i in range(times):
        at = (i + 1) * 1000 * US
        if writer is not None:
            trace.call("write", at + 50 * US, at + 52 * US, 1, fd=WRITE_END, tid=writer)
        trace.sleep(at + US, at + 51 * US, at + 55 * US, waker=writer or -1)
        trace.call("poll", at, at + 56 * US, 1, fd=0, arg=2)
        trace.call("read", at + 57 * US, at + 58 * US, 1, fd=READ_END, arg=4096)
    return trace


def blocking(trace: Trace, times: int = 30) -> Trace:
    """And another thread receives what comes from outside."""
    for i in range(times):
        at = (i + 1) * 1000 * US
        trace.sleep(at + 101 * US, at + 300 * US, at + 301 * US, tid=HELPER).ready(at + 299 * US)
        trace.call("recvfrom", at + 100 * US, at + 305 * US, 64, tid=HELPER)
    return trace


@pytest.mark.parametrize("kind", ["pipe", "socketpair"])
@pytest.mark.parametrize("writer", [TID, HELPER])
def test_they_are_told_apart_and_do_not_vote(kind: str, writer: int) -> None:
    for count in (1, 4):
        report = built(blocking(woken(channel(kind), writer)), count)
        assert report["self_wakeups"] == [{"tgid": TID, "fd": READ_END, "kind": kind, "count": 30}]
        assert report["model"]["name"] == "blocking" and report["model"]["confidence"] > 0.9
        assert any("another thread of its own, 30 times" in its for its in said(report))
        assert len(report["operations"]) == 60  # they are operations still
        (process,) = (its for its in report["processes"] if its["tgid"] == TID)
        assert process["model"]["name"] == "blocking" and process["operations"] == 60
        drawn = report["operations"][report["figure"]["operation"]]
        assert drawn["fd"] == FD


@pytest.mark.parametrize("kind", ["pipe", "socketpair"])
@pytest.mark.parametrize("writer", [None, OTHER])
def test_what_another_process_wrote_or_nobody_was_seen_to_is_data(
    kind: str, writer: int | None
) -> None:
    report = built(blocking(woken(channel(kind), writer)))
    assert report["self_wakeups"] == []
    assert report["model"]["name"] == "mixed"
    assert report["model"]["shares"] == {"blocking": 0.5, "poll": 0.5}


@pytest.mark.parametrize("kind", ["pipe", "socketpair"])
def test_one_write_from_outside_is_enough(kind: str) -> None:
    trace = woken(channel(kind), HELPER)
    trace.call("write", 40_000 * US, 40_001 * US, 1, fd=WRITE_END, tid=OTHER)
    assert built(trace)["self_wakeups"] == []


def test_a_program_that_only_wakes_itself_has_no_model() -> None:
    report = built(woken(channel("pipe"), HELPER))
    assert report["model"]["name"] == "none" and report["figure"] is None
    assert "from outside" in said(report)[0]
    assert "own threads had written" in nothing_to_draw(report)


def test_a_socket_whose_peer_is_not_known_is_no_channel() -> None:
    trace = Trace()
    for i in range(30):
        at = (i + 1) * 1000 * US
        trace.call("write", at, at + US, 1).call("read", at + 2 * US, at + 3 * US, 1)
    report = built(trace)
    assert report["self_wakeups"] == [] and INODE
    assert report["model"]["name"] != "none"


def said(report: dict[str, Any]) -> list[str]:
    evidence: list[str] = report["model"]["evidence"]
    return evidence


# what the probes tell of files: kinds of anonymous ones, open files, families and peers of sockets

ANONYMOUS, SHARED_INODE = 0o600, 1038
ANON_INODE = 0x09041934  # its file system (include/uapi/linux/magic.h)
AF_UNIX, AF_INET, STREAM = 1, 2, 1 << 16


def look(trace: Trace, fd: int, inode: int, mode: int, low: int, high: int, open_file: int) -> None:
    magic = (ANON_INODE ^ ANON_INODE >> 16) & 0xFFFF if mode == ANONYMOUS else 0x1004
    trace.add(Kind.FILE, 6, start=low, result=high, nr=magic, fd=fd, arg=open_file)
    trace.add(Kind.DESCRIPTOR, 6, start=inode, fd=fd, arg=mode, nr=0x8000)


def eventfd(trace: Trace, fd: int, open_file: int) -> None:
    name = int.from_bytes(b"[eventfd", "little")
    look(trace, fd, SHARED_INODE, ANONYMOUS, name, ord("]"), open_file)


def test_eventfds_are_told_apart_by_their_open_file() -> None:
    """Two share the inode of all anonymous files; 22 is a dup of 20. A child writes to 21 too."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, fd=TID, result=TID)
    eventfd(trace, 20, 0x111)
    eventfd(trace, 21, 0x222)
    eventfd(trace, 22, 0x111)
    trace.add(Kind.THREAD, 9, tid=OTHER, fd=TID, result=OTHER)
    for i in range(30):
        at = (i + 1) * 1000 * US
        trace.call("write", at, at + US, 8, fd=22, tid=HELPER)
        trace.call("read", at + 2 * US, at + 3 * US, 8, fd=20)
        trace.call("write", at + 4 * US, at + 5 * US, 8, fd=21, tid=OTHER if i == 7 else HELPER)
        trace.call("read", at + 6 * US, at + 7 * US, 8, fd=21)
    for count in (1, 3):
        report = built(trace, count)
        assert report["self_wakeups"] == [
            {"tgid": TID, "fd": 20, "kind": "eventfd", "count": 30},
        ]
        assert not report["operations"]


@pytest.mark.parametrize(
    ("family", "peer", "channel"),
    [(AF_UNIX, 602, True), (AF_UNIX, 0, False), (AF_INET, 602, False)],
)
def test_a_pair_that_was_there_is_known_by_its_peer(family: int, peer: int, channel: bool) -> None:
    """A process that was attached to: nobody saw its socketpair. What has no peer of its own family is none."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, fd=TID, result=TID)
    look(trace, READ_END, 601, SOCKET, family | STREAM, peer, 0x333)
    look(trace, WRITE_END, 602, SOCKET, family | STREAM, peer and 601, 0x444)
    report = built(woken(trace, HELPER))
    found = [{"tgid": TID, "fd": READ_END, "kind": "socketpair", "count": 30}]
    assert report["self_wakeups"] == (found if channel else [])
    assert (report["model"]["name"] == "none") is channel
