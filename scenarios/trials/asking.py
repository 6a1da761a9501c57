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
    sock = to_itself()
    with sock, select.epoll() as epoll:
        epoll.register(sock, events)
        with workload.window():
            while not workload.done:
                for arrivals in ARRIVALS:
                    send(workload, sock, arrivals)
                    take(workload, sock, 0 if arrivals else 1)
                    ask(workload, epoll)
                take(workload, sock, sum(ARRIVALS) - 1)
                ask(workload, epoll)
                workload.turned()


def to_itself() -> socket.socket:
    """A UDP socket that is connected to itself."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((transport.LOOPBACK, 0))
    sock.connect(sock.getsockname())
    return sock


def send(workload: Workload, sock: socket.socket, messages: int, what: bytes = b"here") -> None:
    """As many messages."""
    for _ in range(messages):
        workload.calls["sendto"] += 1
        sock.send(what)


def take(workload: Workload, sock: socket.socket, messages: int, size: int = 64) -> None:
    """As many messages received, or so many bytes of a stream."""
    for _ in range(messages):
        workload.calls["recvfrom"] += 1
        sock.recv(size)


def ask(workload: Workload, epoll: select.epoll) -> None:
    """ASKED questions, none of which waits."""
    for _ in range(ASKED):
        workload.calls["epoll_wait"] += 1
        epoll.poll(0)
