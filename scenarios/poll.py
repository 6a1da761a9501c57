"""Multiplexing with poll(2): sleep until one of a list is readable, then receive."""

import select

from scenarios.kit import Workload, main

NAME = "poll"
SUMMARY = "poll sleeps until one is readable, recvfrom copies"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ()
FIGURE = "6.3"
MODEL = "poll"
SOCKETS = 20000
SOCKETS_WHY = (
    "over UDP each has a port of its own, and Linux has 28,232 to give (ip_local_port_range)"
)


def receive(workload: Workload) -> None:
    """Two calls per message: one waits, the other copies; the whole list goes to the kernel every time."""
    socks, buffer, call = (
        {sock.fileno(): sock for sock in workload.socks},
        workload.buffer,
        workload.call,
    )
    poll = select.poll()
    for fd in socks:
        poll.register(fd, select.POLLIN)
    with workload.window():
        while not workload.done:
            workload.calls["poll"] += 1
            for fd, _ in poll.poll():
                workload.calls[call] += 1
                size = socks[fd].recv_into(buffer)
                workload.received(size, socks[fd])


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, SOCKETS)
