"""Concurrent: two threads that compute on one CPU (sched_setaffinity(2)), in turns and never at the same time."""

import os

from scenarios.kit import Workload, main
from scenarios.kit.computing import run

NAME = "concurrent"
SUMMARY = "two threads on one CPU, in turns"
PROTOCOLS = ("none",)
ALIASES = ()
FIGURE = ""
MODEL = "none"
INSTEAD = "concurrent"


def receive(workload: Workload) -> None:
    """Both threads on the last CPU that this process may use."""
    run(workload, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
