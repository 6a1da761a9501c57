"""The herd tamed: with EPOLLEXCLUSIVE (Linux 4.5) a connection wakes one of the four processes (compare epoll-herd)."""

import select

from scenarios.kit import Workload, main
from scenarios.kit.herd import serve

NAME = "epoll-herd-exclusive"
SUMMARY = "the same with EPOLLEXCLUSIVE: one wakes"
PROTOCOLS = ("tcp",)
ALIASES = ("epollexclusive",)
FIGURE = "6.3"
MODEL = "epoll-lt"
STEADY = False


def receive(workload: Workload) -> None:
    """Each connection wakes one process, which accepts it."""
    serve(workload, select.EPOLLIN | select.EPOLLEXCLUSIVE)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, each=True)
