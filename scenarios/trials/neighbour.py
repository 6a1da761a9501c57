"""A reader in a blocking recvfrom(2) and a process that only computes, both on one CPU (sched_setaffinity(2))."""

import os
import signal

from scenarios.kit import Workload, main
from scenarios.kit.children import fork


def receive(workload: Workload) -> None:
    """One call per message, as in blocking; the neighbour has what the reader leaves of their CPU."""
    sock, buffer, call = workload.sock, workload.buffer, workload.call
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    neighbour = fork(_compute)
    try:
        with workload.window():
            while not workload.done:
                workload.calls[call] += 1
                workload.received(sock.recv_into(buffer))
    finally:
        os.kill(neighbour, signal.SIGKILL)
        os.waitpid(neighbour, 0)


def _compute() -> None:
    value = 1
    while True:
        value = (value * 1103515245 + 12345) % 2**31


if __name__ == "__main__":
    main(
        "trials.neighbour",
        "a blocking reader and a computing process on one CPU",
        ("udp",),
        receive,
    )
