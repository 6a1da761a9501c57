"""epoll(7), edge-triggered, asked again and again about a socket in which data is left."""

import select

from scenarios.kit import Workload, main
from scenarios.trials import asking


def receive(workload: Workload) -> None:
    """As in trials.levels, but for one bit."""
    asking.receive(workload, select.EPOLLIN | select.EPOLLET)


if __name__ == "__main__":
    main("trials.edges", "a socket watched for its edges", ("none",), receive)
