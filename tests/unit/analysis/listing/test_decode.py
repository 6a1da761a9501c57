"""tracer/analysis/listing/decode.py against the numbers of Python's own modules."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
from typing import Any

import pytest

from tracer.analysis.listing import decode
from tracer.kernel import syscalls


@pytest.mark.parametrize(
    "name", ["EPOLLIN", "EPOLLOUT", "EPOLLRDHUP", "EPOLLET", "EPOLLONESHOT", "EPOLLEXCLUSIVE"]
)
def test_epoll_events_have_pythons_numbers(name: str) -> None:
    assert decode.epoll_events(getattr(select, name)) == name


@pytest.mark.parametrize(
    "name", ["MSG_PEEK", "MSG_DONTWAIT", "MSG_WAITALL", "MSG_ERRQUEUE", "MSG_NOSIGNAL", "MSG_TRUNC"]
)
def test_message_flags_have_pythons_numbers(name: str) -> None:
    assert decode.message_flags(getattr(socket, name)) == name


def test_sets_of_flags() -> None:
    assert decode.epoll_events(select.EPOLLIN | select.EPOLLET) == "EPOLLIN|EPOLLET"
    assert decode.epoll_events(1 << 25) == hex(1 << 25) and decode.epoll_events(0) == "0"
    assert (
        decode.open_flags(os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC) == "O_RDWR|O_NONBLOCK|O_CLOEXEC"
    )
    assert (
        decode.open_flags(os.O_WRONLY | os.O_SYNC) == "O_WRONLY|O_SYNC"
    )  # not O_DSYNC, which is a part of it
    assert decode.open_flags(0) == "O_RDONLY"
    assert (
        decode.socket_type(socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) == "SOCK_DGRAM|SOCK_NONBLOCK"
    )
    assert decode.family(socket.AF_INET6) == "AF_INET6" and decode.family(250) == "250"
    assert decode.fcntl_command(fcntl.F_SETFL) == "F_SETFL"


def test_signals() -> None:
    assert decode.signal_name(signal.SIGIO) in ("SIGIO", "SIGPOLL")
    assert decode.signal_name(signal.SIGRTMIN + 3) == "SIGRTMIN+3"


@pytest.mark.parametrize(
    ("call", "first", "kept", "more", "wanted"),
    [
        ("recvfrom", 4, socket.MSG_DONTWAIT, None, [("fd", "4"), ("flags", "MSG_DONTWAIT")]),
        ("read", 4, 100, None, [("fd", "4"), ("count", "100")]),
        ("epoll_wait", 5, 2**32 - 1, None, [("fd", "5"), ("most", "-1")]),
        (
            "epoll_ctl",
            5,
            1,
            (1, 7, select.EPOLLIN),
            [("fd", "5"), ("op", "EPOLL_CTL_ADD"), ("target", "7"), ("events", "EPOLLIN")],
        ),
        (
            "fcntl",
            3,
            fcntl.F_SETFL,
            (fcntl.F_SETFL, os.O_RDWR | os.O_ASYNC, 0),
            [("fd", "3"), ("cmd", "F_SETFL"), ("arg", "O_RDWR|O_ASYNC")],
        ),
        (
            "socket",
            socket.AF_INET,
            0,
            (socket.SOCK_STREAM, 6, 0),
            [("domain", "AF_INET"), ("type", "SOCK_STREAM"), ("protocol", "6")],
        ),
        (
            "openat",
            -100,
            os.O_WRONLY | os.O_CREAT,
            None,
            [("dirfd", "AT_FDCWD"), ("flags", "O_WRONLY|O_CREAT")],
        ),
        ("kill", 100, signal.SIGTERM, None, [("pid", "100"), ("sig", "SIGTERM")]),
        ("brk", 12345, 0, None, []),
        ("futex", 12345, 0, None, []),
    ],
)
def test_arguments(
    call: str, first: int, kept: int, more: tuple[int, int, int] | None, wanted: Any
) -> None:
    assert decode.arguments(call, first, kept, more) == wanted


def test_calls_on_descriptors() -> None:
    on = {syscalls.name_of(number) for number in decode.with_descriptor()}
    assert {
        "read",
        "recvmsg",
        "epoll_wait",
        "close",
        "accept4",
        "fsync",
        "ioctl",
        "getdents64",
    } <= on
    assert not on & {
        "brk",
        "futex",
        "mmap",
        "openat",
        "open",
        "socket",
        "poll",
        "eventfd2",
        "select",
        "nanosleep",
    }
