"""System calls by number and name, and the classes in which the analysis knows them (x86-64 kernel interface)."""

from __future__ import annotations

import errno
from collections.abc import Container
from enum import IntFlag
from functools import cache
from importlib.resources import files

SUPPORTED = ("x86_64",)
COMPAT = (
    0x8000  # added to the number of a call made by a 32-bit program, whose numbers are not ours
)

# One class for all the calls that do the same to an I/O model: glibc calls pselect6 where a program wrote select.
RECEIVE = ("recvfrom", "recvmsg", "recvmmsg", "read", "readv", "pread64", "preadv", "preadv2")
SELECT = ("select", "pselect6")
POLL = ("poll", "ppoll")
EPOLL = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
CLASSES = {"select": SELECT, "poll": POLL, "epoll_wait": EPOLL}

# Result codes that never reach user space: the kernel restarts the call (include/linux/errno.h).
RESTARTS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
}


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


_LEARN = {
    Learn.FIRST: RECEIVE,
    Learn.RESULT | Learn.PATH0: ("open", "creat"),
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
    ),
    2: (
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


@cache
def names() -> dict[int, str]:
    """Number → name on x86-64."""
    text = files(__package__).joinpath("data/syscalls.tsv").read_text()
    rows = [line.split("\t") for line in text.splitlines()[2:]]
    return {int(number): name for name, number in rows}


@cache
def numbers() -> dict[str, int]:
    """Name → number on x86-64."""
    return {name: number for number, name in names().items()}


def name_of(number: int) -> str:
    """The call's name; `i386:N` for a 32-bit program's, `syscall_N` for one newer than the table."""
    if number >= COMPAT:
        return f"i386:{number - COMPAT}"
    return names().get(number, f"syscall_{number}")


def class_of(name: str) -> str:
    """The textbook's name of a waiting call (pselect6 → select), any other name unchanged."""
    return next((known for known, members in CLASSES.items() if name in members), name)


def class_numbers(members: tuple[str, ...]) -> list[int]:
    """The numbers of the calls of a class."""
    return [numbers()[name] for name in members]


def actions(selected: Container[int] | None = None) -> dict[int, tuple[int, int]]:
    """Number → (argument to keep, Learn bits): the `calls` table of the probes. Calls that are not in `selected`
    (None: all are) leave no record."""
    table: dict[int, list[int]] = {}
    for keep, members in _KEEP.items():
        for name in members:
            table.setdefault(numbers()[name], [0, 0])[0] = keep
    for learn, members in _LEARN.items():
        for name in members:
            table.setdefault(numbers()[name], [0, 0])[1] = int(learn)
    for number in names():
        if selected is not None and number not in selected:
            table.setdefault(number, [0, 0])[1] |= int(Learn.SILENT)
    return {number: (keep, learn) for number, (keep, learn) in table.items()}


def error_name(result: int) -> str:
    """−11 → EAGAIN; the kernel's own −512 … −516 too."""
    return errno.errorcode.get(-result) or RESTARTS.get(-result) or f"error {-result}"
