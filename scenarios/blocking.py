"""Blocking I/O: recvfrom(2) sleeps in the kernel until a message is there, and returns with it."""

from scenarios.kit import Workload, main

NAME = "blocking"
SUMMARY = "recvfrom sleeps until the data is there"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ()
FIGURE = "6.1"
MODEL = "blocking"


def receive(workload: Workload) -> None:
    """One call per message: it waits and it copies."""
    sock, buffer, call = workload.sock, workload.buffer, workload.call
    with workload.window():
        while not workload.done:
            workload.calls[call] += 1
            size = sock.recv_into(buffer)
            workload.received(size)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
