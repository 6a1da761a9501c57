"""Several processes on one listening socket, each with an epoll(7) set of its own: who is woken, and who gets it."""

import mmap
import os
import select
import socket
from functools import partial

from scenarios.kit.children import fork, join
from scenarios.kit.receiver import STREAM_BUFFER, Workload

WORKERS = 4
_WAITS, _ACCEPTS, _NOTHING, _RECEIVES, _BYTES, _READY = range(6)  # what a worker counts


def serve(workload: Workload, events: int) -> None:
    """Let WORKERS processes accept and receive the messages, each message on a connection of its own.

    events: with which the listening socket is registered, EPOLLIN and what changes who is woken.
    """
    workload.sock.setblocking(False)
    # told of a connection when its data is there
    workload.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    counts = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
    rows = [counts[8 * i : 8 * i + 8] for i in range(WORKERS)]
    enough = os.eventfd(0)  # tells all of the end
    workers = []
    try:
        for row in rows:
            workers.append(fork(partial(_work, workload, events, rows, row, enough)))
        while not all(row[_READY] for row in rows):
            pass
        with workload.window():
            join(workers)
    finally:
        os.eventfd_write(enough, 1)
        join(workers)
        os.close(enough)
        for row in rows:
            workload.calls["epoll_wait"] += row[_WAITS]
            workload.calls["accept4"] += row[_ACCEPTS]
            if row[_NOTHING]:
                workload.errors["accept4", "EAGAIN"] += row[_NOTHING]
            workload.calls["recvfrom"] += row[_RECEIVES]
            workload.messages += row[_RECEIVES]
            workload.bytes += row[_BYTES]


def _work(
    workload: Workload, events: int, rows: list[memoryview], row: memoryview, enough: int
) -> None:
    """One process: wait, accept, receive, until all messages have come to one or another; counts in `row`."""
    listener, buffer = workload.sock, bytearray(max(STREAM_BUFFER, workload.options.size))
    with select.epoll() as epoll:
        epoll.register(listener, events)
        epoll.register(enough, select.EPOLLIN)
        row[_READY] = 1
        received = 0
        while received < workload.options.messages:
            row[_WAITS] += 1
            if enough in (fd for fd, _ in epoll.poll()):
                return
            row[_ACCEPTS] += 1
            try:
                connection = listener.accept()[0]
            except BlockingIOError:  # another process was quicker
                row[_NOTHING] += 1
                continue
            with connection:
                row[_BYTES] += connection.recv_into(buffer)
            row[_RECEIVES] += 1
            received = sum(its[_RECEIVES] for its in rows)
            workload.publish_as(received)
    os.eventfd_write(enough, 1)
