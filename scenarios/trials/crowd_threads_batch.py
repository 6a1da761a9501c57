"""As trials.crowd_threads, by the policy SCHED_BATCH: waking a receiver does not interrupt the sender."""

import os

from scenarios.kit import Workload, main
from scenarios.trials import crowd, crowd_threads


def receive(workload: Workload) -> None:
    """As in trials.crowd_threads, but for the policy."""
    crowd.receive(workload, crowd_threads.serve, os.SCHED_BATCH)


if __name__ == "__main__":
    main(
        "trials.crowd_threads_batch",
        "a thread for each of many connections, SCHED_BATCH",
        ("none",),
        receive,
    )
