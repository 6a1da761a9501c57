"""A veth pair between two namespaces: what is sent over it is received exactly, and nothing of it outlives a run."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator

import pytest
from pyroute2 import IPRoute
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


@pytest.fixture
def cards() -> Iterator[tuple[str, str]]:
    """Two interfaces that nobody uses, joined by a wire, in the place of network cards."""
    names = (f"iot{os.getpid() % 10**6}a", f"iot{os.getpid() % 10**6}b")
    with IPRoute() as route:
        route.link("add", ifname=names[0], kind="veth", peer={"ifname": names[1]})
        yield names
        route.link("del", index=route.link_lookup(ifname=names[0])[0])


def addresses(names: tuple[str, str]) -> list[str]:
    with IPRoute() as route:
        return [
            route.get_links(route.link_lookup(ifname=its)[0])[0].get_attr("IFLA_ADDRESS")
            for its in names
        ]


def test_network_cards_are_lent_and_come_back(cards):
    before = addresses(cards)
    report = report_of("run", "blocking", "--net", ",".join(cards), *FAST[2:])
    check_closed_loop(report, "blocking", 23)
    assert report["options"]["net"]["nics"] == list(cards)
    assert addresses(cards) == before
    with running(
        "run", "blocking", "--net", ",".join(cards), "--messages", 10**6, "--no-cost"
    ) as run:
        run.await_messages(3)
        run.process.send_signal(signal.SIGINT)
        assert run.end().returncode == 0
    assert addresses(cards) == before


def test_cards_that_are_not_there_or_in_use(cards):
    net = f"{cards[0]},nosuch"
    assert_one_line(iotrace("run", "blocking", "--net", net), 3, "no network card nosuch")
    assert_one_line(iotrace("run", "blocking", "--net", f"lo,{cards[0]}"), 3, "lo is in use")
    assert addresses(cards)


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
        (("--net", "eth0,eth0"), ["two network cards"]),
        (("--net", "eth0,eth1", "--proto", "unix"), ["unix", "eth0,eth1"]),
    ],
)
def test_nonsense_is_wrong_usage(options, words):
    assert_one_line(iotrace("run", "blocking", *options), 2, *words)
