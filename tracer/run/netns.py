"""Two network namespaces joined by a veth pair or by two network cards, one for each side of a run (rtnetlink(7),
network_namespaces(7)).

The namespaces have no name. Descriptors of this process and the programs inside hold them, and nothing else; so when
those are gone, killed or not, the kernel removes them with their links, addresses and queueing disciplines by itself,
and gives network cards back to the initial namespace.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTMGRP_LINK

from tracer import text
from tracer.capture.exec_gate import CLONE_NEWNET
from tracer.errors import CANNOT, IotraceError

_RECEIVER, _SENDER = "10.0.0.1", "10.0.0.2"
_TBF_QUEUE = 1 << 20  # bytes: more than the largest datagram, which a closed loop could not spare
_TBF_BURST = 3200  # bytes: two full packets, the least that a bucket must hold
_TBF_HZ = 250  # a bucket is refilled at least so often, else a high rate is not reached (tc-tbf(8))
_NETEM_QUEUE = 10_000  # packets
_CARRIER_S, _LOOK_S = 10.0, 0.1
_IFF_UP = 1  # netdevice(7)

T = TypeVar("T")


class CannotConnect(IotraceError):
    """This machine cannot make the link that was asked for; the text says what is missing."""

    status = CANNOT


@dataclass(frozen=True)
class Link:
    """What the link does to the sender's packets: it carries at most `rate` bit/s (None: no limit), `delay` ns later,
    and loses each with probability `loss` (0 to 1). nics: the network cards of receiver and sender; none: a veth pair.
    """

    rate: int | None = None
    delay: int = 0
    loss: float = 0.0
    nics: Sequence[str] = ()


@contextlib.contextmanager
def joined(link: Link, address: str = _RECEIVER) -> Iterator[tuple[int, int]]:
    """Descriptors of the receiver's and the sender's namespace, the first of which has the `address` of 10.0.0.0/30.

    Raises CannotConnect.
    """
    with contextlib.ExitStack() as stack:
        spaces = []
        for _ in range(2):
            spaces.append(_space())
            stack.callback(os.close, spaces[-1])
        receiver, sender = spaces
        if link.nics:
            stack.enter_context(_moved(link.nics, spaces))
        else:
            _make_pair(receiver, sender)
        addresses = [_inside(space, _hardware_address) for space in spaces]
        _inside(receiver, lambda route: _configure(route, address, _SENDER, addresses[1]))
        _inside(sender, lambda route: _configure(route, _SENDER, address, addresses[0]))
        for space in spaces:
            _inside(space, partial(_await_up, card=bool(link.nics)))
        _inside(sender, lambda route: _shape(route, link))
        yield receiver, sender


def _make_pair(receiver: int, sender: int) -> None:
    """A veth link between the two; raises CannotConnect."""
    peer = {"ifname": "sender", "net_ns_fd": sender}
    try:
        _inside(
            receiver, lambda route: route.link("add", ifname="receiver", kind="veth", peer=peer)
        )
    except NetlinkError as error:
        if error.code == errno.EOPNOTSUPP:
            raise CannotConnect("this kernel has no veth links (CONFIG_VETH)") from None
        what = " (that takes CAP_NET_ADMIN)" if error.code == errno.EPERM else ""
        raise CannotConnect(
            f"a veth link cannot be made: {os.strerror(error.code)}{what}"
        ) from None


@contextlib.contextmanager
def _moved(names: Sequence[str], spaces: Sequence[int]) -> Iterator[None]:
    """Moves each network card into a namespace, and at the end back into this one; raises CannotConnect.

    Without that the kernel would bring them back too, but some time after the namespaces' end.
    """
    with contextlib.ExitStack() as stack:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, home)
        for name, space in zip(names, spaces, strict=True):
            _move(name, space)
            stack.callback(_inside, space, partial(_give_back, home=home))
        yield


def _move(name: str, space: int) -> None:
    """Moves a network card into a namespace; raises CannotConnect. One that is up, or has an address, is in use."""
    with IPRoute() as route:
        found = route.link_lookup(ifname=name)
        if not found:
            raise CannotConnect(f"there is no network card {text.shown(name)} here")
        if route.get_links(found[0])[0]["flags"] & _IFF_UP or route.get_addr(index=found[0]):
            raise CannotConnect(f"{text.shown(name)} is in use: it is up, or has an address")
        try:
            route.link("set", index=found[0], net_ns_fd=space)
        except NetlinkError as error:
            why = os.strerror(error.code)
            raise CannotConnect(f"{text.shown(name)} cannot be moved: {why}") from None


def _give_back(route: IPRoute, home: int) -> None:
    with contextlib.suppress(NetlinkError):
        route.link("set", index=_index(route), net_ns_fd=home)


def offers() -> dict[str, bool]:
    """Whether this kernel has veth links, and on them a rate (tbf), a delay and loss (netem)."""
    offered = {}
    for name, link in (("veth", Link()), ("tbf", Link(rate=10**6)), ("netem", Link(delay=10**6))):
        try:
            with joined(link):
                offered[name] = True
        except CannotConnect:
            offered[name] = False
    return offered


def _space() -> int:
    """A descriptor of a new network namespace."""

    def make() -> int:
        _system(_libc().unshare(CLONE_NEWNET), "a network namespace cannot be made")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return _in_a_thread(make)


def _inside(space: int, work: Callable[[IPRoute], T]) -> T:
    """Calls `work` in that namespace and returns its result. A namespace is a thread's own: a new thread enters it."""

    def go() -> T:
        _system(_libc().setns(space, CLONE_NEWNET), "a network namespace cannot be entered")
        with IPRoute() as route:
            return work(route)

    return _in_a_thread(go)


