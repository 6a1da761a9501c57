"""Multiplexing with epoll(7), level-triggered: the kernel keeps the set, epoll_wait(2) sleeps until one is readable."""

import select

from scenarios.workload import Workload, main

NAME = "epoll-lt"
SUMMARY = "epoll_wait sleeps until one is readable, recvfrom copies"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("epoll",)
FIGURE = "6.3"


def receive(workload: Workload) -> None:
    """Two calls per message: one waits, the other copies; the set went to the kernel once, before."""
    sock, buffer = workload.sock, workload.buffer
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN)  # without EPOLLET: told again as long as there is data
        with workload.window():
            while not workload.done:
                workload.calls["epoll_wait"] += 1
                epoll.poll()
                workload.calls["recvfrom"] += 1
                size = sock.recv_into(buffer)
                workload.received(size)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
