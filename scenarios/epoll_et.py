"""Multiplexing with epoll(7), edge-triggered: epoll_wait(2) tells of each arrival once, so receive until EAGAIN."""

import select
import socket

from scenarios.kit import Workload, main

NAME = "epoll-et"
SUMMARY = "epoll_wait tells of an arrival once; receive until EAGAIN"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("edge-triggered",)
FIGURE = "6.3"
MODEL = "epoll-et"


def receive(workload: Workload) -> None:
    """Three calls per message: one waits, one copies, one finds that nothing is left; only then may it wait again."""
    sock, buffer = workload.sock, workload.buffer
    sock.setblocking(False)
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN | select.EPOLLET)
        with workload.window():
            while not workload.done:
                workload.calls["epoll_wait"] += 1
                epoll.poll()
                drain(workload, sock, buffer)
                workload.publish()


def drain(workload: Workload, sock: socket.socket, buffer: bytearray) -> None:
    """Receive all there is."""
    size = -1
    while size:  # 0 is the end of a stream, which never says EAGAIN
        workload.calls["recvfrom"] += 1
        try:
            size = sock.recv_into(buffer)
        except BlockingIOError:
            workload.errors["recvfrom", "EAGAIN"] += 1
            return
        workload.note(size)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
