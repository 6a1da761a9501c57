"""What trials.levels and trials.edges share: a socket watched by epoll(7), asked about several times after each
arrival, with nothing received in between."""

import select
import socket

from scenarios.kit import Workload, transport

ASKED = 3  # times in a row
# messages that come before each time of asking; before the last one, one is taken
ARRIVALS = (1, 1, 2, 0)


def receive(workload: Workload, events: int) -> None:
    """A round: one message, another, two at once, one of the four taken, the rest taken; asked after each."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock, select.epoll() as epoll:
        sock.bind((transport.LOOPBACK, 0))
        sock.connect(sock.getsockname())  # to itself
        epoll.register(sock, events)
        with workload.window():
            while not workload.done:
                for arrivals in ARRIVALS:
                    _send(workload, sock, arrivals)
                    _take(workload, sock, 0 if arrivals else 1)
                    _ask(workload, epoll)
                _take(workload, sock, sum(ARRIVALS) - 1)
                _ask(workload, epoll)
                workload.turned()


def _send(workload: Workload, sock: socket.socket, messages: int) -> None:
    for _ in range(messages):
        workload.calls["sendto"] += 1
        sock.send(b"here")


def _take(workload: Workload, sock: socket.socket, messages: int) -> None:
    for _ in range(messages):
        workload.calls["recvfrom"] += 1
        sock.recv(64)


def _ask(workload: Workload, epoll: select.epoll) -> None:
    for _ in range(ASKED):
        workload.calls["epoll_wait"] += 1
        epoll.poll(0)
