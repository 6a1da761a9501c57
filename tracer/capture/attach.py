"""Adopts what runs already: names its threads to the probes by descriptors of /proc/PID/task/TID in a prctl(2) that no
kernel knows (probes/arrival.bpf.c), so that nothing is stopped and PID namespaces do not matter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tracer.bpf.loader import Attachment
from tracer.bpf.prctl import PRCTL_ADOPT, PRCTL_LEARN, PRCTL_RELEASE, PRCTL_WHO, prctl
from tracer.capture.exec_gate import DESCRIPTORS_AT_ONCE
from tracer.kernel import proc

_MOST_LOOKS = (
    20  # for threads: a program that makes and ends them all the time shows new ones at each
)
_AT_ONCE = 256  # threads or groups of descriptors between two drains


class Adopter:
    """Adopts threads for the attached probes. All numbers are as /proc has them.

    tids: the threads that were adopted.
    """

    def __init__(self, probes: Attachment) -> None:
        self.tids: set[int] = set()
        self._probes = probes
        self._prctl = prctl()

    def adopt(self, pid: int, tid: int) -> bool:
        """Adopts one thread; returns False if the thread has ended."""
        if not self._say(PRCTL_ADOPT, pid, tid, tid):
            return False
        self.tids.add(tid)
        return True

    def release(self, pid: int, tid: int) -> None:
        """Stops tracing the thread."""
        self._say(PRCTL_RELEASE, pid, tid)
        self.tids.discard(tid)

    def adopt_all(self, process: proc.Process, drain: Callable[[], None]) -> int:
        """Adopts every thread of a process, and looks for more until a look finds no new one: the probes follow by
        themselves the threads that adopted threads make, so then none is left out. Returns how many; raises OSError if
        the process has ended.

        drain: called now and then, to empty the ring.
        """
        count = 0
        for _ in range(_MOST_LOOKS):
            try:
                new = sorted(set(process.threads()) - self.tids)
            except OSError:
                if not count:
                    raise
                break  # it has ended since the last look
            adopted = 0
            for done, tid in enumerate(new, 1):
                adopted += self.adopt(process.pid, tid)
                if done % _AT_ONCE == 0:
                    drain()
            count += adopted
            if not adopted:
                break
        return count

    def learn(self, pid: int, tid: int, fds: Iterable[int], drain: Callable[[], None]) -> None:
        """Makes descriptors of an adopted thread known to the probes: sockets for readiness, all to be recorded.

        fds: in ascending order. The probes take several numbers at once, so what lies close together costs one call.
        """
        said, after = 0, -1
        with _directory(pid, tid) as directory:
            for fd in fds:
                if fd > after:
                    self._prctl(PRCTL_LEARN, self._probes.secret, directory, fd, 0)
                    after, said = fd + DESCRIPTORS_AT_ONCE - 1, said + 1
                    if said % _AT_ONCE == 0:
                        drain()

    def kernel_id(self, pid: int) -> int:
        """The process's ID in the initial PID namespace, which the probes' records have; 0 if it has ended."""
        if not self._say(PRCTL_WHO, pid, pid):
            return 0
        return self._probes.who()

    def _say(self, option: int, pid: int, tid: int, argument: int = 0) -> bool:
        try:
            with _directory(pid, tid) as directory:
                self._prctl(option, self._probes.secret, directory, argument, 0)
        except OSError:
            return False
        return True


@contextmanager
def _directory(pid: int, tid: int) -> Iterator[int]:
    """A descriptor of a thread's directory in /proc, which names the thread; raises OSError."""
    directory = os.open(f"/proc/{pid}/task/{tid}", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)
