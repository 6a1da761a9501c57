"""Parallel: two threads that compute, free to run on all CPUs, at the same time (compare concurrent)."""

import os

from scenarios.kit import Unsupported, Workload, main
from scenarios.kit.computing import run

NAME = "parallel"
SUMMARY = "two threads on two CPUs, at the same time"
PROTOCOLS = ("none",)
ALIASES = ()
FIGURE = ""
MODEL = "none"
INSTEAD = "parallel"


def receive(workload: Workload) -> None:
    """Both threads wherever this process may run."""
    cpus = os.sched_getaffinity(0)
    if len(cpus) < 2:
        raise Unsupported("there is only one CPU to run on")
    run(workload, cpus)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
