"""signal with signals that say nothing: SIGIO comes from the program itself, and its receive finds no data."""

import fcntl
import os
import signal
from types import FrameType

from scenarios.kit import Workload, main


def receive(workload: Workload) -> None:
    """One empty signal before each real one."""

    def on_sigio(_signum: int, _frame: FrameType | None) -> None:
        if workload.done:
            return
        workload.signals["SIGIO"] += 1
        workload.calls["recvfrom"] += 1
        try:
            workload.note(workload.sock.recv_into(workload.buffer))
        except BlockingIOError:
            workload.errors["recvfrom", "EAGAIN"] += 1

    sock = workload.sock
    signal.signal(signal.SIGIO, on_sigio)
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    with workload.window():
        while not workload.done:
            messages = workload.messages
            workload.calls["kill"] += 1
            os.kill(os.getpid(), signal.SIGIO)
            workload.publish()
            while workload.messages == messages and not workload.done:
                pass
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})


main("early", __doc__, ("udp",), receive)
