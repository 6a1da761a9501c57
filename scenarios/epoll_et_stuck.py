"""epoll(7), edge-triggered, used wrongly: one receive for each wake-up, and what is left behind is never told of.

Two messages come before the program first looks. It is told once, takes one, and sleeps with the other in its socket
until a third comes: from then on it is one message behind. The last one is told of by nobody.
"""

import select

from scenarios.kit import Workload, main

NAME = "epoll-et-stuck"
SUMMARY = "edge-triggered, not drained: data is left, nothing tells"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("et-stuck",)
FIGURE = "6.3"
MODEL = "epoll-et"
STEADY = False
PATIENCE = 2  # intervals without a wake-up after which the program looks for itself
LEAST_S = 0.1


def receive(workload: Workload) -> None:
    """epoll_wait and one receive in turn. With the last message unread, the program sleeps until its time-out."""
    sock, buffer, size = workload.sock, workload.buffer, workload.options.size
    sock.setblocking(False)
    timeout = max(LEAST_S, PATIENCE * workload.options.interval_ns / 1e9)
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN | select.EPOLLET)
        with workload.window():
            workload.publish(ahead=1)  # so that the second message comes too
            workload.await_sent(2)
            while not workload.done:
                workload.calls["epoll_wait"] += 1
                told = epoll.poll(timeout)
                more = True
                while more:
                    workload.calls["recvfrom"] += 1
                    try:
                        workload.note(sock.recv_into(buffer, size))
                    except BlockingIOError:
                        workload.errors["recvfrom", "EAGAIN"] += 1
                        break
                    more = (
                        not told and not workload.done
                    )  # nothing told of it: take all that was left
                workload.publish(ahead=1)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
