"""tracer/analysis/counts: what threads waited for when they slept, by what the calls watched."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from support.analysing import results_of
from support.records_builder import EAGAIN, TID, Trace

from tracer.analysis.counts.wait_reasons import WaitReasons
from tracer.kernel import syscalls
from tracer.recording.records import SOCKET_LISTENS, WATCHED_MORE, Kind

IN, OUT, ADD, DEL, MOD = 1, 4, 1, 2, 3
NEVER = -1
O_NONBLOCK = 0o4000
(
    SOCKET,
    LISTENING,
    PIPE,
    TERMINAL,
    FILE,
    EVENTFD,
    TIMERFD,
    SIGNALFD,
    PIDFD,
    INOTIFY,
    EPOLL,
    STRANGE,
) = range(4, 16)
MODES = {SOCKET: 0o140777, LISTENING: 0o140777, PIPE: 0o010600, FILE: 0o100644, TERMINAL: 0o020620}
NAMES = {
    TERMINAL: b"tty1",
    EVENTFD: b"[eventfd]",
    TIMERFD: b"[timerfd]",
    SIGNALFD: b"[signalfd]",
    PIDFD: b"[pidfd]",
    INOTIFY: b"inotify",
    EPOLL: b"[eventpoll]",
}
ANON_INODE = (0x09041934 ^ 0x09041934 >> 16) & 0xFFFF
EINPROGRESS = -errno.EINPROGRESS


def program() -> Trace:
    """A thread with a descriptor of each kind; one socket listens."""
    trace = Trace()
    for fd in range(SOCKET, STRANGE):
        opened(trace, fd)
    return trace.call("listen", 60, 61, 0, fd=LISTENING, arg=5)


def opened(trace: Trace, fd: int, flags: int = 0) -> Trace:
    name = NAMES.get(fd, b"").ljust(16, b"\0")
    low, high = (int.from_bytes(part, "little", signed=True) for part in (name[:8], name[8:]))
    magic = ANON_INODE if fd not in MODES else 1
    if fd in NAMES or fd == PIPE:
        trace.add(Kind.FILE, 40 + fd, start=low, result=high, nr=magic, fd=fd, arg=1000 + fd)
    mode = MODES.get(fd, 0o600)
    inode = 9000 + fd if fd in MODES else 77
    return trace.add(
        Kind.DESCRIPTOR, 40 + fd, start=inode, result=flags, nr=0x8000, fd=fd, arg=mode
    )


def watches(trace: Trace, time: int, call: str, timeout: int, *entries: tuple[int, int]) -> Trace:
    """What poll is given, as the probes write it."""
    words = [fd | events << 32 for fd, events in entries]
    more = [words[i : i + 3] for i in range(1, len(words), 3)]
    trace.add(
        Kind.WATCHED,
        time,
        start=timeout,
        result=words[0] if words else 0,
        nr=syscalls.numbers()[call],
        fd=len(entries),
        arg=len(more),
    )
    for piece, three in enumerate(more):
        first, second, third = (three + [0xFFFFFFFF] * 2)[:3]
        fd = third & 0xFFFFFFFF
        fd -= (fd >> 31) << 32
        nr = WATCHED_MORE + piece
        trace.add(Kind.WATCHED, time, start=first, result=second, nr=nr, fd=fd, arg=third >> 32)
    return trace


def sleeps_in(trace: Trace, call: str, begin: int = 1000, result: int = 1, **more: Any) -> Trace:
    """The thread sleeps in a call for 100 ns."""
    trace.sleep(begin + 10, begin + 110, begin + 110)
    return trace.call(call, begin, begin + 200, result, **more)


def polls(*entries: tuple[int, int], timeout: int = NEVER, trace: Trace | None = None) -> Trace:
    trace = watches(trace or program(), 1000, "poll", timeout, *entries)
    return sleeps_in(trace, "poll", fd=0x7FFF, arg=len(entries))


def registered(trace: Trace, time: int, op: int, fd: int, events: int = 0) -> Trace:
    return trace.call("epoll_ctl", time, time + 1, 0, fd=EPOLL, arg=op).args(
        "epoll_ctl", time + 2, op, fd, first=EPOLL, fourth=events
    )


def waits_for(trace: Trace, count: int = 1) -> dict[str, int]:
    asleep: dict[int, dict[str, int]] = results_of(trace.records(), WaitReasons, count=count)[
        WaitReasons
    ].asleep
    return asleep.get(TID, {})


def only(trace: Trace) -> str:
    """What the one sleep was for; wherever batches are cut."""
    found = [waits_for(trace, count) for count in (1, 2, 5, 40)]
    assert all(one == found[0] for one in found)
    ((reason, ns),) = found[0].items()
    assert ns == 100
    return reason


@pytest.mark.parametrize(
    ("call", "fd", "wanted"),
    [
        ("recvfrom", SOCKET, "data"),
        ("read", PIPE, "data"),
        ("read", TERMINAL, "data"),
        ("read", FILE, "files"),
        ("write", FILE, "files"),
        ("write", PIPE, "room to send"),
        ("sendto", SOCKET, "room to send"),
        ("read", EVENTFD, "other threads"),
        ("read", TIMERFD, "time"),
        ("read", SIGNALFD, "signals"),
        ("read", INOTIFY, "files"),
        ("read", STRANGE, "data"),
        ("accept4", LISTENING, "connections"),
        ("connect", SOCKET, "connections"),
        ("fsync", FILE, "files"),
        ("openat", -100, "files"),
        ("mq_timedreceive", STRANGE, "data"),
        ("mq_timedsend", STRANGE, "room to send"),
        ("msgrcv", 0, "data"),
        ("msgsnd", 0, "room to send"),
        ("futex", 9, "futexes"),
        ("wait4", 9, "children"),
        ("clock_nanosleep", 0, "time"),
        ("pause", 0, "signals"),
        ("getpid", 0, "other calls"),
    ],
)
def test_what_a_call_waits_for(call: str, fd: int, wanted: str) -> None:
    assert only(sleeps_in(program(), call, fd=fd)) == wanted


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ([(SOCKET, IN)], "data"),
        ([(PIPE, IN)], "data"),
        ([(TERMINAL, IN)], "data"),
        ([(SOCKET, OUT)], "room to send"),
        ([(PIPE, OUT)], "room to send"),
        ([(SOCKET, IN | OUT)], "data"),
        ([(LISTENING, IN)], "connections"),
        ([(LISTENING, IN), (PIPE, IN), (EVENTFD, IN)], "connections"),
        ([(LISTENING, IN), (SOCKET, IN)], "data"),
        ([(EVENTFD, IN)], "other threads"),
        ([(TIMERFD, IN)], "time"),
        ([(EVENTFD, IN), (TIMERFD, IN)], "other threads"),
        ([(SIGNALFD, IN), (EVENTFD, IN), (TIMERFD, IN)], "signals"),
        ([(PIDFD, IN), (SIGNALFD, IN)], "children"),
        ([(INOTIFY, IN)], "files"),
        ([(STRANGE, IN)], "what was not recorded"),
        ([(STRANGE, IN), (EVENTFD, IN)], "what was not recorded"),
        ([(STRANGE, IN), (SOCKET, IN)], "data"),
        ([(EVENTFD, IN)] * 4 + [(SOCKET, IN)], "data"),
    ],
)
def test_a_wait_is_for_what_is_watched(entries: list[tuple[int, int]], wanted: str) -> None:
    assert only(polls(*entries)) == wanted


def test_a_wait_for_nothing_is_one_for_time_or_for_a_signal() -> None:
    assert only(polls(timeout=5000)) == "time"
    assert only(polls(timeout=NEVER)) == "signals"
    assert only(sleeps_in(program(), "poll", fd=7, arg=0)) == "time"  # an older recording
    assert only(sleeps_in(program(), "select", fd=0)) == "time"


def test_what_was_not_recorded_is_unknown() -> None:
    assert only(sleeps_in(program(), "poll", fd=7, arg=1)) == "what was not recorded"
    assert only(sleeps_in(program(), "select", fd=5)) == "what was not recorded"
    assert only(sleeps_in(program(), "epoll_wait", fd=EPOLL)) == "what was not recorded"
    many = [(EVENTFD, IN)] * 64
    cut = watches(program(), 1000, "poll", NEVER, *many, (SOCKET, IN))
    cut.rows = [row for row in cut.rows if row[4] != Kind.WATCHED or row[5] != WATCHED_MORE + 21]
    assert only(sleeps_in(cut, "poll", fd=7, arg=65)) == "what was not recorded"


def test_of_several_things_the_one_that_was_tried_before_is_waited_for() -> None:
    def tried(call: str, result: int, *entries: tuple[int, int]) -> str:
        return only(polls(*entries, trace=program().call(call, 900, 910, result, fd=SOCKET)))

    both = [(SOCKET, IN | OUT), (LISTENING, IN)]
    assert tried("sendto", EAGAIN, *both) == "room to send"
    assert tried("sendto", 5, *both) == "data"
    assert tried("connect", EINPROGRESS, (SOCKET, OUT), (PIPE, IN)) == "connections"
    assert tried("connect", 0, (SOCKET, OUT)) == "room to send"
    gone_on = program().call("connect", 900, 910, EINPROGRESS, fd=SOCKET)
    gone_on.call("getsockopt", 920, 930, 0, fd=SOCKET)
    assert only(polls((SOCKET, OUT), trace=gone_on)) == "room to send"


def test_a_connection_that_is_made_is_no_longer_waited_for_though_the_set_is_the_same() -> None:
    trace = program().call("connect", 900, 910, EINPROGRESS, fd=SOCKET)
    polls((SOCKET, OUT), trace=trace).call("getsockopt", 1300, 1310, 0, fd=SOCKET)
    sleeps_in(trace, "poll", 2000, fd=0x7FFF, arg=1)
    for count in (1, 3, 40):
        assert waits_for(trace, count) == {"connections": 100, "room to send": 100}


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([(ADD, SOCKET, IN)], "data"),
        ([(ADD, SOCKET, OUT)], "room to send"),
        ([(ADD, LISTENING, IN), (ADD, EVENTFD, IN)], "connections"),
        ([(ADD, LISTENING, IN), (ADD, SOCKET, IN)], "data"),
        ([(ADD, LISTENING, IN), (ADD, SOCKET, IN), (DEL, SOCKET, 0)], "connections"),
        ([(ADD, SOCKET, IN), (MOD, SOCKET, OUT)], "room to send"),
        ([(ADD, TIMERFD, IN), (ADD, EVENTFD, IN), (DEL, EVENTFD, 0)], "time"),
    ],
)
def test_epoll_waits_for_what_is_registered(steps: list[tuple[int, ...]], wanted: str) -> None:
    trace = program()
    for number, (op, fd, *events) in enumerate(steps):
        registered(trace, 700 + 10 * number, op, fd, *events)
    assert only(sleeps_in(trace, "epoll_wait", fd=EPOLL, arg=10)) == wanted


def test_a_descriptor_that_is_closed_is_not_watched() -> None:
    trace = registered(registered(program(), 700, ADD, LISTENING, IN), 710, ADD, SOCKET, IN)
    trace.call("close", 720, 730, 0, fd=SOCKET)
    assert only(sleeps_in(trace, "epoll_wait", fd=EPOLL)) == "connections"


def test_poll_on_an_epoll_descriptor_waits_for_what_that_watches() -> None:
    trace = registered(program(), 700, ADD, LISTENING, IN)
    assert only(polls((EPOLL, IN), (EVENTFD, IN), trace=trace)) == "connections"
    assert only(polls((EPOLL, IN), trace=program())) == "what was not recorded"


def test_a_receive_that_does_not_block_does_not_wait_for_data() -> None:
    trace = program()
    opened(trace, SOCKET, O_NONBLOCK)
    trace.rows[-1] = (70, *trace.rows[-1][1:])
    assert only(sleeps_in(trace, "recvfrom", fd=SOCKET)) == "other calls"
    assert only(sleeps_in(program(), "recvfrom", fd=SOCKET, arg=0x40)) == "other calls"


def test_a_wait_that_never_returned_is_for_what_it_watches() -> None:
    for trace, call in (
        (watches(program(), 1000, "poll", NEVER, (LISTENING, IN)), "poll"),
        (registered(program(), 700, ADD, LISTENING, IN), "epoll_wait"),
    ):
        trace.sleep(1010, None, None)
        trace.add(Kind.OPEN, 1110, start=1000, nr=syscalls.numbers()[call], fd=-1)
        assert waits_for(trace) == {"connections": 100}, call


@pytest.mark.parametrize(("listens", "wanted"), [(SOCKET_LISTENS, "connections"), (0, "data")])
def test_a_socket_that_listened_before_the_trace(listens: int, wanted: str) -> None:
    facts = socket.AF_INET | socket.SOCK_STREAM << 16 | socket.IPPROTO_TCP << 32 | listens
    for through_epoll in (False, True):
        trace = Trace().add(Kind.FILE, 40, start=facts, nr=1, fd=SOCKET, arg=1004)
        opened(trace, SOCKET)
        opened(trace, EPOLL)
        if through_epoll:
            registered(trace, 100, ADD, SOCKET, IN)
            assert only(sleeps_in(trace, "epoll_wait", fd=EPOLL)) == wanted
        else:
            assert only(polls((SOCKET, IN), trace=trace)) == wanted


def test_waiting_for_a_cpu_is_not_part_of_a_wait() -> None:
    trace = program().sleep(1010, 1110, 1900)
    assert only(trace.call("recvfrom", 1000, 1950, 64, fd=SOCKET)) == "data"
