"""Sockets by inode, named as `strace -yy` names them, from the tables in /proc/PID/net: so of the network namespace of
that process (man proc_pid_net(5))."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tracer import text

_INTERNET = {
    "tcp": "TCP",
    "tcp6": "TCPv6",
    "udp": "UDP",
    "udp6": "UDPv6",
    "raw": "RAW",
    "raw6": "RAWv6",
    "icmp": "PING",
    "icmp6": "PINGv6",
    "udplite": "UDPLITE",
    "udplite6": "UDPLITEv6",
}
UNIX_TYPES: dict[int, str] = {
    socket.SOCK_STREAM: "STREAM",
    socket.SOCK_DGRAM: "DGRAM",
    socket.SOCK_SEQPACKET: "SEQPACKET",
}
# net/unix/af_unix.c, unix_seq_show(): address, references, protocol, flags, type, state, inode, and the path if any.
_UNIX_ROW = re.compile(
    rb"^[0-9a-f]{8,16}: [0-9A-F]{8} [0-9A-F]{8} [0-9A-F]{8} (?P<type>[0-9A-F]{4}) [0-9A-F]{2} +(?P<inode>[0-9]{1,20})"
    rb"(?= |$)",
    re.M,
)
NETLINK = {  # NETLINK_*, include/uapi/linux/netlink.h
    0: "ROUTE",
    2: "USERSOCK",
    3: "FIREWALL",
    4: "SOCK_DIAG",
    5: "NFLOG",
    6: "XFRM",
    7: "SELINUX",
    8: "ISCSI",
    9: "AUDIT",
    10: "FIB_LOOKUP",
    11: "CONNECTOR",
    12: "NETFILTER",
    13: "IP6_FW",
    14: "DNRTMSG",
    15: "KOBJECT_UEVENT",
    16: "GENERIC",
    18: "SCSITRANSPORT",
    19: "ECRYPTFS",
    20: "RDMA",
    21: "CRYPTO",
    22: "SMC",
}


def names(net: Path) -> dict[int, str]:
    """inode → TCP:[127.0.0.1:6379], TCP:[127.0.0.1:6379->127.0.0.1:40112], UNIX-STREAM:[/run/x] …

    net: /proc/PID/net. A table that this kernel does not have, or a process that has gone, brings nothing.
    """
    by_inode = _unix(net / "unix")
    for table, protocol in _INTERNET.items():
        by_inode |= _named(net / table, partial(_internet, protocol))
    return (
        by_inode
        | _named(net / "netlink", _netlink)
        | _named(net / "packet", lambda words: (int(words[8]), f"PACKET:[{words[8]}]"))
    )


def _internet(protocol: str, words: list[str]) -> tuple[int, str]:
    return int(words[9]), f"{protocol}:[{pair(_address(words[1]), _address(words[2]))}]"


def _unix(table: Path) -> dict[int, str]:
    """inode → name of the Unix sockets. Any process can give one a path with newlines in it, which the table shows as
    they are: what begins no row belongs to the path before it. A path can hold what looks like a row; an inode that two
    rows claim is given no name. An abstract name begins with @, and so does each NUL in it."""
    by_inode: dict[int, str] = {}
    claimed: set[int] = set()
    with contextlib.suppress(OSError):
        rows = text.raw(table)
        begins = [*_UNIX_ROW.finditer(rows)]
        ends = [row.start() - 1 for row in begins[1:]] + [len(rows) - 1]
        for row, end in zip(begins, ends, strict=False):
            kind, inode = UNIX_TYPES.get(int(row["type"], 16), "UNIX"), int(row["inode"])
            path = text.shown(rows[row.end() : end].removeprefix(b" "))
            if inode in by_inode:
                claimed.add(inode)
            by_inode[inode] = f"UNIX-{kind}:[{inode}{',' if path else ''}{path}]"
    return {inode: name for inode, name in by_inode.items() if inode not in claimed}


def _netlink(words: list[str]) -> tuple[int, str]:
    protocol = int(words[1])
    return int(words[9]), f"NETLINK:[{NETLINK.get(protocol, protocol)}:{words[2]}]"


def pair(local: tuple[str, int], remote: tuple[str, int]) -> str:
    """127.0.0.1:80->127.0.0.1:40112, or the local address alone where there is no remote port."""
    local_address, remote_address = joined(*local), joined(*remote)
    return f"{local_address}->{remote_address}" if remote[1] else local_address


def joined(address: str, port: int) -> str:
    """An address and its port, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _named(table: Path, row: Callable[[list[str]], tuple[int, str]]) -> dict[int, str]:
    """inode → name by `row` of each line's words; a line that is none of the kernel's is left out."""
    by_inode: dict[int, str] = {}
    with contextlib.suppress(OSError):
        for line in text.read(table).split("\n")[1:]:
            with contextlib.suppress(ValueError, IndexError):
                inode, name = row(line.split())
                by_inode.setdefault(inode, name)
    return by_inode


def _address(text: str) -> tuple[str, int]:
    """0100007F:1F90 → (127.0.0.1, 8080): words of 32 bits, each in the machine's own order."""
    address, port = text.split(":")
    packed = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, packed), int(port, 16)
