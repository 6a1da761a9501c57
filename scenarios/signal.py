"""Signal-driven I/O: with O_ASYNC set by fcntl(2), the kernel sends SIGIO when data comes; until then we compute.

SIGIO is merged when pending, and CPython may run a handler once for several deliveries: only a closed loop has exactly
one of each per message.
"""

import fcntl
import os
import signal
from types import FrameType

from scenarios.kit import Workload, main

NAME = "signal"
SUMMARY = "SIGIO says that there is data, its handler calls recvfrom"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ("sigio", "signal-driven")
FIGURE = "6.4"
MODEL = "signal"


def receive(workload: Workload) -> None:
    """No call while waiting. One SIGIO may stand for many messages: its handler receives until EAGAIN."""
    sock, buffer, call = workload.sock, workload.buffer, workload.call
    signalled = draining = False

    def drain() -> None:
        while True:
            workload.calls[call] += 1
            try:
                size = sock.recv_into(buffer)
            except BlockingIOError:
                workload.errors[call, "EAGAIN"] += 1
                return
            workload.note(size)
            if size == 0:  # the end of a stream never says EAGAIN
                return

    def on_sigio(_signum: int, _frame: FrameType | None) -> None:
        nonlocal signalled, draining
        if workload.done:  # an open loop's last messages, or interrupted: the window is over
            return
        workload.signals["SIGIO"] += 1
        signalled = True
        # a signal that interrupts the draining makes it go round once more
        while signalled and not draining:
            signalled, draining = False, True
            drain()
            draining = False

    signal.signal(signal.SIGIO, on_sigio)
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        with workload.window():
            value = 1
            while not workload.done:
                value = (value * 1103515245 + 12345) % 2**31  # the program's own work
                workload.publish()  # after the handler, so that a closed loop has one SIGIO per message
    finally:
        # the end of the stream is yet to come
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
