"""Connections that bring one message each and are closed, waited for by poll(2), and by epoll(7), which must be told
of each by epoll_ctl(2)."""

import select
import socket

from scenarios.kit import Workload, main


def receive(workload: Workload) -> None:
    """A connection waited for in either way a round."""
    with select.epoll() as epoll, workload.window():
        while not workload.done:
            near, far = socket.socketpair()
            far.send(b"all there is")
            poll = select.poll()
            poll.register(near, select.POLLIN)
            workload.calls["poll"] += 1
            poll.poll()
            _end(near, far)
            near, far = socket.socketpair()
            far.send(b"all there is")
            workload.calls["epoll_ctl"] += 1
            epoll.register(near, select.EPOLLIN)
            workload.calls["epoll_wait"] += 1
            epoll.poll()
            _end(near, far)
            workload.turned()


def _end(near: socket.socket, far: socket.socket) -> None:
    near.recv(64)
    near.close()  # epoll forgets it by itself
    far.close()


if __name__ == "__main__":
    main("trials.shortlived", "short-lived connections by poll and by epoll", ("none",), receive)
