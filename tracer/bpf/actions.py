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
    SENDS = 4096
    ENDS = 8192
    WATCHED = 16384
    DUPS = 65536
    MESSAGES = 262144
    SECOND = 524288
    OWNER = 1048576


# Calls that open a descriptor, of which no more is to be told.
_OPENS = (
    "eventfd",
    "eventfd2",
    "fanotify_init",
    "fsmount",
    "fsopen",
    "fspick",
    "inotify_init",
    "inotify_init1",
    "io_uring_setup",
    "landlock_create_ruleset",
    "memfd_create",
    "memfd_secret",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pidfd_open",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "epoll_create",
    "epoll_create1",
    "userfaultfd",
)
_SENDS = (*syscalls.SEND, "vmsplice", "mq_timedsend")
_LEARN = {
    Learn.FIRST: (*syscalls.RECEIVE, "mq_timedreceive"),
    Learn.FIRST | Learn.MESSAGES: ("recvmmsg",),
    Learn.FIRST | Learn.SENDS: _SENDS,
    Learn.FIRST | Learn.SENDS | Learn.MESSAGES: ("sendmmsg",),
    Learn.FIRST | Learn.SENDS | Learn.SECOND: ("sendfile",),
    Learn.FIRST | Learn.SECOND: tuple(its for its in syscalls.SECOND if its != "sendfile"),
    Learn.RESULT | Learn.PATH0: ("open", "creat", "mq_open"),
    Learn.RESULT | Learn.PATH1: ("openat", "openat2"),
    Learn.RESULT: _OPENS,
    Learn.RESULT | Learn.FIRST: ("dup", "dup2", "dup3"),
    Learn.RESULT | Learn.FIRST | Learn.ADDRESS: ("accept", "accept4"),
    Learn.FIRST | Learn.ADDRESS: ("bind", "connect"),
    Learn.RESULT | Learn.ARGS: ("socket",),
    Learn.FIRST | Learn.ARGS: ("ioctl",),
    Learn.FIRST | Learn.ARGS | Learn.DUPS: ("fcntl",),
    Learn.PAIR0: ("pipe", "pipe2"),
    Learn.PAIR3: ("socketpair",),
    Learn.THIRD | Learn.ARGS: ("epoll_ctl",),
    Learn.EXEC: ("execve", "execveat"),
    Learn.EVENTS: ("io_getevents", "io_pgetevents"),
    Learn.WATCHED: (*syscalls.SELECT, *syscalls.POLL, *syscalls.EPOLL),
    Learn.OWNER: ("futex",),
    Learn.ENDS | Learn.FIRST: ("close",),
    Learn.ENDS | Learn.ARGS: ("close_range", "unshare"),
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
    5: ("preadv2", "pwritev2"),
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
