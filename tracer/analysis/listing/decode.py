"""Arguments of system calls as words: names of flags and operations from strace's tables (tracer/kernel/data/flags.tsv)
and, for open(2) and fcntl(2), from Python's own os and fcntl modules."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from tracer.kernel import syscall_filter, syscalls
from tracer.kernel.signal_names import signal_name

Argument: TypeAlias = tuple[str, str]
"""The name of an argument, and the value as text."""

# SOCK_NONBLOCK and SOCK_CLOEXEC are O_NONBLOCK and O_CLOEXEC by definition (include/linux/net.h).
_SOCK_FLAGS = {"SOCK_NONBLOCK": os.O_NONBLOCK, "SOCK_CLOEXEC": os.O_CLOEXEC}
_EPOLL_FLAGS = {"EPOLL_CLOEXEC": os.O_CLOEXEC}
_AT_FDCWD = -100
_SYNONYMS = ("O_NDELAY", "O_RSYNC", "O_FSYNC")


@cache
def _table(name: str) -> dict[str, int]:
    """Name → value of one of the tables."""
    if name == "open":
        return {
            key: getattr(os, key)
            for key in dir(os)
            if key.startswith("O_") and key not in _SYNONYMS
        }
    if name == "fcntl":
        return {
            key: getattr(fcntl, key)
            for key in dir(fcntl)
            if key.startswith(("F_GET", "F_SET", "F_DUP", "F_ADD", "F_NOTIFY", "F_OFD"))
            and key != "F_SETLKW64"
        }
    rows = (
        line.split("\t")
        for line in files("tracer.kernel")
        .joinpath("data/flags.tsv")
        .read_text(encoding="utf-8")
        .splitlines()[2:]
    )
    return {key: int(value) for table, key, value in rows if table == name}


def flags(value: int, table: dict[str, int], none: str = "0") -> str:
    """MSG_DONTWAIT|MSG_PEEK; bits without a name are added in hexadecimal."""
    named = []
    for name, bits in sorted(table.items(), key=lambda item: (-item[1].bit_count(), item[1])):
        if bits and value & bits == bits:
            named.append((bits, name))
            value &= ~bits
    words = [name for _, name in sorted(named)]
    return "|".join(words + ([hex(value)] if value else [])) or none


def one_of(value: int, table: dict[str, int]) -> str:
    """The name that stands for a value, or the value."""
    return next((name for name, number in table.items() if number == value), str(value))


def epoll_events(value: int) -> str:
    """EPOLLIN|EPOLLET."""
    return flags(value & 0xFFFFFFFF, _table("epollevents"))


def open_flags(value: int) -> str:
    """O_RDWR|O_NONBLOCK."""
    access = one_of(
        value & os.O_ACCMODE,
        {name: _table("open")[name] for name in ("O_RDONLY", "O_WRONLY", "O_RDWR")},
    )
    others = {name: bits for name, bits in _table("open").items() if not bits & os.O_ACCMODE}
    rest = flags(value & ~os.O_ACCMODE, others, "")
    return f"{access}|{rest}" if rest else access


def message_flags(value: int) -> str:
    """MSG_DONTWAIT."""
    return flags(value, _table("msg_flags"))


def epoll_operation(value: int) -> str:
    """EPOLL_CTL_ADD."""
    return one_of(value, _table("epollctls"))


def fcntl_command(value: int) -> str:
    """F_SETFL."""
    return one_of(value, _table("fcntl"))


def family(value: int) -> str:
    """AF_INET."""
    return one_of(value, _table("addrfams"))


def socket_type(value: int) -> str:
    """SOCK_STREAM|SOCK_NONBLOCK."""
    kind = one_of(value & 0xF, _table("socktypes"))
    rest = flags(value & ~0xF, _SOCK_FLAGS, "")
    return f"{kind}|{rest}" if rest else kind


def signed(value: int) -> str:
    """An argument that C takes for an int."""
    return str(value - (1 << 32) if value >> 31 & 1 else value)


def directory(value: int) -> str:
    """AT_FDCWD, or the descriptor of a directory."""
    return "AT_FDCWD" if value == _AT_FDCWD else str(value)


# Call → the argument that its record keeps beside the first one: (name, function that writes the value).
_KEPT: dict[str, tuple[str, Callable[[int], str]]] = {
    **dict.fromkeys(
        ("read", "readv", "write", "writev", "sendto", "pread64", "pwrite64"), ("count", str)
    ),
    **dict.fromkeys(("recvmsg", "sendmsg", "recvfrom"), ("flags", message_flags)),
    **dict.fromkeys(
        ("epoll_wait", "epoll_pwait", "epoll_pwait2", "recvmmsg", "sendmmsg"), ("most", signed)
    ),
    **dict.fromkeys(("poll", "ppoll"), ("nfds", str)),
    "listen": ("backlog", signed),
    "shutdown": ("how", lambda value: one_of(value, _table("shutdown_modes"))),
    "kill": ("sig", signal_name),
    "rt_sigqueueinfo": ("sig", signal_name),
    "ioctl": ("request", hex),
    "openat": ("flags", open_flags),
    "accept4": ("flags", lambda value: flags(value, _SOCK_FLAGS)),
    "pipe2": ("flags", open_flags),
    "dup3": ("flags", open_flags),
    "fcntl": ("cmd", fcntl_command),
    "epoll_ctl": ("op", epoll_operation),
}
_FIRST: dict[str, tuple[str, Callable[[int], str]]] = {
    "socket": ("domain", family),
    "kill": ("pid", str),
    "rt_sigqueueinfo": ("pid", str),
    "exit_group": ("status", str),
    "select": ("nfds", str),
    "pselect6": ("nfds", str),
    "epoll_create1": ("flags", lambda value: flags(value, _EPOLL_FLAGS)),
}
_COUNTS = {"readv": "iovcnt", "writev": "iovcnt", "sendto": "len"}
# Calls of strace's classes desc and network whose first argument is no descriptor; that of *at calls is a directory.
_NO_DESCRIPTOR = {
    "open",
    "creat",
    "pipe",
    "pipe2",
    "socket",
    "socketpair",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "mmap",
    "eventfd",
    "eventfd2",
    "epoll_create",
    "epoll_create1",
    "timerfd_create",
    "memfd_create",
    "memfd_secret",
    "inotify_init",
    "inotify_init1",
    "fanotify_init",
    "io_uring_setup",
    "perf_event_open",
    "userfaultfd",
    "bpf",
    "pidfd_open",
    "uselib",
    "landlock_create_ruleset",
    "shmat",
    "mq_open",
    "fsopen",
    "symlinkat",
    "open_tree",
    "move_mount",
}
_IN_DIRECTORY = ("openat2", "statx", "faccessat2", "fchmodat2")  # as those whose name ends in "at"
OPENING = ("open", "openat", "openat2", "creat", "accept", "accept4")


@cache
def with_descriptor() -> frozenset[int]:
    """The numbers of the calls whose first argument is a descriptor."""
    classes = syscall_filter.classes()
    without = {syscalls.numbers()[name] for name in _NO_DESCRIPTOR}
    return (classes["%desc"] | classes["%network"]) - without - classes["%file"]


@cache
def opening() -> frozenset[int]:
    """The numbers of the calls whose result is a descriptor of something that has a name."""
    return frozenset(syscalls.numbers()[name] for name in OPENING)


def arguments(
    name: str, first: int, kept: int, more: tuple[int, int, int] | None
) -> list[Argument]:
    """(name, value) of each argument of a call that a recording has.

    first: argument 0; kept: the argument that the record of the call keeps; more: arguments 1, 2 and 3 of a call that
    sets something up, None where they were not recorded. An argument called "fd" is a descriptor.
    """
    if more and name in _SET_UP:
        return _SET_UP[name](first, more)
    return [*_first(name, first), *_kept(name, kept)]


def _first(name: str, value: int) -> list[Argument]:
    """Argument 0: a descriptor, a directory, or the argument in _FIRST; nothing for other calls."""
    if syscalls.numbers().get(name) in with_descriptor():
        return [("fd", str(value))]
    if name.endswith("at") or name in _IN_DIRECTORY:
        return [("dirfd", directory(value))]
    if name in _FIRST:
        label, written = _FIRST[name]
        return [(label, written(value))]
    return []


def _kept(name: str, value: int) -> list[Argument]:
    """The argument that the record of the call keeps."""
    if name in _KEPT:
        label, written = _KEPT[name]
        return [(_COUNTS.get(name, label), written(value))]
    return []


# Calls that set something up, of which arguments 1, 2 and 3 are recorded.


def _epoll_ctl(first: int, more: tuple[int, int, int]) -> list[Argument]:
    return [
        ("fd", str(first)),
        ("op", epoll_operation(more[0])),
        ("target", str(more[1])),
        ("events", epoll_events(more[2])),
    ]


def _fcntl(first: int, more: tuple[int, int, int]) -> list[Argument]:
    command, value, _ = more
    argument = open_flags(value) if command == fcntl.F_SETFL else str(value)
    return [("fd", str(first)), ("cmd", fcntl_command(command)), ("arg", argument)]


def _socket(first: int, more: tuple[int, int, int]) -> list[Argument]:
    kind, protocol, _ = more
    return [("domain", family(first)), ("type", socket_type(kind)), ("protocol", str(protocol))]


def _ioctl(first: int, more: tuple[int, int, int]) -> list[Argument]:
    return [("fd", str(first)), ("request", hex(more[0]))]


_SET_UP: dict[str, Callable[[int, tuple[int, int, int]], list[Argument]]] = {
    "epoll_ctl": _epoll_ctl,
    "fcntl": _fcntl,
    "socket": _socket,
    "ioctl": _ioctl,
}
