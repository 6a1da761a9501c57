"""nonblocking with a nap after each call that found nothing: it polls, and waiting costs little CPU."""

import select

from scenarios.kit import Workload, main


def receive(workload: Workload) -> None:
    """recvfrom and 100 µs of sleep in turn."""
    workload.sock.setblocking(False)
    with workload.window():
        while not workload.done:
            workload.calls["recvfrom"] += 1
            try:
                workload.received(workload.sock.recv_into(workload.buffer))
            except BlockingIOError:
                workload.errors["recvfrom", "EAGAIN"] += 1
                select.select((), (), (), 0.0001)


main("polite", __doc__, ("udp",), receive)
