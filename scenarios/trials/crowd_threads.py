"""Connections that have a message all at once, with a thread for each (pthreads(7))."""

import socket
import threading
from collections.abc import Callable

from scenarios.kit import Workload, main
from scenarios.trials import crowd


def receive(workload: Workload) -> None:
    """Every thread sleeps in recvfrom, and is switched to for every message."""
    crowd.receive(workload, serve)


def serve(socks: list[socket.socket], rounds: int, received: crowd.Received) -> Callable[[], None]:
    threads = [
        threading.Thread(target=_one, args=(sock, rounds, received, index), daemon=True)
        for index, sock in enumerate(socks)
    ]
    for thread in threads:
        thread.start()

    def until_all_received() -> None:
        for thread in threads:
            thread.join()

    return until_all_received


def _one(sock: socket.socket, rounds: int, received: crowd.Received, index: int) -> None:
    for _ in range(rounds):
        sock.recv(64)
        received.note(index)


if __name__ == "__main__":
    main("trials.crowd_threads", "a thread for each of many connections", ("none",), receive)
