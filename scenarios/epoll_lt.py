"""Multiplexing with epoll(7), level-triggered: the kernel keeps the set, epoll_wait(2) sleeps until one is readable."""

import select

from scenarios.kit import Workload, main

NAME = "epoll-lt"
SUMMARY = "epoll_wait sleeps until one is readable, recvfrom copies"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ("epoll",)
FIGURE = "6.3"
MODEL = "epoll-lt"
SOCKETS = 20000
SOCKETS_WHY = (
    "over UDP each has a port of its own, and Linux has 28,232 to give (ip_local_port_range)"
)


def receive(workload: Workload) -> None:
    """Two calls per message: one waits, the other copies; the set went to the kernel once, before."""
    socks, buffer, call = (
        {sock.fileno(): sock for sock in workload.socks},
        workload.buffer,
        workload.call,
    )
    with select.epoll() as epoll:
        for fd in socks:
            epoll.register(
                fd, select.EPOLLIN
            )  # without EPOLLET: told again as long as there is data
        with workload.window():
            while not workload.done:
                workload.calls["epoll_wait"] += 1
                for fd, _ in epoll.poll():
                    workload.calls[call] += 1
                    size = socks[fd].recv_into(buffer)
                    workload.received(size, socks[fd])


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, SOCKETS)
