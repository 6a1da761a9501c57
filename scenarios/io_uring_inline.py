"""io_uring, completed inline: the data is there when the receive is submitted, io_uring_enter(2) itself copies it."""

from scenarios.interfaces.uring import Ring
from scenarios.kit import Workload, main

NAME = "io-uring-inline"
SUMMARY = "the data is there already: io_uring_enter copies it"
PROTOCOLS = ("udp", "tcp")
ALIASES = ()
FIGURE = "6.5"
MODEL = "io-uring"
TASKRUN = True
COMPLETES = True


def receive(workload: Workload) -> None:
    """One io_uring_enter per message, made once it has come; the completion is in the ring when the call returns."""
    with Ring(taskrun=workload.options.taskrun) as ring, workload.window():
        while not workload.done:
            workload.await_sent(workload.messages + 1)
            ring.put_receive(workload.sock, workload.buffer)
            workload.calls["io_uring_enter"] += 1
            ring.enter(submit=1, wait=1)
            workload.received(ring.take().size)


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, taskrun=TASKRUN)
