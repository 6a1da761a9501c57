"""More aio_read(3)s outstanding than glibc has helper threads for (20, aio_init(3)), each on a descriptor of its own.

A getppid(2) after each marks in a trace where it has returned: a C library's function has no exit there.
"""

import ctypes
import os
import socket
from collections.abc import Callable

from scenarios.kit import Workload, main, transport
from scenarios.posix_aio import AioCb, SigEvent, c_library
from scenarios.posix_aio_suspend import SIGEV_NONE

READS = 25
FIRST = 5  # that are served before the last one, to which a message is sent before all others
BYTES = 64


class Reads:
    """Requests to read, each from a socket of its own that is connected to itself."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._libc = c_library()
        self._memory = (ctypes.c_char * (READS * BYTES))()
        self._socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(READS)]
        for sock in self._socks:
            sock.bind((transport.LOOPBACK, 0))
            sock.connect(sock.getsockname())
        self._requests = [
            AioCb(
                aio_fildes=sock.fileno(),
                aio_buf=ctypes.addressof(self._memory) + index * BYTES,
                aio_nbytes=BYTES,
                aio_sigevent=SigEvent(sigev_notify=SIGEV_NONE),
            )
            for index, sock in enumerate(self._socks)
        ]

    def ask(self, index: int) -> None:
        """aio_read, and what its helper thread will call."""
        calls = self.workload.calls
        for call in ("aio_read", "pread64", "read"):
            calls[call] += 1
        self.workload.errors["pread64", "ESPIPE"] += 1  # a socket has no position
        if self._libc.aio_read(ctypes.byref(self._requests[index])):
            raise OSError(ctypes.get_errno(), "aio_read: " + os.strerror(ctypes.get_errno()))

    def mark(self) -> None:
        """Whatever was called before has returned."""
        self.workload.calls["getppid"] += 1
        os.getppid()

    def send(self, index: int) -> None:
        """A message for this one."""
        self.workload.calls["sendto"] += 1
        self._socks[index].send(b"here")

    def wait(self, index: int) -> None:
        """aio_suspend, until this one is complete."""
        request = self._requests[index]
        self.workload.calls["aio_suspend"] += 1
        self._libc.aio_suspend((ctypes.c_void_p * 1)(ctypes.addressof(request)), 1, None)
        if error := self._libc.aio_error(ctypes.byref(request)):
            raise OSError(error, "aio_read: " + os.strerror(error))
        self.workload.bytes += self._libc.aio_return(ctypes.byref(request))


def all_at_once(reads: Reads) -> None:
    """All are asked for; the last one's message is sent, and then the first ones', each of which is waited for."""
    for index in range(READS):
        reads.ask(index)
        reads.mark()
    reads.send(READS - 1)
    for index in (*range(FIRST), None, *range(FIRST, READS - 1)):
        if index is None:
            reads.wait(READS - 1)
            continue
        reads.send(index)
        reads.wait(index)


def receive(workload: Workload, a_round: Callable[[Reads], None] = all_at_once) -> None:
    """Rounds of this kind: in the first the helper threads are made, in the others they are there."""
    reads = Reads(workload)
    with workload.window():
        while not workload.done:
            a_round(reads)
            workload.turned()


if __name__ == "__main__":
    main("trials.outstanding", "more aio_reads outstanding than helpers", ("none",), receive)
