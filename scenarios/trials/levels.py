"""epoll(7), level-triggered, asked again and again about a socket in which data is left."""

import select

from scenarios.kit import Workload, main
from scenarios.trials import asking


def receive(workload: Workload) -> None:
    """As in trials.edges, but for one bit."""
    asking.receive(workload, select.EPOLLIN)


if __name__ == "__main__":
    main("trials.levels", "a socket watched for its level", ("none",), receive)
