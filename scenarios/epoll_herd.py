"""The thundering herd: four processes in epoll_wait(2) for one listening socket, and each connection wakes them all."""

import select

from scenarios.kit import Workload, main
from scenarios.kit.herd import serve

NAME = "epoll-herd"
SUMMARY = "four processes on one socket: all wake, one accepts"
PROTOCOLS = ("tcp",)
ALIASES = ("herd", "thundering-herd")
FIGURE = "6.3"
MODEL = "epoll-lt"
STEADY = False


def receive(workload: Workload) -> None:
    """Whoever is first accepts; the others have woken for nothing, and some find that out by EAGAIN."""
    serve(workload, select.EPOLLIN)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, each=True)
