"""As trials.crowd_epoll, by the policy SCHED_BATCH: waking a receiver does not interrupt the sender."""

import os

from scenarios.kit import Workload, main
from scenarios.trials import crowd, crowd_epoll


def receive(workload: Workload) -> None:
    """As in trials.crowd_epoll, but for the policy."""
    crowd.receive(workload, crowd_epoll.serve, os.SCHED_BATCH)


if __name__ == "__main__":
    main(
        "trials.crowd_epoll_batch",
        "one process for many connections, SCHED_BATCH",
        ("none",),
        receive,
    )
