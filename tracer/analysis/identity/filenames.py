"""What a descriptor is at a moment of a recording, in the words of `strace -yy`: TCP:[127.0.0.1:80->127.0.0.1:4711],
/var/log/x, pipe:[1234], anon_inode:[eventfd]."""

from __future__ import annotations

import socket
import stat

from tracer.kernel import syscalls
from tracer.kernel.proc_net import pair
from tracer.recording.records import Kind, text_of

# What /proc/PID/fd says of a descriptor that such a call made: fs/eventfd.c and others, anon_inode_getfd().
MAKERS = {
    "eventfd": "eventfd",
    "eventfd2": "eventfd",
    "timerfd_create": "timerfd",
    "signalfd": "signalfd",
    "signalfd4": "signalfd",
    "epoll_create": "eventpoll",
    "epoll_create1": "eventpoll",
    "io_uring_setup": "io_uring",
    "inotify_init": "inotify",
    "inotify_init1": "inotify",
    "pidfd_open": "pidfd",
}
_ALONE = ("TCP", "UDP", "UNIX", "pipe:", "socket:", "RAW", "NETLINK")
TEACHING = (Kind.DESCRIPTOR, Kind.ADDRESS, Kind.PATH, Kind.THREAD, Kind.START)
_TYPES = {
    (socket.AF_INET, socket.SOCK_STREAM): "TCP",
    (socket.AF_INET6, socket.SOCK_STREAM): "TCPv6",
    (socket.AF_INET, socket.SOCK_DGRAM): "UDP",
    (socket.AF_INET6, socket.SOCK_DGRAM): "UDPv6",
}


class FdNames:
    """Learns from records in time order; `facts` are the recording's, with the files that were found in /proc."""

    def __init__(self, facts: dict) -> None:
        self._files = {(its["fd"], its["inode"]): its["name"] for its in facts.get("files") or []}
        self._process: dict[int, int] = {}
        self._names: dict[int, dict[int, tuple[int, str]]] = {}
        self._made: dict[
            int, tuple[int, str]
        ] = {}  # tid → descriptor and what its last call made of it
        self._ever: dict[tuple[int, int, int], str] = {}
        self._first: dict[
            tuple[int, int], tuple[int, int, int]
        ] = {}  # process and inode → the first key of _ever
        self._by_inode: dict[int, str] = {}  # of sockets and pipes, whose inodes are theirs alone
        self._opened = False
        self._local: tuple[str, int] = ("", 0)
        numbers = syscalls.numbers()
        self._makers = {numbers[call]: f"anon_inode:[{what}]" for call, what in MAKERS.items()}

    def name(self, tid: int, fd: int) -> str | None:
        """What the descriptor of that thread is now, None where that was never seen."""
        return self._of(tid).get(fd, (0, None))[1]

    def ever(self, tgid: int, fd: int, inode: int) -> str | None:
        """What the descriptor with that inode was called, whenever that was; 0: what it was called last. fd −1: any."""
        if fd < 0:
            return self._ever.get(self._first.get((tgid, inode)))
        if not inode:
            return self._names.get(tgid, {}).get(fd, (0, None))[1]
        return (
            self._ever.get((tgid, fd, inode))
            or self._by_inode.get(inode)
            or self._files.get((fd, inode))
        )

    def learn(
        self, kind: int, tid: int, fd: int, start: int, result: int, nr: int, arg: int
    ) -> bool:
        """One record's fields; whether it says what descriptor `fd` of that thread is."""
        if kind == Kind.CALL:
            if nr in self._makers:
                self._made[tid] = (result, self._makers[nr])
            return False
        if kind == Kind.DESCRIPTOR:
            self._describe(tid, fd, start, arg)
        elif kind == Kind.ADDRESS:
            address = address_of(start, result, arg)
            if nr == 0:
                self._local = address
            else:
                self._rename(tid, fd, f"{protocol_of(arg)}:[{pair(self._local, address)}]")
        elif kind == Kind.PATH:
            if nr == 0:
                self._opened = (self.name(tid, fd) or "inode:").startswith("inode:")
                if self._opened:
                    self._rename(tid, fd, "")
            if self._opened:  # /proc knew no better: the path as the program said it
                self._rename(tid, fd, self.name(tid, fd) + text_of(start, result))
        elif kind in (Kind.THREAD, Kind.START):
            self._process[tid] = result
            if (
                kind == Kind.THREAD and self._process.get(fd, fd) != result
            ):  # a fork: its parent's descriptors
                self._names[result] = dict(self._of(fd))
            return False
        else:
            return False
        return True

    def _of(self, tid: int) -> dict[int, tuple[int, str]]:
        """Descriptor → (inode, name) in the process of that thread."""
        return self._names.setdefault(self._process.get(tid, tid), {})

    def _rename(self, tid: int, fd: int, name: str) -> None:
        self._keep(tid, fd, self._of(tid).get(fd, (0, ""))[0], name)

    def _keep(self, tid: int, fd: int, inode: int, name: str) -> None:
        self._of(tid)[fd] = (inode, name)
        key = process, _, _ = self._process.get(tid, tid), fd, inode
        self._ever[key] = name
        self._first.setdefault((process, inode), key)
        if name.startswith(_ALONE):
            self._by_inode[inode] = name

    def _describe(self, tid: int, fd: int, inode: int, mode: int) -> None:
        made_fd, made = self._made.pop(tid, (-1, ""))
        if made_fd == fd:
            name = made
        elif self._of(tid).get(fd, (-1, ""))[0] == inode:  # looked at again
            return
        else:
            kind = "socket" if stat.S_ISSOCK(mode) else "pipe" if stat.S_ISFIFO(mode) else "inode"
            name = self._files.get((fd, inode)) or self._by_inode.get(inode) or f"{kind}:[{inode}]"
        self._keep(tid, fd, inode, name)


def address_of(first: int, second: int, arg: int) -> tuple[str, int]:
    """(address, port) of an ADDRESS record."""
    raw = first.to_bytes(8, "little", signed=True) + second.to_bytes(8, "little", signed=True)
    family = arg >> 24
    return socket.inet_ntop(family, raw[:4] if family == socket.AF_INET else raw), arg & 0xFFFF


def protocol_of(arg: int) -> str:
    """TCP, UDPv6 … of an ADDRESS record."""
    return _TYPES.get((arg >> 24, arg >> 16 & 0xFF), "socket")
