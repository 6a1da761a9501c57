"""Two threads that compute, without the interpreter's lock, as long as asked and where they may (sched(7))."""

import hashlib
import os
import threading
import time

from scenarios.kit.receiver import Workload

_TRIAL = 20_000  # rounds of hashing by which the machine's speed is measured


def run(workload: Workload, cpus: set[int]) -> None:
    """Two threads that may run on `cpus`, each with as many portions of work as there would be messages."""
    begin_ns = time.monotonic_ns()
    _hash(_TRIAL)
    rounds = max(1, _TRIAL * workload.options.interval_ns // (time.monotonic_ns() - begin_ns))
    ready, go = threading.Barrier(3), threading.Event()
    portions = [0, 0]
    threads = [
        threading.Thread(target=_compute, args=(workload, cpus, rounds, ready, go, portions, i))
        for i in range(2)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    with workload.window():
        go.set()
        for thread in threads:
            thread.join()
        for _ in range(min(portions)):
            workload.turned()


def _compute(
    workload: Workload,
    cpus: set[int],
    rounds: int,
    ready: threading.Barrier,
    go: threading.Event,
    portions: list[int],
    index: int,
) -> None:
    ordered = sorted(cpus)
    # of this thread alone: each begins on a CPU of its own,
    os.sched_setaffinity(0, {ordered[index % len(ordered)]})
    ready.wait()
    go.wait()
    os.sched_setaffinity(0, cpus)  # and may then go where it likes
    for _ in range(workload.options.messages):
        if workload.done:  # interrupted
            return
        _hash(rounds)
        portions[index] += 1


def _hash(rounds: int) -> None:
    hashlib.pbkdf2_hmac("sha256", b"iotrace", b"", rounds)
