"""epoll(7), edge-triggered: EPOLL_CTL_MOD has it report again what it has reported, and nothing has arrived."""

import select

from scenarios.kit import Workload, main
from scenarios.trials import asking

EDGE = select.EPOLLIN | select.EPOLLET


def receive(workload: Workload) -> None:
    """A round: a message; asked; the registration set anew, as it was; asked; the message taken; asked."""
    sock, epoll = asking.to_itself(), select.epoll()
    with sock, epoll:
        epoll.register(sock, EDGE)
        with workload.window():
            while not workload.done:
                asking.send(workload, sock, 1)
                asking.ask(workload, epoll)
                workload.calls["epoll_ctl"] += 1
                epoll.modify(sock, EDGE)
                asking.ask(workload, epoll)
                asking.take(workload, sock, 1)
                asking.ask(workload, epoll)
                workload.turned()


if __name__ == "__main__":
    main("trials.modified", "a registration for edges set anew", ("none",), receive)
