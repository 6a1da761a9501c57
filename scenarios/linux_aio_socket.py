"""Linux native AIO on a socket: asynchronous in name only, io_submit(2) itself sleeps until the data is there."""

import ctypes

from scenarios.interfaces.linux_aio import PREAD, Context, Iocb
from scenarios.kit import Workload, main

NAME = "linux-aio-socket"
SUMMARY = "io_submit on a socket: it waits inside io_submit"
PROTOCOLS = ("udp", "tcp")
ALIASES = ()
FIGURE = "6.5"
MODEL = "linux-aio"
COMPLETES = True


def receive(workload: Workload) -> None:
    """Two calls per message: io_submit, which waits and copies, and io_getevents, which finds all done."""
    buffer = workload.buffer
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    request = Iocb(
        aio_lio_opcode=PREAD,
        aio_fildes=workload.sock.fileno(),
        aio_buf=address,
        aio_nbytes=len(buffer),
    )
    with Context() as context, workload.window():
        while not workload.done:
            workload.calls["io_submit"] += 1
            context.submit(request)
            workload.calls["io_getevents"] += 1
            workload.received(context.wait())


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
