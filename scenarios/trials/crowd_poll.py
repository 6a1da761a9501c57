"""Connections that have a message all at once, with one process for all of them that waits in poll(2)."""

import select
import socket
from collections.abc import Callable

from scenarios.kit import Workload, main
from scenarios.trials import crowd


def receive(workload: Workload) -> None:
    """One poll tells of many sockets."""
    crowd.receive(workload, _serve)


def _serve(socks: list[socket.socket], rounds: int, received: crowd.Received) -> Callable[[], None]:
    poll = select.poll()
    places = {sock.fileno(): index for index, sock in enumerate(socks)}
    for fd in places:
        poll.register(fd, select.POLLIN)

    def until_all_received() -> None:
        left = rounds * len(socks)
        while left:
            for fd, _ in poll.poll():
                socks[places[fd]].recv(64)
                received.note(places[fd])
                left -= 1

    return until_all_received


if __name__ == "__main__":
    main("trials.crowd_poll", "poll for many connections", ("none",), receive)
