"""epoll(7), edge-triggered for IN and OUT: that there is room to send again has it report IN again, of old data.

What is left over in the socket is read only where epoll says EPOLLIN, so the calls show that it did.
"""

import contextlib
import os
import select
import socket

from scenarios.kit import Workload, main
from scenarios.trials import asking

BOTH = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
PIECE = b" " * 4096


def receive(workload: Workload) -> None:
    """A round: two bytes come, one is read; the socket is filled with what nobody reads; asked; room is made; asked."""
    near, far = socket.socketpair()
    with near, far, select.epoll() as epoll:
        near.setblocking(False)
        far.setblocking(False)
        epoll.register(near, BOTH)
        with workload.window():
            while not workload.done:
                asking.send(workload, far, 1, b"xy")
                _ask(workload, epoll, near)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        os.write(near.fileno(), PIECE)
                _ask(workload, epoll, near)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        os.read(far.fileno(), 1 << 16)
                _ask(workload, epoll, near)
                workload.turned()


def _ask(workload: Workload, epoll: select.epoll, near: socket.socket) -> None:
    """Ask until nothing is reported; one byte is read where data is."""
    reported = True
    while reported:
        workload.calls["epoll_wait"] += 1
        reported = epoll.poll(0)
        if any(events & select.EPOLLIN for _, events in reported):
            asking.take(workload, near, 1, 1)


if __name__ == "__main__":
    main("trials.write_space", "room to send reports old data", ("none",), receive)
