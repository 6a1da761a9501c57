"""The queue of real-time signals is full (RLIMIT_SIGPENDING): the kernel falls back to a plain SIGIO.

Eight messages come before the program looks, and the queue holds four, less what the user's other programs have in
theirs: four signals name their socket, and one SIGIO says only that something was missed. Then all there is has to be
received.
"""

import resource
import signal

from scenarios.interfaces.rt_signals import serve
from scenarios.kit import Unsupported, Workload, main

NAME = "signal-rt-overflow"
SUMMARY = "the signal queue is full: SIGIO stands for the rest"
PROTOCOLS = ("udp",)
ALIASES = ()
FIGURE = "6.4"
MODEL = "signal"
STEADY = False
TOGETHER, QUEUE = 8, 4


def receive(workload: Workload) -> None:
    """SIGIO has the lower number and is taken first: it drains, then the queued signals are taken for nothing."""
    _, most = resource.getrlimit(resource.RLIMIT_SIGPENDING)
    try:
        resource.setrlimit(resource.RLIMIT_SIGPENDING, (QUEUE, most))
    except (OSError, ValueError) as problem:
        raise Unsupported(f"the limit of queued signals cannot be set: {problem}") from None
    serve(workload, signal.SIGRTMIN + 1, TOGETHER)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
