"""trials.edges with EPOLLONESHOT, and nobody who arms it again: only the first arrival is reported."""

import select

from scenarios.kit import Workload, main
from scenarios.trials import asking


def receive(workload: Workload) -> None:
    """As in trials.edges, but for one bit."""
    asking.receive(workload, select.EPOLLIN | select.EPOLLET | select.EPOLLONESHOT)


main("oneshot", __doc__, ("none",), receive)
