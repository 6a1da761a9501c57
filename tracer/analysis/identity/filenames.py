"""The name of a descriptor at a time of a recording, as `strace -yy` writes it: TCP:[127.0.0.1:80->127.0.0.1:4711],
/var/log/x, pipe:[1234], anon_inode:[eventfd]."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from typing import Any

from tracer import text
from tracer.analysis.tables.number_set import number_set
from tracer.kernel import syscalls
from tracer.kernel.proc_net import pair
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Addresses, Births, Calls, Descriptors, Paths, Row, each
from tracer.recording.records import MOST_PATH, Kind, bytes_of

# Call → the name in /proc/PID/fd of the descriptor that it makes: fs/eventfd.c and others, anon_inode_getfd().
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
_ADDRESS = ("low", "high", "port")
_ALONE = ("TCP", "UDP", "UNIX", "pipe:", "socket:", "RAW", "NETLINK")
_PROTOCOLS: dict[tuple[int, int], str] = {
    (socket.AF_INET, socket.SOCK_STREAM): "TCP",
    (socket.AF_INET6, socket.SOCK_STREAM): "TCPv6",
    (socket.AF_INET, socket.SOCK_DGRAM): "UDP",
    (socket.AF_INET6, socket.SOCK_DGRAM): "UDPv6",
}


class FdNames:
    """Learns from records in time order; facts: the metadata of the recording, with the files that were listed in
    /proc."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._files = {
            (file["fd"], file["inode"]): file["name"] for file in facts.get("files") or []
        }
        self._process: dict[int, int] = {}
        self._names: dict[int, dict[int, tuple[int, str]]] = {}
        # thread → (descriptor, name) that its last call made
        self._made: dict[int, tuple[int, str]] = {}
        self._ever: dict[tuple[int, int, int], str] = {}
        # process, inode → the first key of _ever
        self._first: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._by_inode: dict[int, str] = {}  # of sockets and pipes: no two share an inode
        # thread → (descriptor, the bytes so far) of the path by which it was opened
        self._paths: dict[int, tuple[int, bytes]] = {}
        self._local: tuple[str, int] = ("", 0)
        numbers = syscalls.numbers()
        self._makers = {numbers[call]: f"anon_inode:[{kind}]" for call, kind in MAKERS.items()}
        self._makes = number_set(self._makers)

    def name(self, tid: int, fd: int) -> str | None:
        """The name of the descriptor in the thread's process now, None where it was never seen."""
        return self._of(tid).get(fd, (0, None))[1]

    def ever(self, tgid: int, fd: int, inode: int) -> str | None:
        """The name of the descriptor when it had that inode, at any time; inode 0: the last name; fd −1: of any
        descriptor."""
        if fd < 0:
            first = self._first.get((tgid, inode))
            return None if first is None else self._ever.get(first)
        if not inode:
            return self._names.get(tgid, {}).get(fd, (0, None))[1]
        return (
            self._ever.get((tgid, fd, inode))
            or self._by_inode.get(inode)
            or self._files.get((fd, inode))
        )

    def feed(self, batch: RecordBatch) -> None:
        """A batch in time order."""
        for lesson in self.lessons(batch):
            self.learn(lesson)

    def lessons(self, batch: RecordBatch) -> Iterator[Row]:
        """The records of a batch that `learn` takes, in order."""
        calls = Calls(batch, batch.kind == Kind.CALL)
        return each(
            (calls.where(self._makes[calls.number]), ("tid", "number", "result")),
            (Descriptors.of(batch), ("tid", "fd", "inode", "mode")),
            (Addresses.of(batch), ("tid", "fd", "remote", "family", "socket_type", *_ADDRESS)),
            (Paths.of(batch), ("tid", "fd", "piece", "low", "high")),
            (Births.of(batch), ("tid", "kind", "tgid", "creator")),
        )

    def learn(self, lesson: Row) -> bool:
        """Takes one of `lessons`. Whether it was about a descriptor of that thread."""
        _, view, values = lesson
        if view is Calls:
            self._make(*values)
        elif view is Descriptors:
            self._describe(*values)
        elif view is Addresses:
            self._address(*values)
        elif view is Paths:
            self._path(*values)
        else:
            self._born(*values)
        return view not in (Calls, Births)

    def _make(self, tid: int, number: int, result: int) -> None:
        self._made[tid] = (result, self._makers[number])

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

    def _address(
        self, tid: int, fd: int, remote: int, family: int, kind: int, low: int, high: int, port: int
    ) -> None:
        address = _host(family, low, high), port
        if remote:
            protocol = _PROTOCOLS.get((family, kind), "socket")
            self._rename(tid, fd, f"{protocol}:[{pair(self._local, address)}]")
        else:
            self._local = address

    def _path(self, tid: int, fd: int, piece: int, low: int, high: int) -> None:
        """Pieces are joined as bytes: a character may lie in two of them."""
        if piece == 0:  # a name from /proc is better than the path that the program passed
            self._paths.pop(tid, None)
            if (self.name(tid, fd) or "inode:").startswith("inode:"):
                self._paths[tid] = fd, b""
        of, path = self._paths.get(tid, (-1, b""))
        if of == fd:
            path += bytes_of(low, high)
            self._paths[tid] = fd, path
            name = text.shown(path) + "…" * (len(path) == MOST_PATH)
            self._keep(tid, fd, self._of(tid).get(fd, (0, ""))[0], name, is_path=True)

    def _born(self, tid: int, kind: int, tgid: int, creator: int) -> None:
        self._process[tid] = tgid
        if kind == Kind.THREAD and self._process.get(creator, creator) != tgid:
            self._names[tgid] = dict(self._of(creator))  # a fork: its parent's descriptors

    def _of(self, tid: int) -> dict[int, tuple[int, str]]:
        """Descriptor → (inode, name) in the process of that thread."""
        return self._names.setdefault(self._process.get(tid, tid), {})

    def _rename(self, tid: int, fd: int, name: str) -> None:
        self._keep(tid, fd, self._of(tid).get(fd, (0, ""))[0], name)

    def _keep(self, tid: int, fd: int, inode: int, name: str, is_path: bool = False) -> None:
        self._of(tid)[fd] = (inode, name)
        key = process, _, _ = self._process.get(tid, tid), fd, inode
        self._ever[key] = name
        self._first.setdefault((process, inode), key)
        if name.startswith(_ALONE) and not is_path:  # a file may be called TCP:[…], too
            self._by_inode[inode] = name


def _host(family: int, low: int, high: int) -> str:
    """The 16 bytes of an address as text; of IPv4 the first 4 count."""
    raw = low.to_bytes(8, "little", signed=True) + high.to_bytes(8, "little", signed=True)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return f"family {family}"
    return socket.inet_ntop(family, raw[:4] if family == socket.AF_INET else raw)
