"""Linux native AIO with IOCB_CMD_POLL (Linux 4.18): it tells of data, a receive copies it, as with poll(2)."""

import select

from scenarios.interfaces.linux_aio import POLL, Context, Iocb
from scenarios.kit import Workload, main

NAME = "linux-aio-poll"
SUMMARY = "io_submit asks, io_getevents waits, recvfrom copies"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("iocb-cmd-poll",)
FIGURE = "6.3"
MODEL = "linux-aio"


def receive(workload: Workload) -> None:
    """Three calls per message: one asks, one waits, one copies."""
    sock, buffer = workload.sock, workload.buffer
    request = Iocb(aio_lio_opcode=POLL, aio_fildes=sock.fileno(), aio_buf=select.POLLIN)
    with Context() as context, workload.window():
        while not workload.done:
            workload.calls["io_submit"] += 1
            context.submit(request)
            workload.calls["io_getevents"] += 1
            context.wait()
            workload.calls["recvfrom"] += 1
            workload.received(sock.recv_into(buffer))


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
