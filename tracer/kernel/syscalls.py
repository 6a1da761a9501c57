"""System calls by number and name, and the classes in which the analysis knows them (x86-64 kernel interface)."""

from __future__ import annotations

import errno
from functools import cache
from importlib.resources import files
from typing import NamedTuple

# A call's number in a record has 16 bits (NR_* of probes/iotrace.h). COMPAT marks one of the 32-bit ABI (int 0x80,
# sysenter), which has other numbers. WHOLE stands for a number from MOST on, which is beside it, in `arg`.
COMPAT, WHOLE, MOST = 0x8000, 0x7FFF, 0x4000
X32 = 1 << 30  # in the number of a call of the x32 ABI (__X32_SYSCALL_BIT)
X86_64, I386, X32_ABI = "x86-64", "i386", "x32"
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
# Result codes that never reach user space: the kernel restarts the call (include/linux/errno.h). 515, between them, is
# no restart: an ioctl's "no such command", which user space sees as ENOTTY.
RESTARTS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    516: "ERESTART_RESTARTBLOCK",
}
_OF_THE_KERNEL = RESTARTS | {515: "ENOIOCTLCMD"}


class Call(NamedTuple):
    """Which system call it is: its ABI (X86_64, I386, X32_ABI), and its number there (x32's without bit 30)."""

    abi: str
    number: int

    @classmethod
    def of(cls, nr: int, arg: int = 0) -> Call:
        """From a record's `nr` and `arg`."""
        number = nr & ~COMPAT
        if number == WHOLE and arg:
            number = arg
        if nr & COMPAT:
            return cls(I386, number)
        return cls(X32_ABI, number & ~X32) if number & ~0x3FF == X32 else cls(X86_64, number)

    @property
    def name(self) -> str:
        """The call's name; `i386:N` and `x32:N` for the other ABIs, `syscall_N` for a number that no table knows."""
        if self.abi != X86_64:
            return f"{self.abi}:{shown_number(self.number)}"
        return names().get(self.number) or f"syscall_{shown_number(self.number)}"

    @property
    def name_in_abi(self) -> str | None:
        """The name that the call has in its own ABI, None for a number that no table knows."""
        return _table()[self.abi].get(self.number)


def shown_number(number: int) -> str:
    """A number that a table of calls could hold as a decimal, any other one as strace shows it: 0x1002d."""
    return str(number) if number < MOST else hex(number)


@cache
def _table() -> dict[str, dict[int, str]]:
    """ABI → number → name."""
    text = files(__package__).joinpath("data/syscalls.tsv").read_text(encoding="utf-8")
    header, *rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    columns = {abi: header.index(abi.replace("-", "_")) for abi in (X86_64, I386, X32_ABI)}
    return {
        abi: {int(row[column]): row[0] for row in rows if row[column] != "-"}
        for abi, column in columns.items()
    }


@cache
def names() -> dict[int, str]:
    """Number → name on x86-64."""
    return _table()[X86_64]


@cache
def numbers() -> dict[str, int]:
    """Name → number on x86-64."""
    return {name: number for number, name in names().items()}


def compat_codes(wanted: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers that records have of i386's calls with these names."""
    return tuple(number | COMPAT for number, name in _table()[I386].items() if name in wanted)


def name_of(nr: int, arg: int = 0) -> str:
    """The name (Call.name) of the call in a record with this `nr` and `arg`."""
    return Call.of(nr, arg).name


def coded(number: int, compat: bool) -> tuple[int, int]:
    """A call's number as a record has it: (nr, arg; 0 where nr holds all of it)."""
    nr, arg = (number, 0) if number < MOST else (WHOLE, number & 0xFFFFFFFF)
    return nr | (COMPAT if compat else 0), arg


def class_of(name: str) -> str:
    """The textbook's name of a waiting call (pselect6 → select), any other name unchanged."""
    return next((known for known, members in CLASSES.items() if name in members), name)


def class_numbers(members: tuple[str, ...]) -> list[int]:
    """The numbers of the calls of a class."""
    return [numbers()[name] for name in members]


def error_name(result: int) -> str:
    """−11 → EAGAIN; the kernel's own −512 … −516 too."""
    return errno.errorcode.get(-result) or _OF_THE_KERNEL.get(-result) or f"error {-result}"
