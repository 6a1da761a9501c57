"""What an event costs the program that is traced, measured on this machine now: a short loop of a system call under the
probes and without them, in turns (CLOCK_THREAD_CPUTIME_ID)."""

from __future__ import annotations

import os
import threading
import time

from tracer.bpf.loader import Attachment
from tracer.capture.attach import Adopter
from tracer.capture.collector import Collector

_ROUNDS, _CALLS = 5, 2000


def event_ns(probes: Attachment, collector: Collector, adopter: Adopter) -> float:
    """CPU time (ns, at least 0) that the probes add to a system call; to be called before anything else is traced.

    The shortest round with probes is compared with the shortest without: a disturbance only makes a round longer.
    """
    with_probes: list[int] = []
    without: list[int] = []
    whom: list[int] = []
    thread = threading.Thread(target=_measure, args=(probes, adopter, whom, with_probes, without))
    thread.start()
    thread.join()
    adopter.release(*whom)  # it may take a moment to end
    collector.forget()
    return max(0.0, (min(with_probes) - min(without)) / _CALLS)


def _measure(
    probes: Attachment,
    adopter: Adopter,
    whom: list[int],
    with_probes: list[int],
    without: list[int],
) -> None:
    """whom: gets this thread's process and ID as /proc has them, which may be another PID namespace's."""
    whom += map(int, os.readlink("/proc/thread-self").split("/task/"))
    adopter.adopt(*whom)
    for _ in range(_ROUNDS):
        with_probes.append(_loop())
        with probes.calls_unprobed():
            without.append(_loop())


def _loop() -> int:
    """CPU ns of _CALLS calls of getppid and of the loop around them."""
    call = os.getppid
    begin = time.thread_time_ns()
    for _ in range(_CALLS):
        call()
    return time.thread_time_ns() - begin
