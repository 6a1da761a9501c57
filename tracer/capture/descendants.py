"""The processes that a traced command has made: known from their births (task_newtask), and told to end by descriptors
of their directories in /proc, which stand for that process alone (pidfd_send_signal(2))."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from tracer import text
from tracer.capture.proc_numbers import ProcNumbers
from tracer.kernel import proc
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Births
from tracer.recording.records import Kind

_MOST = 10_000  # births remembered, before those that have ended are struck out
_SAME_NS = 100_000_000  # at most, between a birth as the probes and as /proc have it: that counts in clock ticks


class Descendants:
    """Feed records as they come. traced: the IDs of the processes that are traced now."""

    def __init__(self, numbers: ProcNumbers, traced: Callable[[], set[int]]) -> None:
        self._numbers, self._traced = numbers, traced
        self._born: dict[int, int] = {}  # process → birth (ns of CLOCK_BOOTTIME)
        self._most = _MOST

    def feed(self, records: RecordBatch) -> None:
        """Notes the processes that were made."""
        births = Births.of(records)
        made = births.where((births.kind == Kind.THREAD) & (births.tid == births.tgid))
        if not len(made):
            return
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        self._born |= zip(made.tid.tolist(), (made.time + boot_ns).tolist(), strict=True)
        if len(self._born) > self._most:
            traced = self._traced()
            self._born = {tgid: born for tgid, born in self._born.items() if tgid in traced}
            self._most = max(_MOST, 2 * len(self._born))

    def wait(self, milliseconds: float) -> bool:
        """Waits at most so long for the end of one of them; returns whether none is alive."""
        for number, _ in self._living():
            poll = select.poll()
            with suppress(
                OSError
            ):  # it has ended, or /proc is another PID namespace's and has other numbers
                poll.register(pidfd := os.pidfd_open(number), select.POLLIN)
                poll.poll(milliseconds)
                os.close(pidfd)
            return False
        return True

    def send(self, signal_number: int) -> None:
        """Sends a signal to those that are alive."""
        for _, directory in self._living():
            with suppress(OSError):
                signal.pidfd_send_signal(directory, signal_number)

    def _living(self) -> Iterator[tuple[int, int]]:
        """For each that is alive its number in /proc and its directory's descriptor, good until the next is asked
        for."""
        for tgid, number in self._numbers.numbers(set(self._born)).items():
            with suppress(OSError):
                directory = os.open(f"/proc/{number}", os.O_RDONLY | os.O_DIRECTORY)
                try:
                    if self._is_alive(directory, self._born[tgid]):
                        yield number, directory
                finally:
                    os.close(directory)

    def _is_alive(self, directory: int, born_ns: int) -> bool:
        """Whether the process of this directory has not ended, and is the one that was born then: not another one that
        has got its ID since."""
        with open(os.open("stat", os.O_RDONLY, dir_fd=directory), "rb") as file:
            stat = proc.Stat(text.shown(file.read()))
        return not stat.has_ended and abs(stat.born_ns - born_ns) < _SAME_NS
