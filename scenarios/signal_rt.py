"""Signal-driven I/O with a real-time signal: F_SETSIG chooses it, each arrival queues one, siginfo names the socket.

The program sleeps in sigwaitinfo(2), where it could serve any number of sockets; it never asks which one is ready.
"""

import signal

from scenarios.interfaces.rt_signals import serve
from scenarios.kit import Workload, main

NAME = "signal-rt"
SUMMARY = "a queued real-time signal names the ready descriptor"
PROTOCOLS = ("udp",)
ALIASES = ("rt-signal", "setsig")
FIGURE = "6.4"
MODEL = "signal"


def receive(workload: Workload) -> None:
    """Two calls per message: sigwaitinfo says which descriptor, recvfrom copies."""
    serve(workload, signal.SIGRTMIN + 1)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
