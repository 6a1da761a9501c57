"""select(2), poll(2) and epoll_wait(2) on 10 to 1000 UDP sockets, one of which is readable: what one call costs.

No call sleeps. The sizes and the calls take turns, so that what disturbs one disturbs all.
"""

import select
import socket
from collections.abc import Callable

from scenarios.kit import Unsupported, Workload, main, transport

SIZES = (10, 100, 1000)
TOGETHER = 5  # calls in a row


def receive(workload: Workload, before: Callable[[], None] = lambda: None) -> None:
    """TOGETHER calls of each kind on each size a round. before: is called before each."""
    if not transport.make_room(max(SIZES)):
        raise Unsupported(f"no process may have {max(SIZES)} descriptors open here (ulimit -H -n)")
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(max(SIZES))]
    readable = socks[SIZES[0] - 1]  # every size has it
    readable.bind((transport.LOOPBACK, 0))
    readable.connect(readable.getsockname())
    readable.send(b"it stays here")
    if socks[-1].fileno() >= 1024:
        raise Unsupported("descriptors begin too high for an fd_set of 1024")
    waits = [wait for size in SIZES for wait in _waits(workload, socks[:size])]
    with workload.window():
        while not workload.done:
            for wait in waits:
                for _ in range(TOGETHER):
                    before()
                    wait()
            workload.turned()


def _waits(workload: Workload, socks: list[socket.socket]) -> list[Callable[[], None]]:
    """The three ways of waiting for any of `socks`."""
    fds = [sock.fileno() for sock in socks]
    poll, epoll = select.poll(), select.epoll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
        epoll.register(fd, select.EPOLLIN)

    def by_select() -> None:
        workload.calls["select"] += 1
        select.select(fds, (), ())

    def by_poll() -> None:
        workload.calls["poll"] += 1
        poll.poll()

    def by_epoll() -> None:
        workload.calls["epoll_wait"] += 1
        epoll.poll()

    return [by_select, by_poll, by_epoll]


if __name__ == "__main__":
    main("trials.watching", "select, poll and epoll_wait on many sockets", ("none",), receive)
