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
        """One thread; False if it is gone."""
        if not self._say(PRCTL_ADOPT, pid, tid, tid, int(compat)):
            return False
        self.tids.add(tid)
        return True

    def release(self, pid: int, tid: int) -> None:
        """Traces the thread no more."""
        self._say(PRCTL_RELEASE, pid, tid)
        self.tids.discard(tid)

    def adopt_all(self, process: proc.Process, drain: Callable[[], None]) -> None:
        """Every thread of a process. New ones of adopted threads are followed by the probes, so when a look around
        finds none that was not adopted before, none is left out. drain: called now and then to empty the ring."""
        compat = process.is_32_bit()
        while new := set(process.threads()) - self.tids:
            adopted = [self.adopt(process.pid, tid, compat) for tid in sorted(new)]
            if not any(adopted):
                break
            drain()

    def learn(self, process: proc.Process, last: int, drain: Callable[[], None]) -> None:
        """Makes its descriptors up to `last` known to the probes: sockets for readiness, all for the recording."""
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
