"""SIGIO is merged: four messages that come before the program looks are one signal (compare signal-rt-burst)."""

import signal

from scenarios.interfaces.rt_signals import serve
from scenarios.kit import Workload, main

NAME = "signal-burst"
SUMMARY = "four messages at once: one SIGIO for all of them"
PROTOCOLS = ("udp",)
ALIASES = ("sigio-burst",)
FIGURE = "6.4"
MODEL = "signal"
TOGETHER = 4


def receive(workload: Workload) -> None:
    """One signal for all: receive until EAGAIN, or messages are left that nothing tells of."""
    serve(workload, signal.SIGIO, TOGETHER)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
