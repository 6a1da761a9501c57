"""trials.levels with room to send watched too: an empty socket is reported, since it can be sent to."""

import select

from scenarios.kit import Workload, main
from scenarios.trials import asking


def receive(workload: Workload) -> None:
    """As in trials.levels, but for one bit."""
    asking.receive(workload, select.EPOLLIN | select.EPOLLOUT)


main("writable", __doc__, ("none",), receive)
