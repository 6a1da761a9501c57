"""Linux native AIO where it is asynchronous: a file with O_DIRECT, which the device copies to the program's buffer."""

import ctypes

from scenarios.interfaces.linux_aio import PREAD, Context, Iocb
from scenarios.kit import Workload, main
from scenarios.kit.blockfile import Reader, stride

NAME = "linux-aio"
SUMMARY = "io_submit returns at once, the device does the rest"
PROTOCOLS = ("file",)
ALIASES = ("linux-aio-file", "libaio", "native-aio")
FIGURE = "6.5"
MODEL = "linux-aio"
SYNCHRONOUS = False
COMPLETES = True


def receive(workload: Workload) -> None:
    """Two calls per message: io_submit asks and returns, io_getevents waits for the device."""
    memory = Reader.buffer(workload.options.size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    step, fd = stride(workload.options.size), workload.sock.fileno()
    request = Iocb(aio_lio_opcode=PREAD, aio_fildes=fd, aio_buf=address, aio_nbytes=step)
    with Context() as context, workload.window():
        while not workload.done:
            workload.await_sent(workload.messages + 1)
            request.aio_offset = workload.messages * step
            workload.calls["io_submit"] += 1
            context.submit(request)
            workload.calls["io_getevents"] += 1
            workload.received(context.wait())


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
