"""Non-blocking I/O: recvfrom(2) on an O_NONBLOCK socket, again and again, until it no longer says EAGAIN."""

from scenarios.kit import Workload, main

NAME = "nonblocking"
SUMMARY = "recvfrom returns EAGAIN until the data is there"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ("polling",)
FIGURE = "6.2"
MODEL = "nonblocking"


def receive(workload: Workload) -> None:
    """Many calls per message: each asks, the last one copies; the processor is never given up."""
    sock, buffer, call = workload.sock, workload.buffer, workload.call
    sock.setblocking(False)
    with workload.window():
        while not workload.done:
            workload.calls[call] += 1
            try:
                size = sock.recv_into(buffer)
            except BlockingIOError:
                workload.errors[call, "EAGAIN"] += 1
            else:
                workload.received(size)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
