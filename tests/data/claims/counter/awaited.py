"""trials.outstanding with an asking that does not return at once: it waits until its own read is complete."""

from scenarios.kit import main
from scenarios.trials.outstanding import READS, Reads, receive


def awaited(reads: Reads) -> None:
    """Each read is asked for, and the data comes while the thread that asked sleeps."""
    for index in range(READS):
        reads.ask(index)
        reads.send(index)
        reads.wait(index)
        reads.mark()


main("awaited", __doc__, ("none",), lambda workload: receive(workload, awaited))
