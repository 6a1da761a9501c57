"""Connections that have a message all at once, with one process for all of them (epoll(7))."""

import select
import socket
from collections.abc import Callable

from scenarios.kit import Workload, main
from scenarios.trials import crowd


def receive(workload: Workload) -> None:
    """It is switched to once, finds many sockets readable, and receives from all of them."""
    crowd.receive(workload, serve)


def serve(socks: list[socket.socket], rounds: int, received: crowd.Received) -> Callable[[], None]:
    epoll = select.epoll()
    places = {sock.fileno(): index for index, sock in enumerate(socks)}
    for fd in places:
        epoll.register(fd, select.EPOLLIN)

    def until_all_received() -> None:
        left = rounds * len(socks)
        while left:
            for fd, _ in epoll.poll():
                socks[places[fd]].recv(64)
                received.note(places[fd])
                left -= 1

    return until_all_received


if __name__ == "__main__":
    main("trials.crowd_epoll", "one process for many connections", ("none",), receive)
