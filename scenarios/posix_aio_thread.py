"""Asynchronous I/O as POSIX has it, told by a thread: aio_read(3) asks, and a new thread calls a function of ours.

With SIGEV_THREAD glibc's helper thread, having made the receive, creates a thread for each completion (clone3(2)).
"""

import ctypes
import os
import sys

from scenarios.kit import Workload, main
from scenarios.posix_aio import AioCb, SigEvent, c_library

NAME = "posix-aio-thread"
SUMMARY = "aio_read asks, a new thread tells when the data is there"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("aio-thread",)
FIGURE = "6.5"
MODEL = "posix-aio"
SYNCHRONOUS = False
COMPLETES = True

SIGEV_THREAD = 2
SWITCH_S = 0.0001  # how soon the interpreter lets the new thread run while the program computes


def receive(workload: Workload) -> None:
    """No receive call of its own: the request is made, the program computes, a thread of glibc's finds the data."""
    libc = c_library()
    buffer = (ctypes.c_char * len(workload.buffer)).from_buffer(workload.buffer)
    problems: list[OSError] = []
    finished = 0

    def on_completion(_value: int | None) -> None:
        nonlocal finished
        if error := libc.aio_error(at):
            problems.append(OSError(error, "aio_read: " + os.strerror(error)))
        else:
            workload.note(libc.aio_return(at))
        finished += 1

    callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(on_completion)
    request = AioCb(
        aio_fildes=workload.sock.fileno(),
        aio_buf=ctypes.addressof(buffer),
        aio_nbytes=len(buffer),
        aio_sigevent=SigEvent(
            sigev_notify=SIGEV_THREAD,
            sigev_notify_function=ctypes.cast(callback, ctypes.c_void_p).value,
        ),
    )
    at = ctypes.byref(request)
    sys.setswitchinterval(SWITCH_S)
    with workload.window():
        value, asked = 1, 0
        while not workload.done and not problems:
            asked += 1
            workload.calls["aio_read"] += 1
            workload.calls["pread64"] += 1  # the helper thread's, which a socket refuses
            workload.errors["pread64", "ESPIPE"] += 1
            workload.calls["read"] += 1
            if libc.aio_read(at):
                raise OSError(ctypes.get_errno(), "aio_read: " + os.strerror(ctypes.get_errno()))
            workload.publish()
            while finished < asked:
                value = (value * 1103515245 + 12345) % 2**31  # the program's own work
    workload.publish()
    if problems:
        raise problems[0]


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
