"""Mutual exclusion: two processes share a mutex; whoever wants it while the other has it sleeps on a futex(2).

They take turns in being first, so that each waits for the other's release. A mutex that nobody waits for needs no call.
"""

import ctypes

from scenarios.interfaces.futex_words import Shared, compute
from scenarios.kit import Workload, main
from scenarios.kit.children import fork, join

NAME = "lock"
SUMMARY = "two processes and a mutex: each waits for the other"
PROTOCOLS = ("none",)
ALIASES = ("mutex", "mutual-exclusion")
FIGURE = ""
MODEL = "none"
INSTEAD = "mutual exclusion"

_PROCESS_SHARED = 1
_CONTENDED = 2  # glibc's mutex word: 0 free, 1 taken, 2 taken and somebody sleeps or is about to
_TAKEN, _RETURNED = (
    0,
    1,
)  # turns: the round in which the first has it, in which the second has given it back


def receive(workload: Workload) -> None:
    """Three futex calls a round: one process waits, the other wakes it, and it looks whether it must wake one, too."""
    shared = Shared()
    attributes = ctypes.create_string_buffer(8)
    shared.libc.pthread_mutexattr_init(attributes)
    shared.libc.pthread_mutexattr_setpshared(attributes, _PROCESS_SHARED)
    shared.libc.pthread_mutex_init(ctypes.c_void_p(shared.lock), attributes)
    other = [fork(lambda: _play(workload, shared, 1))]
    with workload.window():
        _play(workload, shared, 0)
        join(other)


def _play(workload: Workload, shared: Shared, me: int) -> None:
    """All rounds of one process: `me` is 0 or 1, and first in every second one."""
    lock, unlock = shared.libc.pthread_mutex_lock, shared.libc.pthread_mutex_unlock
    mutex, rounds = ctypes.c_void_p(shared.lock), workload.options.messages
    for number in range(1, rounds + 1):
        if number % 2 == me:
            lock(mutex)
            shared.turns[_TAKEN] = number
            while shared.words[0] != _CONTENDED:
                pass
            compute(workload.options.interval_ns)
            unlock(mutex)
        else:
            shared.await_turn(_TAKEN, number)
            lock(mutex)
            unlock(mutex)
            shared.turns[_RETURNED] = number
        shared.await_turn(_RETURNED, number)
        workload.calls["futex"] += 3
        workload.turned()


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive)
