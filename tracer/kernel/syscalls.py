"""System calls by number and name, and the classes in which the analysis knows them (x86-64 kernel interface)."""

from __future__ import annotations

import errno
from functools import cache
from importlib.resources import files

COMPAT = (
    0x8000  # added to the number of a call made by a 32-bit program, whose numbers are not ours
)
EPOLL_CTL_ADD, EPOLL_CTL_DEL = 1, 2  # of epoll_ctl(2), not in the module select

# One class for all the calls that do the same to an I/O model: glibc calls pselect6 where a program wrote select.
# Those that receive by copying into the caller's memory, and all that receive. What a receive that is not among the
# first brings is moved and not copied to user space; figures say so. vmsplice receives where its descriptor is a pipe's
# reading end; tee leaves what it brings in its pipe.
COPY = (
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "read",
    "readv",
    "pread64",
    "preadv",
    "preadv2",
    "vmsplice",
)
RECEIVE = (*COPY, "splice", "tee")
SEND = (
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "sendfile",
)
# Calls with two descriptors, argument 0 and this one: data goes from the first to the second; of sendfile from the
# second to the first.
SECOND = {"splice": 2, "tee": 1, "sendfile": 1, "copy_file_range": 2}
SECOND_IS_INPUT = ("sendfile",)
IN_MESSAGES = ("recvmmsg", "sendmmsg")  # what these return counts messages, not bytes
# Message queues: POSIX (mq_overview(7)), whose descriptors are files, and SysV (sysvipc(7)), whose IDs are none. What
# is sent has the length that the call was given, and the call returns 0.
QUEUE_RECEIVE, QUEUE_SEND = ("mq_timedreceive", "msgrcv"), ("mq_timedsend", "msgsnd")
SYSV_QUEUE = ("msgrcv", "msgsnd")
SELECT = ("select", "pselect6")
POLL = ("poll", "ppoll")
EPOLL = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
CLASSES = {"select": SELECT, "poll": POLL, "epoll_wait": EPOLL}

MOST_ERRNO = (
    4095  # a call that failed has returned a negative number, down to this (include/linux/err.h)
)
# Result codes that never reach user space: the kernel restarts the call (include/linux/errno.h).
RESTARTS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
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


def error_name(result: int) -> str:
    """−11 → EAGAIN; the kernel's own −512 … −516 too."""
    return errno.errorcode.get(-result) or RESTARTS.get(-result) or f"error {-result}"
