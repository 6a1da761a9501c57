"""Adopts what runs already: names its threads to the probes by descriptors of /proc/PID/task/TID in a prctl(2) that no
kernel knows (probes/arrival.bpf.c), so that nothing is stopped and PID namespaces do not matter."""

from __future__ import annotations

import os
from collections.abc import Callable

from tracer.bpf.prctl import PRCTL_ADOPT, PRCTL_LEARN, PRCTL_RELEASE, prctl
from tracer.capture.exec_gate import DESCRIPTORS_AT_ONCE
from tracer.kernel import proc


class Adopter:
    """Adopts threads for the attached probes that have `secret`.

    tids: those adopted, as this PID namespace has them.
    """

    def __init__(self, secret: int) -> None:
        self.tids: set[int] = set()
        self._secret = secret
        self._prctl = prctl()

    def adopt(self, pid: int, tid: int, compat: bool = False) -> bool:
        """Adopts one thread; returns False if the thread has ended."""
        if not self._say(PRCTL_ADOPT, pid, tid, tid, int(compat)):
            return False
        self.tids.add(tid)
        return True

    def release(self, pid: int, tid: int) -> None:
        """Stops tracing the thread."""
        self._say(PRCTL_RELEASE, pid, tid)
        self.tids.discard(tid)

    def adopt_all(self, process: proc.Process, drain: Callable[[], None]) -> None:
        """Adopts every thread of a process, and looks for more until a look finds no new one: the probes follow by
        themselves the threads that adopted threads make, so then none is left out.

        drain: called after every look, to empty the ring.
        """
        compat = process.is_32_bit()
        while new := set(process.threads()) - self.tids:
            adopted = [self.adopt(process.pid, tid, compat) for tid in sorted(new)]
            if not any(adopted):
                break
            drain()

    def learn(self, process: proc.Process, last: int, drain: Callable[[], None]) -> None:
        """Makes a process's descriptors up to `last` known to the probes: sockets for readiness, all to be recorded."""
        for first in range(0, last + 1, DESCRIPTORS_AT_ONCE):
            if not self._say(PRCTL_LEARN, process.pid, process.pid, first):
                break
            drain()

    def _say(self, option: int, pid: int, tid: int, *arguments: int) -> bool:
        try:
            directory = os.open(f"/proc/{pid}/task/{tid}", os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            self._prctl(option, self._secret, directory, *arguments, *[0] * (2 - len(arguments)))
        finally:
            os.close(directory)
        return True
