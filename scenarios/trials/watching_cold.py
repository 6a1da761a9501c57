"""As trials.watching, where other work has swept the caches before each call."""

from scenarios.kit import Workload, main
from scenarios.trials import watching

SWEPT = 64 << 20  # bytes: more than the caches hold


def receive(workload: Workload) -> None:
    """As in trials.watching, after as many bytes have been written as push all else out of the caches."""
    page, memory = bytes(1 << 20), bytearray(SWEPT)

    def sweep() -> None:
        for at in range(0, SWEPT, len(page)):
            memory[at : at + len(page)] = page

    watching.receive(workload, sweep)


if __name__ == "__main__":
    main("trials.watching_cold", "select, poll and epoll_wait after a sweep", ("none",), receive)
