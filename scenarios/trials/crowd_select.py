"""Connections that have a message all at once, with one process for all of them that waits in select(2)."""

import select
import socket
from collections.abc import Callable

from scenarios.kit import Workload, main
from scenarios.trials import crowd


def receive(workload: Workload) -> None:
    """One select tells of many sockets."""
    crowd.receive(workload, _serve)


def _serve(socks: list[socket.socket], rounds: int, received: crowd.Received) -> Callable[[], None]:
    places = {sock: index for index, sock in enumerate(socks)}

    def until_all_received() -> None:
        left = rounds * len(socks)
        while left:
            for sock in select.select(socks, (), ())[0]:
                sock.recv(64)
                received.note(places[sock])
                left -= 1

    return until_all_received


if __name__ == "__main__":
    main("trials.crowd_select", "select for many connections", ("none",), receive)
