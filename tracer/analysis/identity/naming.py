"""How files are written, as `strace -yy` writes them: TCP:[127.0.0.1:80->127.0.0.1:4711], UNIX-STREAM:[71->72],
/var/log/x, pipe:[1234], anon_inode:[eventfd], /memfd:x (deleted)."""

from __future__ import annotations

import socket
import stat
from typing import NamedTuple

from tracer import text
from tracer.analysis.identity.open_files import S_IFMT, FileKind
from tracer.kernel.proc_net import NETLINK, UNIX_TYPES, pair
from tracer.recording.records import MOST_PATH

PIECE = 16  # bytes of a name that a record holds
_ICMP, _SCTP, _DCCP, _UDPLITE, _MPTCP = 1, 132, 33, 136, 262  # include/uapi/linux/in.h
_PROTOCOLS: dict[tuple[int, int], str] = {
    (socket.SOCK_STREAM, 0): "TCP",
    (socket.SOCK_STREAM, socket.IPPROTO_TCP): "TCP",
    (socket.SOCK_STREAM, _SCTP): "SCTP",
    (socket.SOCK_STREAM, _MPTCP): "MPTCP",
    (socket.SOCK_DGRAM, 0): "UDP",
    (socket.SOCK_DGRAM, socket.IPPROTO_UDP): "UDP",
    (socket.SOCK_DGRAM, _ICMP): "PING",
    (socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6): "PING",
    (socket.SOCK_DGRAM, _UDPLITE): "UDPLITE",
    (socket.SOCK_SEQPACKET, _SCTP): "SCTP",
    (socket.SOCK_DCCP if hasattr(socket, "SOCK_DCCP") else 6, _DCCP): "DCCP",
}
# What the kernel calls them, for recordings that do not tell it.
_USUAL: dict[int, str] = {
    FileKind.EVENTFD: "[eventfd]",
    FileKind.TIMERFD: "[timerfd]",
    FileKind.SIGNALFD: "[signalfd]",
    FileKind.EPOLL: "[eventpoll]",
    FileKind.IO_URING: "[io_uring]",
    FileKind.INOTIFY: "inotify",
}
_FAMILIES: dict[int, str] = {
    38: "ALG",
    30: "TIPC",
    40: "VSOCK",
    29: "CAN",
    31: "BLUETOOTH",
    44: "XDP",
}


class SocketFacts(NamedTuple):
    """What a FILE record says of a socket: AF_*, SOCK_*, IPPROTO_* or NETLINK_*, and its peer's inode (AF_UNIX) or its
    port ID (AF_NETLINK)."""

    family: int
    type: int
    protocol: int
    peer: int

    @classmethod
    def of(cls, low: int, high: int) -> SocketFacts:
        """The two words of the record."""
        return cls(low & 0xFFFF, low >> 16 & 0xFF, low >> 32 & 0xFFFF, high)

    @property
    def name(self) -> str:
        """The protocol: TCP, UDPv6, UNIX-STREAM, NETLINK; socket where there is no word for it."""
        if self.family in (socket.AF_INET, socket.AF_INET6):
            protocol = _PROTOCOLS.get((self.type, self.protocol), "socket")
            protocol = "RAW" if self.type == socket.SOCK_RAW else protocol
            is_v6 = self.family == socket.AF_INET6 and protocol != "socket"
            return protocol + "v6" * is_v6
        if self.family == socket.AF_UNIX:
            return f"UNIX-{UNIX_TYPES[self.type]}" if self.type in UNIX_TYPES else "UNIX"
        if self.family == socket.AF_NETLINK:
            return "NETLINK"
        if self.family == socket.AF_PACKET:
            return "PACKET"
        return _FAMILIES.get(self.family, "socket")

    def shown(self, inode: int) -> str:
        """Without addresses: UNIX-STREAM:[71->72], NETLINK:[ROUTE:4711], UDP:[73]."""
        if self.family == socket.AF_UNIX and self.peer:
            return f"{self.name}:[{inode}->{self.peer}]"
        if self.family == socket.AF_NETLINK:
            return f"{self.name}:[{NETLINK.get(self.protocol, self.protocol)}:{self.peer}]"
        return f"{self.name}:[{inode}]"


def protocol_of(family: int, socket_type: int) -> str:
    """The protocol of an address record, which says no more."""
    return SocketFacts(family, socket_type, 0, 0).name


def addressed(protocol: str, local: tuple[str, int], remote: tuple[str, int]) -> str:
    """TCP:[127.0.0.1:80->127.0.0.1:4711]."""
    return f"{protocol}:[{pair(local, remote)}]"


def host(family: int, low: int, high: int) -> str:
    """The 16 bytes of an address as text; of IPv4 the first 4 count."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return f"family {family}"
    raw = as_bytes(low, high)
    return socket.inet_ntop(family, raw[:4] if family == socket.AF_INET else raw)


def as_bytes(low: int, high: int) -> bytes:
    """The 16 bytes of two words of a record."""
    return low.to_bytes(8, "little", signed=True) + high.to_bytes(8, "little", signed=True)


def is_kernels(kind: int) -> bool:
    """Whether the kernel names files of this kind by itself: no path leads to them."""
    return FileKind.EVENTFD <= kind <= FileKind.OTHER and kind != FileKind.MQUEUE


def named(raw: bytes, kind: int) -> str | None:
    """A file by the name that its FILE record told (raw: the first 16 bytes): as /proc/PID/fd would have it, or for a
    file that has a path, the last part of it. None where the name says nothing."""
    name = raw.split(b"\0")[0]
    shown = text.shown(name) + "…" * (len(name) == PIECE)
    if kind == FileKind.PIDFD:
        return "anon_inode:[pidfd]"
    if kind == FileKind.MEMFD:
        return f"/{shown} (deleted)"
    if is_kernels(kind):
        shown = shown or _USUAL.get(kind, "")
        return f"anon_inode:{shown}" if shown else None
    return shown or None


def path_shown(path: bytes) -> str:
    """A path by which a file was opened: as much of it as the probes have kept."""
    return text.shown(path) + "…" * (len(path) == MOST_PATH)


def unnamed(mode: int, inode: int) -> str:
    """A file of which only this is known."""
    kind = "socket" if stat.S_ISSOCK(mode) else "pipe" if mode & S_IFMT == stat.S_IFIFO else "inode"
    return f"{kind}:[{inode}]"
