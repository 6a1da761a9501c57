"""Multiplexing with select(2), which glibc calls as pselect6: sleep until one of a set is readable, then receive."""

import select

from scenarios.kit import Workload, main

NAME = "select"
SUMMARY = "select sleeps until one is readable, recvfrom copies"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ()
FIGURE = "6.3"
MODEL = "select"
SOCKETS = 1000
SOCKETS_WHY = (
    "glibc's fd_set ends at descriptor 1023 (FD_SETSIZE), and a few of them are taken already"
)


def receive(workload: Workload) -> None:
    """Two calls per message: one waits, the other copies; the whole set goes to the kernel every time."""
    socks, buffer, call = workload.socks, workload.buffer, workload.call
    with workload.window():
        while not workload.done:
            workload.calls["select"] += 1
            readable, _, _ = select.select(socks, [], [])
            for sock in readable:
                workload.calls[call] += 1
                size = sock.recv_into(buffer)
                workload.received(size, sock)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, SOCKETS)
