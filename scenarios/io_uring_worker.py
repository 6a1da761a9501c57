"""io_uring, forced to a worker: with IOSQE_ASYNC a kernel thread (io-wq) makes the receive, not the one that asked.

Since Linux 5.16 a worker that finds nothing arms a poll, and when data comes a worker is given the request again;
before, it blocks in the receive.
"""

from scenarios.interfaces.uring import ASYNC, Ring
from scenarios.kit import Workload, main

NAME = "io-uring-worker"
SUMMARY = "IOSQE_ASYNC: a kernel worker makes the receive"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("io-uring-async",)
FIGURE = "6.5"
MODEL = "io-uring"
TASKRUN = True
SYNCHRONOUS = False
COMPLETES = True


def receive(workload: Workload) -> None:
    """Two calls per message: one submits and returns, one waits for the completion."""
    with Ring(taskrun=workload.options.taskrun) as ring, workload.window():
        while not workload.done:
            ring.put_receive(workload.sock, workload.buffer, ASYNC)
            workload.calls["io_uring_enter"] += 2
            ring.enter(submit=1, wait=0)
            workload.publish()
            ring.enter(submit=0, wait=1)
            workload.note(ring.take().size)
        workload.publish()


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, taskrun=TASKRUN)
