"""io_uring, multishot receive (Linux 6.0): one request, a completion for each message, in buffers that it takes."""

from scenarios.interfaces.uring import BUFFER_SELECT, OP_RECV, RECV_MULTISHOT, Buffers, Ring
from scenarios.kit import Workload, main

NAME = "io-uring-multishot"
SUMMARY = "asked once, completed for each message"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("multishot",)
FIGURE = "6.5"
MODEL = "io-uring"
TASKRUN = True
SYNCHRONOUS = False
COMPLETES = True
BUFFERS = 8  # a power of two


def receive(workload: Workload) -> None:
    """One request for all messages; io_uring_enter sleeps until the next completion, unless one is there already."""
    with Ring(taskrun=workload.options.taskrun) as ring:
        buffers = Buffers(ring, BUFFERS, len(workload.buffer))
        with workload.window():
            asked = False
            while not workload.done:
                if not asked:
                    ring.put(
                        opcode=OP_RECV,
                        flags=BUFFER_SELECT,
                        ioprio=RECV_MULTISHOT,
                        fd=workload.sock.fileno(),
                        buf_group=buffers.GROUP,
                    )
                if not asked or not ring.completed:
                    workload.calls["io_uring_enter"] += 1
                    ring.enter(submit=not asked, wait=1)
                    asked = True
                if not ring.completed:  # interrupted
                    continue
                completion = ring.take()
                asked = completion.more  # it also ends when no buffer was free
                if not completion.no_buffer:
                    workload.received(completion.size)
                    buffers.give(completion.buffer)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, taskrun=TASKRUN)
