"""What the trials crowd_* share: connections that have a message all at once, again and again.

A sender in a process of its own, on the same CPU, sends one message to each socket, and then naps until all of them
have been received. A receiver of the policy SCHED_BATCH (sched(7)) does not interrupt the sender when it is woken; one
of the default policy may.
"""

import mmap
import os
import select
import socket
from collections.abc import Callable

from scenarios.kit import Workload, transport
from scenarios.kit.children import fork, join

CONNECTIONS = 50
NAP_S = 0.001


class Received:
    """How many messages each socket has brought, in memory that the sender shares; each has one writer."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def note(self, index: int) -> None:
        """One more for socket `index`."""
        self._counts[index] += 1

    def begin(self) -> None:
        """From now on the sender may send."""
        self._counts[CONNECTIONS] = 1

    def await_all(self, each: int) -> None:
        """Nap until it has begun and all sockets have brought `each`."""
        while not self._counts[CONNECTIONS] or min(self._counts[:CONNECTIONS]) < each:
            select.select((), (), (), NAP_S)


Serve = Callable[[list[socket.socket], int, Received], Callable[[], None]]
"""Makes ready to receive so many messages on each socket; what it returns is called in the window, and returns when all
have been received."""


def receive(workload: Workload, serve: Serve, policy: int = os.SCHED_OTHER) -> None:
    """As many messages on each socket as there are rounds, received under this policy."""
    received, rounds = Received(), workload.options.messages
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(CONNECTIONS)]
    for sock in socks:
        sock.bind((transport.LOOPBACK, 0))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sender = [fork(lambda: _send([sock.getsockname() for sock in socks], rounds, received))]
    os.sched_setscheduler(0, policy, os.sched_param(0))
    until_all_received = serve(socks, rounds, received)
    with workload.window():
        received.begin()
        until_all_received()
        for _ in range(rounds):
            workload.turned()
    join(sender)


def _send(addresses: list[tuple[str, int]], rounds: int, received: Received) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(rounds):
            received.await_all(number)
            for address in addresses:
                sock.sendto(b"here", address)
