"""Synchronisation: one process waits for an event, another makes it; a semaphore between them, asleep on a futex(2).

Nobody excludes anybody: who waits never wakes, and who wakes never waits (compare lock).
"""

import ctypes

from scenarios.interfaces.futex_words import Shared, compute
from scenarios.kit import Workload, main
from scenarios.kit.children import fork, join

NAME = "condition"
SUMMARY = "two processes and a semaphore: one waits for an event"
PROTOCOLS = ("none",)
ALIASES = ("semaphore", "synchronisation")
FIGURE = ""
MODEL = "none"
INSTEAD = "synchronisation"

_PROCESS_SHARED = 1
_SLEEPERS = 1  # the semaphore's second word: how many wait
_TAKEN = 0  # turn: events that have been waited for


def receive(workload: Workload) -> None:
    """Two futex calls an event: this process waits, the other wakes it."""
    shared = Shared()
    semaphore, events = ctypes.c_void_p(shared.lock), workload.options.messages
    shared.libc.sem_init(semaphore, _PROCESS_SHARED, 0)
    other = [fork(lambda: _make(shared, events, workload.options.interval_ns))]
    with workload.window():
        for number in range(1, events + 1):
            workload.calls["futex"] += 2
            shared.libc.sem_wait(semaphore)
            workload.turned()
            shared.turns[_TAKEN] = number
        join(other)


def _make(shared: Shared, events: int, interval_ns: int) -> None:
    """Make an event `interval_ns` after it began to be waited for."""
    for number in range(events):
        shared.await_turn(_TAKEN, number)
        while not shared.words[_SLEEPERS]:
            pass
        compute(interval_ns)
        shared.libc.sem_post(ctypes.c_void_p(shared.lock))


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
