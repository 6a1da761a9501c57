"""Multiplexing with epoll(7) and EPOLLONESHOT: told once, then silent until armed again by epoll_ctl(2).

Where several threads share the set, this keeps all but one of them from the descriptor.
"""

import select

from scenarios.kit import Workload, main

NAME = "epoll-oneshot"
SUMMARY = "epoll_wait tells once, epoll_ctl must arm it again"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("oneshot",)
FIGURE = "6.3"
MODEL = "epoll-lt"


def receive(workload: Workload) -> None:
    """Three calls per message: one waits, one copies, one arms again."""
    sock, buffer = workload.sock, workload.buffer
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN | select.EPOLLONESHOT)
        with workload.window():
            while not workload.done:
                workload.calls["epoll_wait"] += 1
                epoll.poll()
                workload.calls["recvfrom"] += 1
                workload.note(sock.recv_into(buffer))
                workload.calls["epoll_ctl"] += 1
                epoll.modify(sock, select.EPOLLIN | select.EPOLLONESHOT)
                workload.publish()


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
