"""A veth pair between two namespaces: what is sent over it is received exactly, and nothing of it outlives a run."""

from __future__ import annotations

import os
import select

import pytest
from support.running import (
    assert_one_line,
    check_closed_loop,
    check_counts,
    iotrace,
    report_of,
    running,
)

from tracer.run import netns

OFFERED = netns.offers() if os.geteuid() == 0 else {}
pytestmark = pytest.mark.skipif(not OFFERED.get("veth"), reason="no veth link can be made here")
FAST = ("--net", "veth", "--messages", 23, "--interval", "2ms", "--no-cost")
needs_tbf = pytest.mark.skipif(not OFFERED.get("tbf"), reason="no tbf (CONFIG_NET_SCH_TBF)")


def users(namespaces: set[str]) -> set[int]:
    """The processes, but for this one, that are in one of these network namespaces or hold a descriptor of one."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            if namespaces & {os.readlink(f"/proc/{pid}/ns/net"), *links}:
                found.add(int(pid))
        except OSError:  # it has ended meanwhile
            continue
    return found - {os.getpid()}


@pytest.mark.parametrize("proto", ["udp", "tcp"])
@pytest.mark.parametrize("name", ["blocking", "nonblocking", "epoll-lt", "signal", "posix-aio"])
def test_closed_loop_stays_exact(name, proto):
    report = report_of("run", name, "--proto", proto, *FAST)
    check_closed_loop(report, name, 23)
    assert report["options"]["net"] == {"rate": None, "delay": 0, "loss": 0.0}


def test_doctor_says_what_can_be_offered():
    line = iotrace("doctor").stdout.splitlines()[-1]
    for name, offered in OFFERED.items():
        assert name in line and (f"no {name}" in line) is not offered


@needs_tbf
def test_a_rate_is_kept_and_loses_nothing():
    report = report_of("run", "blocking", *FAST, "--rate", "2mbit", "--size", 9000)
    check_closed_loop(report, "blocking", 23, 9000)
    # a lower bound that no busy machine can break: all bits but two buckets of them have to wait for the link
    begin, end = report["window_ns"]
    assert (end - begin) * 2e6 / 1e9 > 8 * (23 * 9000 - 2 * 3200)


@pytest.mark.skipif(OFFERED.get("netem", False), reason="this kernel has netem")
@pytest.mark.parametrize("options", [("--delay", "1ms"), ("--loss", "1%", "--open-loop")])
def test_without_netem_delay_and_loss_cannot(options):
    assert_one_line(
        iotrace("run", "blocking", "--net", "veth", *options), 3, "netem", "CONFIG_NET_SCH_NETEM"
    )


@pytest.mark.skipif(not OFFERED.get("netem"), reason="no netem (CONFIG_NET_SCH_NETEM)")
def test_a_delay_is_waited_for():
    check_closed_loop(report_of("run", "blocking", *FAST, "--delay", "3ms"), "blocking", 23)
    check_counts(report_of("run", "blocking", *FAST, "--loss", 20, "--open-loop"))


def test_nothing_is_left_after_a_kill():
    links = os.listdir("/sys/class/net")
    with running("run", "nonblocking", "--net", "veth", "--messages", 100000, "--no-cost") as run:
        run.await_messages(3)
        held = [
            os.open(f"/proc/{pid}/ns/net", os.O_RDONLY) for pid in (run.receiver, run.sender)
        ]  # while we have them their numbers are no other's
        inside = {os.readlink(f"/proc/self/fd/{fd}") for fd in held}
        assert len(inside) == 2 and users(inside) <= set(run.processes())
        ends = [os.pidfd_open(pid) for pid in (run.receiver, run.sender)]
        run.process.kill()
        for end in ends:
            assert select.select([end], [], [], 60)[0]
            os.close(end)
        run.process.wait()
        assert not users(inside)
        for fd in held:
            os.close(fd)
    assert sorted(os.listdir("/sys/class/net")) == sorted(links)
    check_closed_loop(report_of("run", "blocking", *FAST), "blocking", 23)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "1mbit"), ["--net veth"]),
        (("--net", "veth", "--loss", 1), ["--open-loop"]),
        (("--net", "veth", "--proto", "pipe"), ["pipe"]),
        (("--net", "veth", "--rate", "fast"), ["8kbit"]),
        (("--net", "veth", "--rate", "1bit"), ["8kbit"]),
        (("--net", "bridge"), ["veth"]),
    ],
)
def test_nonsense_is_wrong_usage(options, words):
    assert_one_line(iotrace("run", "blocking", *options), 2, *words)
