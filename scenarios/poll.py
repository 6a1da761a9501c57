"""Multiplexing with poll(2): sleep until one of a list is readable, then receive."""

import select

from scenarios.workload import Workload, main

NAME = "poll"
SUMMARY = "poll sleeps until one is readable, recvfrom copies"
PROTOCOLS = ("udp", "tcp")
ALIASES = ()
FIGURE = "6.3"


def receive(workload: Workload) -> None:
    """Two calls per message: one waits, the other copies; the whole list goes to the kernel every time."""
    sock, buffer = workload.sock, workload.buffer
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    with workload.window():
        while not workload.done:
            workload.calls["poll"] += 1
            poll.poll()
            workload.calls["recvfrom"] += 1
            size = sock.recv_into(buffer)
            workload.received(size)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
