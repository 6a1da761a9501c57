"""What /proc says of running processes: threads, children, the call a thread is in, descriptors with their flags,
epoll registrations and sockets' addresses (man proc(5); Documentation/filesystems/proc.rst)."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tracer import text
from tracer.kernel import proc_net

PF_KTHREAD = 0x00200000  # include/linux/sched.h; the flags in /proc/PID/stat
_ENDED = "ZX"  # states of a thread that has ended
EPOLL = "anon_inode:[eventpoll]"  # what /proc/PID/fd says of an epoll instance
_ALWAYS_WATCHED = select.EPOLLERR | select.EPOLLHUP


@dataclass
class Descriptor:
    """One open file of a process. link: what /proc/PID/fd/N points at; flags: O_* of open(2); name: the file as
    `strace -yy` shows it; epoll: watched descriptor → its epoll events, where it is an epoll instance."""

    fd: int
    link: str
    flags: int
    inode: int
    name: str
    epoll: dict[int, int] = field(default_factory=dict)


class Stat:
    """/proc/PID/stat (man proc_pid_stat(5)).

    parent: process ID; flags: PF_*; born_ns: when the first thread began, in ns of CLOCK_BOOTTIME, to a clock tick
    (mostly 10 ms).
    first_has_ended: the first thread has, while others may run on; has_ended: the process is a zombie.
    """

    def __init__(self, content: str) -> None:
        # from the third (state) on: before them is the name, which may hold anything
        fields = content.rpartition(")")[2].split()
        self.parent, self.flags = int(fields[1]), int(fields[6])
        self.first_has_ended = fields[0] in _ENDED
        self.has_ended = self.first_has_ended and int(fields[17]) <= 1  # num_threads
        self.born_ns = int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Process:
    """A process (or a thread) by the ID that this PID namespace has for it. Every method raises ProcessLookupError or
    FileNotFoundError once it is gone."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._proc = Path(f"/proc/{pid}")

    def threads(self) -> list[int]:
        """The IDs of the process's threads that have not ended (the first one may have, while others run on)."""
        tids = sorted(map(int, os.listdir(self._proc / "task")))
        if self.pid in tids and self._stat().first_has_ended:
            tids.remove(self.pid)
        return tids

    def is_kernel_thread(self) -> bool:
        return bool(self._stat().flags & PF_KTHREAD)

    def has_ended(self) -> bool:
        """Whether the process is a zombie: it has ended, and its parent has not asked for its status. (A first thread
        can be one while other threads run on.)"""
        return self._stat().has_ended

    def leader(self) -> int:
        """The ID of the thread's process; of a process its own ID."""
        status = text.read(self._proc / "status")
        return int(status.partition("\nTgid:")[2].split(maxsplit=1)[0])

    def owner(self) -> int | None:
        """Whose it is; of one that may not be dumped (a set-user-ID program) root; None once it is gone."""
        try:
            return self._proc.stat().st_uid
        except OSError:
            return None

    def command(self) -> list[str]:
        """The command line; where there is none the name alone."""
        words = text.raw(self._proc / "cmdline").split(b"\0")[:-1]
        return [text.shown(word) for word in words] or [_comm(self._proc)]

    def call(self) -> tuple[int, int] | None:
        """(number, argument 0) of the system call that the thread sleeps in; None if it is in none, or is running."""
        try:
            words = text.read(self._proc / "syscall").split()
        except (
            OSError
        ):  # gone, or a kernel that does not say (CONFIG_HAVE_ARCH_TRACEHOOK), or not ours to know
            return None
        if len(words) < 9 or int(words[0]) < 0:
            return None
        first = int(words[1], 16) & 0xFFFFFFFF
        return int(words[0]), first - (1 << 32) if first >> 31 else first

    def descriptor(self, fd: int) -> Descriptor | None:
        """One open file, a socket under its link's name; None if it is closed."""
        try:
            link = text.shown(os.readlink(self._proc / "fd" / str(fd)))
            info = text.read(self._proc / "fdinfo" / str(fd))
            inode = _inode(info) or os.stat(self._proc / "fd" / str(fd)).st_ino
        except OSError:
            return None
        flags = re.search(r"^flags:\s*([0-7]+)", info, re.M)
        return Descriptor(
            fd, link, int(flags[1], 8) if flags else 0, inode, link, _registrations(info)
        )

    def open_numbers(self) -> list[int]:
        """The numbers of the open files, in order; where these may not be read, all that the table has room for."""
        try:
            return sorted(map(int, os.listdir(self._proc / "fd")))
        except PermissionError:
            size = re.search(r"^FDSize:\s*(\d+)", text.read(self._proc / "status"), re.M)
            return list(range(int(size[1]))) if size else []

    def descriptors(self, pause: Callable[[], None] = lambda: None) -> list[Descriptor]:
        """The open files in the order of their numbers, sockets with their addresses. pause: called after every 100."""
        descriptors = []
        for count, fd in enumerate(sorted(map(int, os.listdir(self._proc / "fd"))), 1):
            if descriptor := self.descriptor(fd):
                descriptors.append(descriptor)
            if count % 100 == 0:
                pause()
        sockets = [
            descriptor for descriptor in descriptors if descriptor.link.startswith("socket:")
        ]
        if sockets:
            names = proc_net.names(self._proc / "net")
            for socket in sockets:
                socket.name = names.get(socket.inode, socket.link)
        return descriptors

    def _stat(self) -> Stat:
        return Stat(text.read(self._proc / "stat"))


def _inode(info: str) -> int | None:
    """The kernel's own number of the inode, from fdinfo (Linux 5.14 on); stat may return another."""
    match = re.search(r"^ino:\s*(\d+)", info, re.M)
    return int(match[1]) if match else None


def _registrations(info: str) -> dict[int, int]:
    """Watched descriptor → the events asked for, from an epoll instance's fdinfo (where the kernel has added two)."""
    return {
        int(fd): int(events, 16) & ~_ALWAYS_WATCHED
        for fd, events in re.findall(r"^tfd:\s*(\d+) events:\s*([0-9a-f]+)", info, re.M)
    }


def _comm(process: Path) -> str:
    """The name, in which there may be newlines: the last one is the kernel's. Raises OSError."""
    return text.shown(text.raw(process / "comm").removesuffix(b"\n"))


def children(parents: set[int]) -> Iterator[int]:
    """The processes whose parent is one of `parents`."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parent = Stat(text.read(f"/proc/{name}/stat")).parent
            except OSError:
                continue
            if parent in parents:
                yield int(name)
