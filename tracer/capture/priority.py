"""The tracer's own priority (setpriority(2), sched(7)): programs that want all CPUs for themselves must not keep it
from emptying the ring and from ending in time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Self

from tracer import text
from tracer.kernel import pid_namespaces

_FIRST = -20  # the nice value next to real time
_LOWEST_REAL_TIME = 1
_LATE_S = 0.02  # so late after the time it asked for: other programs have the CPUs


class Priority:
    """The priority of this process's threads while it traces. Use as a context manager: what was before comes back.

    It works for a few ms, fifty times a second. At nice −20 it has a CPU soon, an idle one where there is one. Where it
    was late all the same, and in `urgent` steps, it works in real time (SCHED_RR, the lowest priority there). Whatever
    the kernel refuses (no CAP_SYS_NICE, a control group without real time) is left as it is.
    """

    def __init__(self) -> None:
        self._nice = os.getpriority(os.PRIO_PROCESS, 0)
        self._policy, self._parameter = os.sched_getscheduler(0), os.sched_getparam(0)
        self.was_late = False

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, min(_FIRST, self._nice))
        return self

    def __exit__(self, *_exc: object) -> None:
        """Where other programs had the CPUs, the report is made at nice −20 still: it would take minutes otherwise."""
        self.ordinary()
        if self.was_late:
            return
        for tid in _threads():  # those made meanwhile have inherited it
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, tid, self._nice)

    def ordinary(self) -> None:
        """Real time no more."""
        for tid in _threads():
            with contextlib.suppress(OSError):
                if os.sched_getscheduler(tid) != self._policy:
                    os.sched_setscheduler(tid, self._policy, self._parameter)

    @contextlib.contextmanager
    def urgent(self) -> Iterator[None]:
        """A context for what has to be done at once: adopting, detaching."""
        self._real_time()
        try:
            yield
        finally:
            if not self.was_late:
                self.ordinary()

    def woke(self, late_s: float) -> None:
        """To be told how late it came back from a sleep: from the first time that this was too late on, it works in
        real time."""
        if late_s > _LATE_S and not self.was_late:
            self.was_late = True
            self._real_time()

    def _real_time(self) -> None:
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_LOWEST_REAL_TIME))


def _threads() -> list[int]:
    """This process's threads, as its own PID namespace has them."""
    numbers = []
    for number in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            numbers.append(pid_namespaces.own_number(text.read(f"/proc/self/task/{number}/status")))
    return numbers
