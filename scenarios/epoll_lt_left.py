"""epoll(7), level-triggered, with data left behind: epoll_wait(2) tells of it again at once, as long as there is any.

Messages come two by two, and each wake-up takes one. (epoll_et_stuck.py does the same with edges.)
"""

import select

from scenarios.kit import Workload, main

NAME = "epoll-lt-left"
SUMMARY = "level-triggered, not drained: epoll_wait tells again"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("lt-left",)
FIGURE = "6.3"
MODEL = "epoll-lt"
TOGETHER = 2  # messages that come before the program looks


def receive(workload: Workload) -> None:
    """epoll_wait and one receive in turn; every second epoll_wait returns at once, with the data left by the first."""
    sock, buffer, size = workload.sock, workload.buffer, workload.options.size
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN)
        with workload.window():
            while not workload.done:
                if workload.messages % TOGETHER == 0:
                    workload.publish(ahead=TOGETHER - 1)
                    workload.await_sent(workload.messages + TOGETHER)
                workload.calls["epoll_wait"] += 1
                epoll.poll()
                workload.calls["recvfrom"] += 1
                workload.note(sock.recv_into(buffer, size))
        workload.publish()


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
