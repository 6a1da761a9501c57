"""Real-time signals are queued: four messages before the program looks are four signals (see signal-burst)."""

import signal

from scenarios.interfaces.rt_signals import serve
from scenarios.kit import Workload, main

NAME = "signal-rt-burst"
SUMMARY = "four messages at once: four queued real-time signals"
PROTOCOLS = ("udp",)
ALIASES = ()
FIGURE = "6.4"
MODEL = "signal"
TOGETHER = 4


def receive(workload: Workload) -> None:
    """A signal and a receive for each message, though the program was not looking when they came."""
    serve(workload, signal.SIGRTMIN + 1, TOGETHER)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
