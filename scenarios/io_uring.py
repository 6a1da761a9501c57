"""io_uring, poll-armed: a receive that finds nothing is retried by the kernel when data comes, in the asking thread.

The completion is then read from shared memory, without a call.
"""

from scenarios.interfaces.uring import Ring
from scenarios.kit import Workload, main

NAME = "io-uring"
SUMMARY = "a receive is queued in a ring, completed in another"
PROTOCOLS = ("udp", "tcp")
ALIASES = ("uring", "io-uring-poll")
FIGURE = "6.5"
MODEL = "io-uring"
TASKRUN = True
SYNCHRONOUS = False


def receive(workload: Workload) -> None:
    """One io_uring_enter per message, to submit; the program computes until the completion stands in the ring. With
    --taskrun defer a second call lets the kernel copy, once the ring says that there is something to do."""
    with Ring(taskrun=workload.options.taskrun) as ring, workload.window():
        value = 1
        while not workload.done:
            ring.put_receive(workload.sock, workload.buffer)
            workload.calls["io_uring_enter"] += 1
            ring.enter(submit=1, wait=0)
            workload.publish()
            while not ring.completed:
                if ring.work_waits:
                    workload.calls["io_uring_enter"] += 1
                    ring.work()
                value = (value * 1103515245 + 12345) % 2**31  # the program's own work
            workload.note(ring.take().size)
        workload.publish()


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, taskrun=TASKRUN)
