"""Asynchronous I/O as POSIX has it, waited for: aio_read(3) asks, aio_suspend(3) sleeps until the data is there.

glibc sleeps on a futex(2) there, until its helper thread, which makes the receive, wakes it.
"""

import ctypes
import os

from scenarios.kit import Workload, main
from scenarios.posix_aio import AioCb, SigEvent, c_library

NAME = "posix-aio-suspend"
SUMMARY = "aio_read asks, aio_suspend waits until the data is there"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("aio-suspend",)
FIGURE = "6.5"
MODEL = "posix-aio"
SYNCHRONOUS = False
COMPLETES = True

SIGEV_NONE = 1


def receive(workload: Workload) -> None:
    """Two library calls per message, and no receive call of its own: the helper thread makes it."""
    libc = c_library()
    buffer = (ctypes.c_char * len(workload.buffer)).from_buffer(workload.buffer)
    request = AioCb(
        aio_fildes=workload.sock.fileno(),
        aio_buf=ctypes.addressof(buffer),
        aio_nbytes=len(buffer),
        aio_sigevent=SigEvent(sigev_notify=SIGEV_NONE),
    )
    at = ctypes.byref(request)
    requests = (ctypes.c_void_p * 1)(ctypes.addressof(request))
    with workload.window():
        while not workload.done:
            workload.calls["aio_read"] += 1
            workload.calls["pread64"] += 1  # the helper thread's, which a socket refuses
            workload.errors["pread64", "ESPIPE"] += 1
            workload.calls["read"] += 1
            _check(libc.aio_read(at), "aio_read")
            workload.publish()
            workload.calls["aio_suspend"] += 1
            _check(libc.aio_suspend(requests, 1, None), "aio_suspend")
            if error := libc.aio_error(at):
                raise OSError(error, "aio_read: " + os.strerror(error))
            workload.note(libc.aio_return(at))
    workload.publish()


def _check(failed: int, call: str) -> None:
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