def _in_a_thread(work: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # for the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _system(result: int, action: str) -> None:
    if result:
        number = ctypes.get_errno()
        what = " (that takes CAP_SYS_ADMIN)" if number == errno.EPERM else ""
        raise CannotConnect(f"{action}: {os.strerror(number)}{what}")


def _index(route: IPRoute) -> int:
    """The interface index of the namespace's one veth link."""
    links = route.get_links()
    return next(int(link["index"]) for link in links if link.get_attr("IFLA_IFNAME") != "lo")


def _hardware_address(route: IPRoute) -> str:
    return str(route.get_links(_index(route))[0].get_attr("IFLA_ADDRESS"))


def _configure(route: IPRoute, own_address: str, other_address: str, other_hardware: str) -> None:
    """Sets addresses and brings the link up. The other side's entry is permanent, so that no ARP is sent (or lost)."""
    index = _index(route)
    route.addr("add", index=index, address=own_address, prefixlen=30)
    route.link("set", index=index, state="up")
    route.link("set", index=route.link_lookup(ifname="lo")[0], state="up")
    route.neigh("add", ifindex=index, dst=other_address, lladdr=other_hardware, state="permanent")


def _await_up(route: IPRoute, card: bool) -> None:
    """Waits until the link has a carrier, which comes some time after both ends were set up. Of a card without a cable
    it never does: raises CannotConnect."""
    # before the first request: what changes after it is looked at is then told
    route.bind(groups=RTMGRP_LINK)
    index = _index(route)
    # some drivers know of no carrier (RFC 2863's ifOperStatus, operstates.rst)
    enough = ("UP", "UNKNOWN") if card else ("UP",)
    deadline_s = time.monotonic() + _CARRIER_S
    while route.get_links(index)[0].get_attr("IFLA_OPERSTATE") not in enough:
        if time.monotonic() > deadline_s:
            raise CannotConnect("the link does not come up: there is no carrier")
        # what was told may be in pyroute2's own buffer already
        if select.select([route.fileno()], [], [], _LOOK_S)[0]:
            for _ in route.get():
                pass


def _shape(route: IPRoute, link: Link) -> None:
    """netem at the root and tbf below it, as tc-netem(8) has them together."""
    index = _index(route)
    below: dict[str, Any] = {}
    if link.delay or link.loss:
        _discipline(
            route,
            "netem",
            "NET_SCH_NETEM",
            index=index,
            handle="1:",
            delay=link.delay // 1000,
            loss=100 * link.loss,
            limit=_NETEM_QUEUE,
        )
        below = {"parent": "1:1", "handle": "10:"}
    if link.rate:
        octets = max(1, link.rate // 8)
        _discipline(
            route,
            "tbf",
            "NET_SCH_TBF",
            index=index,
            rate=octets,
            burst=max(_TBF_BURST, octets // _TBF_HZ),
            limit=_TBF_QUEUE,
            **below,
        )


def _discipline(route: IPRoute, kind: str, option: str, **parameters: object) -> None:
    try:
        route.tc("add", kind, **parameters)
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            wants = "--delay and --loss need" if kind == "netem" else "--rate needs"
            raise CannotConnect(
                f"this kernel has no {kind} queueing discipline (CONFIG_{option}): {wants} it"
            ) from None
        raise CannotConnect(f"{kind} refuses: {os.strerror(error.code)}") from None
