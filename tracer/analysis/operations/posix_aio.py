"""POSIX aio: which aio_read(3) a helper's receive is for, and what told of it: a signal, a thread, aio_suspend(3).

A C library's aio_read is seen by a uprobe. Requests on one descriptor are served in their order, and so are a
process's completions told. There are few of them beside the calls, so this is done one by one.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.operations.signal_delivery import Delivery
from tracer.analysis.tables.asof import at, following, preceding
from tracer.analysis.threads.timeline import NEVER, TimelineBatch
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import LIBRARY_NAMES, Kind, empty

AIO_READ, AIO_SUSPEND = (
    {name: number for number, name in LIBRARY_NAMES.items()}[name]
    for name in ("aio_read", "aio_suspend")
)


@dataclass(slots=True)
class Request:
    """For each receive, when its aio_read was called (ns) and by which thread; 0 where it is none's."""

    at: np.ndarray
    tid: np.ndarray


@dataclass(slots=True)
class Notice:
    """For each receive, when the program was told by a thread or by aio_suspend (ns, 0: not so), whether that is seen
    or estimated, and by which of the two."""

    at: np.ndarray
    seen: np.ndarray
    by_thread: np.ndarray


class Requests:
    """aio_reads that wait for data, and received ones that wait to be told."""

    def __init__(self) -> None:
        self._asked: dict[tuple[int, int], deque] = defaultdict(
            deque
        )  # (process, fd) → (when, thread)
        self._received: dict[int, deque] = defaultdict(deque)  # process → serials
        self._told: dict[int, tuple[int, int, int, int]] = {}
        self._any = False
        self._futex = syscalls.numbers()["futex"]
        self._waits = [np.empty((3, 0), np.int64)]  # futex calls: thread, entry, exit
        self._marks = [RecordBatch.of(empty())]  # aio_suspends and new threads
        self._firsts = [np.empty((2, 0), np.int64)]  # threads, when they first had a CPU

    def feed(
        self,
        batch: RecordBatch,
        part: TimelineBatch,
        descriptors: Descriptors,
        tgids: np.ndarray,
        fds: np.ndarray,
        ends: np.ndarray,
        completions: Delivery,
        serial: int,
    ) -> Request:
        """The requests of the batch's receives (by process, descriptor and end, numbered from `serial` on)."""
        request = Request(np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64))
        asked = np.flatnonzero((batch.kind == Kind.LIBRARY) & (batch.nr == AIO_READ))
        self._any |= len(asked) > 0
        if not self._any:
            return request
        self._keep(batch, part)
        times, tids, asked_fds = batch.time[asked], batch.tid[asked], batch.fd[asked]
        askers = descriptors.process_of(tids, times)
        told = descriptors.process_of(completions.tid, completions.time)
        events = [
            *zip(times.tolist(), [0] * len(asked), range(len(asked))),
            *zip(ends.tolist(), [1] * len(ends), range(len(ends))),
            *zip(completions.time.tolist(), [2] * len(told), range(len(told))),
        ]
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
                    time,
                    int(completions.number[i]),
                    int(completions.generated[i]),
                    time,
                )
        return request

    def noticed(
        self, askers: np.ndarray, helpers: np.ndarray, asks: np.ndarray, ends: np.ndarray
    ) -> Notice:
        """What told of receives that no signal told of: asked by, made by, asked at and ended at (ns)."""
        waits, firsts = np.concatenate(self._waits, axis=1), np.concatenate(self._firsts, axis=1)
        marks = joined(self._marks)
        suspends = marks.take(marks.kind == Kind.LIBRARY)
        born = marks.take(marks.kind == Kind.THREAD)
        creators = born.fd.astype(np.int64)
        # the helper creates the thread that tells, if one is to tell, before it receives again
        new = following(creators, born.time, helpers, ends)
        again = following(helpers, ends, helpers, ends + 1)
        by_thread = (new >= 0) & ((again < 0) | (at(born.time, new) < at(ends, again)))
        first = following(
            firsts[0], firsts[1], at(born.tid.astype(np.int64), new), at(born.time, new)
        )
        by_thread &= first >= 0
        wait = following(waits[0], waits[2], askers, ends)
        asleep = (wait >= 0) & (at(waits[1], wait) <= ends)
        tids = suspends.tid.astype(np.int64)
        called = preceding(tids, suspends.time, askers, at(waits[1], wait))
        asleep &= (called >= 0) & (at(suspends.time, called) >= asks)
        later = following(tids, suspends.time, askers, ends)
        next_ask = following(askers, asks, askers, ends)
        at_once = (later >= 0) & ((next_ask < 0) | (at(suspends.time, later) < at(asks, next_ask)))
        told = np.select(
            [by_thread, asleep, at_once],
            [at(firsts[1], first), at(waits[2], wait), at(suspends.time, later)],
        )
        return Notice(told, by_thread | asleep, by_thread)

    def _keep(self, batch: RecordBatch, part: TimelineBatch) -> None:
        calls = part.calls.take(part.calls.nr == self._futex)
        self._waits.append(np.array([calls.tid, calls.start, calls.end], np.int64))
        self._marks.append(
            batch.take(
                (batch.kind == Kind.LIBRARY) & (batch.nr == AIO_SUSPEND)
                | (batch.kind == Kind.THREAD)
            )
        )
        absences = part.absences
        new = absences.could_run & (absences.woken == NEVER)
        self._firsts.append(np.array([absences.tid[new], absences.back[new]], np.int64))

    def told(self) -> dict[int, tuple[int, int, int, int]]:
        """Serial of a receive → (when, signal, generated, delivered) of what told of it."""
        return self._told
