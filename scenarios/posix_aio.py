"""Asynchronous I/O as POSIX has it: aio_read(3) asks, and a signal tells when the data is already in the buffer.

The kernel knows nothing of it: glibc's helper thread waits in a blocking read(2), having first tried pread64(2), which
a socket refuses with ESPIPE, and then queues the signal (glibc, sysdeps/pthread/aio_misc.c, handle_fildes_io).
"""

import ctypes
import os
import platform
import signal
from types import FrameType

from scenarios.kit import Unsupported, Workload, main

NAME = "posix-aio"
SUMMARY = "aio_read asks, a signal tells when the data is there"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ("aio", "aio-read", "posix-aio-signal")
FIGURE = "6.5"
MODEL = "posix-aio"
SYNCHRONOUS = False
COMPLETES = True

SIGEV_SIGNAL = 0


class SigEvent(ctypes.Structure):
    """struct sigevent of <signal.h>, glibc on x86-64: 64 bytes."""

    _fields_ = [
        ("sigev_value", ctypes.c_void_p),
        ("sigev_signo", ctypes.c_int),
        ("sigev_notify", ctypes.c_int),
        ("sigev_notify_function", ctypes.c_void_p),
        ("sigev_notify_attributes", ctypes.c_void_p),
        ("_pad", ctypes.c_int * 8),
    ]


class AioCb(ctypes.Structure):
    """struct aiocb of <aio.h>, glibc on x86-64: 168 bytes; the names with _ are glibc's own."""

    _fields_ = [
        ("aio_fildes", ctypes.c_int),
        ("aio_lio_opcode", ctypes.c_int),
        ("aio_reqprio", ctypes.c_int),
        ("aio_buf", ctypes.c_void_p),
        ("aio_nbytes", ctypes.c_size_t),
        ("aio_sigevent", SigEvent),
        ("_next_prio", ctypes.c_void_p),
        ("_abs_prio", ctypes.c_int),
        ("_policy", ctypes.c_int),
        ("_error_code", ctypes.c_int),
        ("_return_value", ctypes.c_ssize_t),
        ("aio_offset", ctypes.c_int64),
        ("_reserved", ctypes.c_char * 32),
    ]


def receive(workload: Workload) -> None:
    """No receive call of its own: the request is made, the program computes, the handler finds the data copied."""
    libc = c_library()
    buffer = (ctypes.c_char * len(workload.buffer)).from_buffer(workload.buffer)
    request = AioCb(
        aio_fildes=workload.sock.fileno(),
        aio_buf=ctypes.addressof(buffer),
        aio_nbytes=len(buffer),
        aio_sigevent=SigEvent(sigev_signo=signal.SIGRTMIN, sigev_notify=SIGEV_SIGNAL),
    )
    at = ctypes.byref(request)
    wanted = True  # a message is to come that was not yet asked for

    def ask() -> None:
        nonlocal wanted
        wanted = False
        workload.calls["aio_read"] += 1
        workload.calls["pread64"] += 1  # the helper thread's
        workload.errors["pread64", "ESPIPE"] += 1
        workload.calls["read"] += 1
        if libc.aio_read(at):
            raise OSError(ctypes.get_errno(), "aio_read: " + os.strerror(ctypes.get_errno()))

    def on_completion(_signum: int, _frame: FrameType | None) -> None:
        nonlocal wanted
        if workload.done:  # interrupted: the window is over
            return
        workload.signals["SIGRTMIN"] += 1
        if error := libc.aio_error(at):
            raise OSError(error, "aio_read: " + os.strerror(error))
        workload.note(libc.aio_return(at))
        wanted = not workload.done

    signal.signal(signal.SIGRTMIN, on_completion)
    try:
        with workload.window():
            value = 1
            while not workload.done:
                if wanted:  # not in the handler: queued data completes at once, and handlers would nest without end
                    ask()
                    workload.publish()
                value = (value * 1103515245 + 12345) % 2**31  # the program's own work
    finally:
        # after Ctrl-C a request is still open
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})


def c_library() -> ctypes.CDLL:
    """The C library, if it is the one whose struct aiocb is described above; raises Unsupported."""
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        raise Unsupported("struct aiocb is known here for glibc on x86-64 only")
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "aio_read"):
        raise Unsupported("the C library has no aio_read (glibc has it since 2.34)")
    libc.aio_return.restype = ctypes.c_ssize_t
    return libc


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
