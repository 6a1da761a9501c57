"""The probes' `calls` table (struct call of probes/iotrace.h): for each system call the argument that its record keeps,
and what the probes learn from a successful call."""

from __future__ import annotations

from collections.abc import Container
from enum import IntFlag

from tracer.kernel import syscalls


class Learn(IntFlag):
    """What the probes learn from a successful call; the LEARN_* of probes/iotrace.h."""

    ARGS = 1
    RESULT = 2
    FIRST = 4
    PAIR0 = 8
    PAIR3 = 16
    THIRD = 32
    EXEC = 64
    EVENTS = 128
    SILENT = 256
    ADDRESS = 512
    PATH0 = 1024
    PATH1 = 2048
    MESSAGES = 262144
    SECOND = 524288


_LEARN = {
    Learn.FIRST: (*syscalls.RECEIVE, "mq_timedreceive"),
    Learn.FIRST | Learn.MESSAGES: ("recvmmsg",),
    Learn.MESSAGES: ("sendmmsg",),
    Learn.FIRST | Learn.SECOND: tuple(syscalls.SECOND),
    Learn.RESULT | Learn.PATH0: ("open", "creat", "mq_open"),
    Learn.RESULT | Learn.PATH1: ("openat", "openat2"),
    Learn.RESULT: (
        "dup",
        "dup2",
        "dup3",
        "eventfd",
        "eventfd2",
        "signalfd",
        "signalfd4",
        "timerfd_create",
        "epoll_create",
        "epoll_create1",
        "pidfd_getfd",
    ),
    Learn.RESULT | Learn.ADDRESS: ("accept", "accept4"),
    Learn.FIRST | Learn.ADDRESS: ("bind", "connect"),
    Learn.RESULT | Learn.ARGS: ("socket",),
    Learn.FIRST | Learn.ARGS: ("fcntl", "ioctl"),
    Learn.PAIR0: ("pipe", "pipe2"),
    Learn.PAIR3: ("socketpair",),
    Learn.THIRD | Learn.ARGS: ("epoll_ctl",),
    Learn.EXEC: ("execve", "execveat"),
    Learn.EVENTS: ("io_getevents", "io_pgetevents"),
}
# The argument kept in a call's record: lengths, counts and time-outs worth seeing.
_KEEP = {
    1: (
        "poll",
        "ppoll",
        "fcntl",
        "ioctl",
        "epoll_ctl",
        "listen",
        "shutdown",
        "kill",
        "rt_sigqueueinfo",
        "pipe2",
        "futex",
        "io_submit",
        "io_getevents",
        "io_pgetevents",
        *(name for name, place in syscalls.SECOND.items() if place == 1),
    ),
    2: (
        *(name for name, place in syscalls.SECOND.items() if place == 2),
        "mq_timedsend",
        "msgsnd",
        "read",
        "readv",
        "recvmsg",
        "write",
        "writev",
        "sendto",
        "sendmsg",
        "epoll_wait",
        "epoll_pwait",
        "epoll_pwait2",
        "recvmmsg",
        "sendmmsg",
        "openat",
        "dup3",
        "io_uring_enter",
        "pread64",
        "pwrite64",
    ),
    3: ("recvfrom", "accept4"),
}


def actions(selected: Container[int] | None = None) -> dict[int, tuple[int, int]]:
    """Number → (argument to keep, Learn bits): the `calls` table of the probes. Calls that are not in `selected`
    (None: all are) leave no record."""
    table: dict[int, list[int]] = {}
    for keep, members in _KEEP.items():
        for name in members:
            table.setdefault(syscalls.numbers()[name], [0, 0])[0] = keep
    for learn, members in _LEARN.items():
        for name in members:
            table.setdefault(syscalls.numbers()[name], [0, 0])[1] = int(learn)
    for number in syscalls.names():
        if selected is not None and number not in selected:
            table.setdefault(number, [0, 0])[1] |= int(Learn.SILENT)
    return {number: (keep, learn) for number, (keep, learn) in table.items()}
