"""tracer/analysis/identity/filenames.py: what a descriptor is at each moment."""

from __future__ import annotations

import os
import socket
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from support.records_builder import FILE, HELPER, INODE, PIPE, SOCKET, TID, Trace

from tracer import text
from tracer.analysis.identity.filenames import FdNames
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind


def known(trace: Trace, facts: dict[str, Any] | None = None) -> FdNames:
    its = FdNames(facts or {})
    its.feed(RecordBatch.of(trace.records()))
    return its


def address(
    trace: Trace,
    time: int,
    local: tuple[str, int],
    remote: tuple[str, int],
    fd: int,
    *,
    kind: int = socket.SOCK_STREAM,
    family: int = socket.AF_INET,
) -> Trace:
    for which, (host, port) in enumerate((local, remote)):
        first, second = np.frombuffer(
            socket.inet_pton(family, host).ljust(16, b"\0"), "<i8"
        ).tolist()
        trace.add(
            Kind.ADDRESS,
            time,
            start=first,
            result=second,
            nr=which,
            fd=fd,
            arg=port | kind << 16 | family << 24,
        )
    return trace


def path(trace: Trace, time: int, name: str | bytes, fd: int, tid: int = TID) -> Trace:
    raw = os.fsencode(name)
    for piece in range(0, len(raw), 16):
        first, second = np.frombuffer(raw[piece : piece + 16].ljust(16, b"\0"), "<i8").tolist()
        trace.add(
            Kind.PATH, time + piece, start=first, result=second, nr=piece // 16, fd=fd, tid=tid
        )
    return trace


def descriptor(trace: Trace, time: int, fd: int, inode: int, mode: int, tid: int = TID) -> Trace:
    return trace.add(Kind.DESCRIPTOR, time, start=inode, fd=fd, arg=mode, tid=tid)


def test_without_a_name_it_is_its_kind_and_inode() -> None:
    trace = descriptor(descriptor(Trace(SOCKET), 5, 5, 77, PIPE), 6, 6, 78, FILE)
    its = known(trace)
    assert [its.name(TID, fd) for fd in (4, 5, 6, 9)] == [
        f"socket:[{INODE}]",
        "pipe:[77]",
        "inode:[78]",
        None,
    ]


@given(
    some.binary(min_size=1, max_size=80).map(lambda raw: raw.replace(b"\0", b"0"))
    | some.text("aй€\U0001f600\n\x1b\\", min_size=1, max_size=40).map(str.encode)
)
def test_a_path_in_pieces_is_shown_as_the_whole_of_it(raw: bytes) -> None:
    """A letter may lie in two pieces."""
    trace = path(descriptor(Trace(), 5, 5, 78, FILE), 6, raw, 5)
    assert known(trace).name(TID, 5) == text.shown(raw)


def test_paths_of_two_threads_come_piece_by_piece_in_turns() -> None:
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=HELPER)
    for fd, tid in ((5, TID), (6, HELPER)):
        descriptor(trace, 5, fd, 70 + fd, FILE, tid)
        path(trace, 6 + fd, f"/a/path/of/more/than/sixteen/{tid}", fd, tid)
    trace.rows.sort()  # by time: so pieces of one lie between those of the other
    its = known(trace)
    assert its.name(TID, 5) == f"/a/path/of/more/than/sixteen/{TID}"
    assert its.name(HELPER, 6) == f"/a/path/of/more/than/sixteen/{HELPER}"


def test_a_path_that_was_cut_says_so() -> None:
    for length, shown in ((255, "x" * 255), (256, "x" * 256 + "…")):
        trace = path(descriptor(Trace(), 5, 5, 78, FILE), 6, b"x" * length, 5)
        assert known(trace).name(TID, 5) == shown


def test_a_file_that_is_called_as_a_socket_is_names_no_socket() -> None:
    trace = path(descriptor(Trace(), 5, 5, 78, FILE), 6, "TCP:[1.2.3.4:5]", 5)
    its = known(descriptor(trace, 30, 7, 78, SOCKET, HELPER))
    assert its.name(HELPER, 7) == "socket:[78]"


def test_addresses() -> None:
    its = known(address(Trace(), 5, ("127.0.0.1", 80), ("127.0.0.2", 4711), 4))
    assert its.name(TID, 4) == "TCP:[127.0.0.1:80->127.0.0.2:4711]"
    its = known(
        address(
            Trace(), 5, ("::1", 53), ("::", 0), 4, kind=socket.SOCK_DGRAM, family=socket.AF_INET6
        )
    )
    assert its.name(TID, 4) == "UDPv6:[[::1]:53]"


def test_an_address_outlives_a_second_look_but_not_a_new_socket() -> None:
    trace = address(Trace(), 5, ("127.0.0.1", 80), ("127.0.0.2", 4711), 4)
    again = known(descriptor(trace, 9, 4, INODE, SOCKET)).name(TID, 4)
    assert again and again.startswith("TCP:")
    assert (
        known(descriptor(trace, 10, 4, INODE + 1, SOCKET)).name(TID, 4) == f"socket:[{INODE + 1}]"
    )


def test_paths_of_more_than_one_piece() -> None:
    trace = path(descriptor(Trace(), 5, 6, 78, FILE), 6, "/var/log/a-longer-name-than-sixteen", 6)
    assert known(trace).name(TID, 6) == "/var/log/a-longer-name-than-sixteen"


def test_what_proc_said_is_better_than_the_path_given() -> None:
    facts = {"files": [{"fd": 6, "inode": 78, "name": "/srv/data/file"}]}
    assert (
        known(path(descriptor(Trace(), 5, 6, 78, FILE), 6, "file", 6), facts).name(TID, 6)
        == "/srv/data/file"
    )
    assert (
        known(path(descriptor(Trace(), 5, 6, 79, FILE), 6, "file", 6), facts).name(TID, 6) == "file"
    )


def test_what_made_it() -> None:
    trace = descriptor(Trace().call("eventfd2", 3, 4, 7, fd=0), 5, 7, 12, 0o600)
    assert known(trace).name(TID, 7) == "anon_inode:[eventfd]"


def test_another_file_on_its_number_and_nothing_after_the_close() -> None:
    trace = path(descriptor(Trace(), 5, 6, 78, FILE), 6, "/first", 6)
    path(descriptor(trace, 20, 6, 79, FILE), 21, "/second", 6)
    assert known(trace).name(TID, 6) == "/second"
    assert known(trace.call("close", 30, 31, -9, fd=6)).name(TID, 6) == "/second"  # EBADF
    assert known(trace.call("close", 32, 33, -4, fd=6)).name(TID, 6) is None  # EINTR


def test_threads_share_and_children_inherit() -> None:
    trace = address(Trace(), 5, ("127.0.0.1", 80), ("127.0.0.2", 4711), 4)
    trace.add(Kind.THREAD, 10, tid=TID + 1, fd=TID, result=TID).add(
        Kind.THREAD, 11, tid=200, fd=TID + 1, result=200
    )
    descriptor(trace, 12, 4, 99, PIPE, TID + 1)
    its = known(trace)
    assert its.name(TID, 4) == its.name(TID + 1, 4) == "pipe:[99]"
    inherited = its.name(200, 4)
    assert inherited and inherited.startswith("TCP:")
