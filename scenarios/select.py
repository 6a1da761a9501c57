"""Multiplexing with select(2), which glibc calls as pselect6: sleep until one of a set is readable, then receive."""

import select

from scenarios.workload import Workload, main

NAME = "select"
SUMMARY = "select sleeps until one is readable, recvfrom copies"
PROTOCOLS = ("udp", "tcp")
ALIASES = ()
FIGURE = "6.3"


def receive(workload: Workload) -> None:
    """Two calls per message: one waits, the other copies; the whole set goes to the kernel every time."""
    sock, buffer = workload.sock, workload.buffer
    with workload.window():
        while not workload.done:
            workload.calls["select"] += 1
            select.select([sock], [], [])
            workload.calls["recvfrom"] += 1
            size = sock.recv_into(buffer)
            workload.received(size)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
