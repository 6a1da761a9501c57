"""POSIX aio: which aio_read(3) a helper thread's receive is for, and which signal told of it.

A C library's aio_read is seen by a uprobe. Requests on one descriptor are served in their order, and so are a
process's completions told. There are few of them beside the calls, so this is done one by one.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

import numpy as np

from tracer.columns import Columns
from tracer.descriptors import Descriptors
from tracer.records import LIBRARY_NAMES, Kind
from tracer.signals import Told

AIO_READ = next(number for number, name in LIBRARY_NAMES.items() if name == "aio_read")


@dataclass(slots=True)
class Request:
    """For each receive, when its aio_read was called (ns) and by which thread; 0 where it is none's."""

    at: np.ndarray
    tid: np.ndarray


class Requests:
    """aio_reads that wait for data, and received ones that wait to be told."""

    def __init__(self) -> None:
        self._asked: dict[tuple[int, int], deque] = defaultdict(deque)  # (process, fd) → (when, thread)
        self._received: dict[int, deque] = defaultdict(deque)  # process → serials
        self._told: dict[int, tuple[int, int, int, int]] = {}
        self._any = False

    def feed(self, batch: Columns, descriptors: Descriptors, tgids: np.ndarray, fds: np.ndarray, ends: np.ndarray,
             completions: Told, serial: int) -> Request:
        """The requests of the batch's receives (by process, descriptor and end, numbered from `serial` on)."""
        request = Request(np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64))
        asked = np.flatnonzero((batch.kind == Kind.LIBRARY) & (batch.nr == AIO_READ))
        self._any |= len(asked) > 0
        if not self._any:
            return request
        times, tids, asked_fds = batch.time[asked], batch.tid[asked], batch.fd[asked]
        askers = descriptors.process_of(tids, times)
        told = descriptors.process_of(completions.tid, completions.time)
        events = [*zip(times.tolist(), [0] * len(asked), range(len(asked))),
                  *zip(ends.tolist(), [1] * len(ends), range(len(ends))),
                  *zip(completions.time.tolist(), [2] * len(told), range(len(told)))]
        for time, what, i in sorted(events):
            if what == 0:
                self._asked[int(askers[i]), int(asked_fds[i])].append((time, int(tids[i])))
            elif what == 1:
                waiting = self._asked.get((int(tgids[i]), int(fds[i])))
                if waiting:
                    request.at[i], request.tid[i] = waiting.popleft()
                    self._received[int(tgids[i])].append(serial + i)
            elif self._received[int(told[i])]:
                self._told[self._received[int(told[i])].popleft()] = (
                    time, int(completions.number[i]), int(completions.generated[i]), time)
        return request

    def told(self) -> dict[int, tuple[int, int, int, int]]:
        """Serial of a receive → (when, signal, generated, delivered) of what told of it."""
        return self._told
