"""What a descriptor is to its process, by the name of its file: what stays the same where numbers and ports do not."""

from __future__ import annotations

import re

FIRST_EPHEMERAL = 32768  # /proc/sys/net/ipv4/ip_local_port_range as Linux has it: a port from there on was not chosen
_ADDRESSED = re.compile(r"(?P<kind>\w+):\[(?P<local>[^>]*?)(?:->(?P<remote>.*))?\]")
_PORT = re.compile(r":(\d+)$")
_INODE = re.compile(r"(?P<kind>[\w-]+):\[\d*(->\d+)?\]")
_ANONYMOUS = re.compile(r"anon_inode:\[?(?P<kind>[\w-]+)\]?")


def role(name: str | None) -> str:
    """'UDP:[127.0.0.1:40100]' → 'UDP'; 'TCP:[127.0.0.1:8080->…:51312]' → 'TCP, port 8080'; '…->…:5432]' → 'TCP to port
    5432'; 'pipe:[4711]' → 'pipe'; a path is what it is. None: 'unknown'."""
    if not name:
        return "unknown"
    if match := _INODE.fullmatch(name) or _ANONYMOUS.fullmatch(name):
        return match["kind"]
    match = _ADDRESSED.fullmatch(name)
    if not match:
        return name
    local, remote = _chosen(match["local"]), _chosen(match["remote"])
    if local:
        return f"{match['kind']}, port {local}"
    return f"{match['kind']} to port {remote}" if remote else match["kind"]


def _chosen(address: str | None) -> str | None:
    """The port of an address, if somebody chose it."""
    port = _PORT.search(address or "")
    return port[1] if port and 0 < int(port[1]) < FIRST_EPHEMERAL else None
