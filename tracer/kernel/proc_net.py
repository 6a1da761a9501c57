"""Sockets by inode, named as `strace -yy` names them, from the tables in /proc/PID/net: so of the network namespace of
that process (man proc_pid_net(5))."""

from __future__ import annotations

import contextlib
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
    by_inode: dict[int, str] = {}
    for table, protocol in _INTERNET.items():
        by_inode |= _named(net / table, partial(_internet, protocol))
    return (
        by_inode
        | _named(net / "unix", _unix)
        | _named(net / "netlink", _netlink)
        | _named(net / "packet", lambda words: (int(words[8]), f"PACKET:[{words[8]}]"))
    )


def _internet(protocol: str, words: list[str]) -> tuple[int, str]:
    return int(words[9]), f"{protocol}:[{pair(_address(words[1]), _address(words[2]))}]"


def _unix(words: list[str]) -> tuple[int, str]:
    kind = UNIX_TYPES.get(int(words[4], 16), "UNIX")
    inode, path = int(words[6]), " ".join(words[7:])
    return inode, f"UNIX-{kind}:[{inode}{',' if path else ''}{path}]"


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
    """inode → name by `row` of each line's words. A line that is none of the kernel's is left out: any process can give
    a Unix socket a path with newlines in it, which the table shows as they are."""
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
