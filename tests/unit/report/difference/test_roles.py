"""What a descriptor is, whatever number and port it has."""

import pytest

from tracer.report.difference.roles import role


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UDP:[127.0.0.1:40100]", "UDP"),
        ("TCP:[127.0.0.1:8080->127.0.0.1:51312]", "TCP, port 8080"),
        ("TCP:[127.0.0.1:51312->10.0.0.7:5432]", "TCP to port 5432"),
        ("TCP:[127.0.0.1:45207->127.0.0.1:55340]", "TCP"),
        ("TCPv6:[[::1]:443->[::1]:50000]", "TCPv6, port 443"),
        ("UNIX:[4711->4712]", "UNIX"),
        ("socket:[4711]", "socket"),
        ("pipe:[4711]", "pipe"),
        ("anon_inode:[eventfd]", "eventfd"),
        ("/var/log/messages", "/var/log/messages"),
        (None, "unknown"),
        ("", "unknown"),
        ("UDP:[", "UDP:["),
    ],
)
def test_a_role(name, expected):
    assert role(name) == expected
