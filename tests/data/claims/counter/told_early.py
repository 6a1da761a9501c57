"""posix-aio told before the copy: the program sends itself the signal as soon as it has asked."""

import ctypes
import errno
import os
import signal

from scenarios.kit import Workload, main
from scenarios.posix_aio import AioCb, SigEvent, c_library
from scenarios.posix_aio_suspend import SIGEV_NONE


def receive(workload: Workload) -> None:
    """The signal says that it was asked; when the data is there, the program finds by looking."""
    libc = c_library()
    buffer = (ctypes.c_char * len(workload.buffer)).from_buffer(workload.buffer)
    request = AioCb(
        aio_fildes=workload.sock.fileno(),
        aio_buf=ctypes.addressof(buffer),
        aio_nbytes=len(buffer),
        aio_sigevent=SigEvent(sigev_notify=SIGEV_NONE),
    )
    at = ctypes.byref(request)

    def on_signal(_signum: int, _frame: object) -> None:
        workload.signals["SIGRTMIN"] += 1

    signal.signal(signal.SIGRTMIN, on_signal)
    with workload.window():
        while not workload.done:
            for call in ("aio_read", "pread64", "read"):
                workload.calls[call] += 1
            workload.errors["pread64", "ESPIPE"] += 1
            libc.aio_read(at)
            workload.calls["kill"] += 1
            os.kill(os.getpid(), signal.SIGRTMIN)
            workload.publish()
            while libc.aio_error(at) == errno.EINPROGRESS:
                pass
            workload.note(libc.aio_return(at))
    workload.publish()


main("told-early", __doc__, ("udp",), receive)
