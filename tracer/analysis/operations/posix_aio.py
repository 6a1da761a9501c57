"""POSIX aio: which aio_read(3) a helper's receive is for, and what told of it: a signal, a thread, aio_suspend(3).

A C library's aio_read is seen by a uprobe. Requests on one descriptor are served in their order, and so are a
process's completions told. There are few of them beside the calls, so this is done one by one.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.operations.signal_delivery import Delivery
from tracer.analysis.operations.table import (
    BY_SIGNAL,
    BY_SUSPEND,
    BY_THREAD,
    NO_COMPLETION,
    POSIX_AIO,
    Operations,
    bit,
)
from tracer.analysis.tables.asof import at, following, preceding
from tracer.analysis.threads.timeline import NEVER, TimelineBatch
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import LIBRARY_NAMES, Kind, empty

_NUMBERS = {name: number for number, name in LIBRARY_NAMES.items()}
_NO_WAITS, _NO_FIRSTS = np.empty((3, 0), np.int64), np.empty((2, 0), np.int64)
AIO_READ, AIO_SUSPEND = _NUMBERS["aio_read"], _NUMBERS["aio_suspend"]


@dataclass(slots=True)
class ServedReads:
    """For each receive the aio_read that it serves: when that was called (ns), and by which thread; 0: none."""

    asked_at: np.ndarray
    tid: np.ndarray


@dataclass(slots=True)
class Notice:
    """For each receive what told the program of it, where no signal did: when (ns, 0: nothing is known to have),
    whether that was seen (else it is estimated), and by what (COMPLETION_KINDS)."""

    time: np.ndarray
    seen: np.ndarray
    kind: np.ndarray


class Told(NamedTuple):
    """The signal that told of a receive: when it was delivered (ns), its number, when it was generated (ns, 0: not
    seen)."""

    time: int
    number: int
    generated: int


class AioReads:
    """aio_reads that wait for data, and received ones that wait to be told."""

    def __init__(self) -> None:
        self._asked: dict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
        """(process, descriptor) → (when, thread) of each aio_read that no receive has served"""
        self._received: dict[int, deque[int]] = defaultdict(deque)
        """process → serials of the operations that no signal has told of"""
        self._told: dict[int, Told] = {}  # by the serial of the operation
        self._any = False
        self._waits = [_NO_WAITS]  # futex calls: thread, entry, exit
        self._suspends = [RecordBatch.of(empty())]  # aio_suspends
        self._births = [RecordBatch.of(empty())]  # new threads
        self._firsts = [_NO_FIRSTS]  # threads, when they first had a CPU

    def feed(self, batch: RecordBatch, part: TimelineBatch) -> fields.LibraryCalls:
        """A batch and its part of the timeline. Its aio_reads, for `serve`."""
        library = fields.LibraryCalls.of(batch)
        asked = library.where(library.function == AIO_READ)
        self._any |= len(asked) > 0
        if self._any:
            self._keep(batch, part, library)
        return asked

    def serve(
        self,
        asked: fields.LibraryCalls,
        receives: tuple[np.ndarray, np.ndarray, np.ndarray],
        completions: Delivery,
        descriptors: Descriptors,
        serial: int,
    ) -> ServedReads:
        """The aio_read that each receive serves. receives: int64[n] each, process, descriptor and end (ns); they are
        numbered from `serial` on. completions: the batch's signals that say that a request is complete."""
        tgids, fds, ends = receives
        served = ServedReads(np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64))
        if not self._any:
            return served
        askers = descriptors.process_of(asked.tid, asked.time)
        told = descriptors.process_of(completions.tid, completions.time)
        for what, i in _in_order(asked.time, ends, completions.time):
            if what == _ASKED:
                request = int(asked.time[i]), int(asked.tid[i])
                self._asked[int(askers[i]), int(asked.fd[i])].append(request)
            elif what == _RECEIVED:
                waiting = self._asked.get((int(tgids[i]), int(fds[i])))
                if waiting:
                    served.asked_at[i], served.tid[i] = waiting.popleft()
                    self._received[int(tgids[i])].append(serial + i)
            elif self._received[int(told[i])]:
                self._told[self._received[int(told[i])].popleft()] = Told(
                    int(completions.time[i]),
                    int(completions.number[i]),
                    int(completions.generated[i]),
                )
        return served

    def complete(self, operations: Operations) -> None:
        """Sets `done` of those that served an aio_read, in place, and what told of it."""
        self._told_by_signal(operations)
        untold = np.flatnonzero((operations.wait_kind == POSIX_AIO) & (operations.signal == 0))
        notice = self._noticed(operations.take(untold))
        operations.done[untold] = np.maximum(operations.done[untold], notice.time)
        operations.completion_kind[untold] = notice.kind
        # the program may look for itself
        operations.estimated[untold] |= bit("done", ~notice.seen)

    def _told_by_signal(self, operations: Operations) -> None:
        if not self._told:
            return
        serials = np.array(list(self._told))
        order = np.argsort(operations.serial)
        rows = order[np.searchsorted(operations.serial, serials, sorter=order)]
        time, number, generated = np.array(list(self._told.values())).T
        operations.done[rows] = operations.delivered[rows] = time
        operations.signal[rows] = number
        operations.generated[rows] = generated
        operations.completion_kind[rows] = BY_SIGNAL

    def _noticed(self, operations: Operations) -> Notice:
        """What told of operations that no signal told of."""
        askers, helpers = (
            its.astype(np.int64) for its in (operations.tid, operations.receiver_tid)
        )
        by_thread, ran_at = self._new_thread(helpers, operations.copy_end)
        asleep, woken_at = self._suspended(askers, operations.ask, operations.copy_end)
        at_once, called_at = self._suspends_later(askers, operations.ask, operations.copy_end)
        return Notice(
            np.select([by_thread, asleep, at_once], [ran_at, woken_at, called_at], 0),
            by_thread | asleep,
            np.select([by_thread, asleep | at_once], [BY_THREAD, BY_SUSPEND], NO_COMPLETION),
        )

    def _new_thread(self, helpers: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(whether the helper made a thread that tells, when that first had a CPU). It makes it before it receives
        again. ends: when it received (ns)."""
        born = fields.Births(joined(self._births), slice(None))
        firsts = np.concatenate(self._firsts, axis=1)
        new = following(born.creator.astype(np.int64), born.time, helpers, ends)
        again = following(helpers, ends, helpers, ends + 1)
        made = (new >= 0) & ((again < 0) | (at(born.time, new) < at(ends, again)))
        tid = at(born.tid.astype(np.int64), new)
        first = following(firsts[0], firsts[1], tid, at(born.time, new))
        return made & (first >= 0), at(firsts[1], first)

    def _suspended(
        self, askers: np.ndarray, asks: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(whether the asking thread was in aio_suspend's futex when the data came, when that returned)."""
        tids, times = self._suspend_calls()
        waits = np.concatenate(self._waits, axis=1)
        wait = following(waits[0], waits[2], askers, ends)
        called = preceding(tids, times, askers, at(waits[1], wait))
        inside = (wait >= 0) & (at(waits[1], wait) <= ends)
        for_it = (called >= 0) & (at(times, called) >= asks)
        return inside & for_it, at(waits[2], wait)

    def _suspends_later(
        self, askers: np.ndarray, asks: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(whether the asking thread called aio_suspend when the data was there, before it asked again; when)."""
        tids, times = self._suspend_calls()
        later = following(tids, times, askers, ends)
        next_ask = following(askers, asks, askers, ends)
        before = (next_ask < 0) | (at(times, later) < at(asks, next_ask))
        return (later >= 0) & before, at(times, later)

    def _suspend_calls(self) -> tuple[np.ndarray, np.ndarray]:
        """Threads and times (ns) of the aio_suspends."""
        suspends = fields.LibraryCalls(joined(self._suspends), slice(None))
        return suspends.tid.astype(np.int64), suspends.time

    def _keep(self, batch: RecordBatch, part: TimelineBatch, library: fields.LibraryCalls) -> None:
        """What may tell of a receive, for the end."""
        futexes = part.calls.take(part.calls.nr == syscalls.numbers()["futex"])
        self._waits.append(np.array([futexes.tid, futexes.start, futexes.end], np.int64))
        suspends = library.where(library.function == AIO_SUSPEND)
        self._suspends.append(batch.take(suspends.rows))
        births = fields.Births.of(batch)
        self._births.append(batch.take(births.where(births.kind == Kind.THREAD).rows))
        absences = part.absences
        new = absences.could_run & (absences.woken == NEVER)
        self._firsts.append(np.array([absences.tid[new], absences.back[new]], np.int64))


_ASKED, _RECEIVED, _COMPLETED = range(3)


def _in_order(*times: np.ndarray) -> Iterator[tuple[int, int]]:
    """(which of the arrays of times, which entry of it), in time order; of one time the arrays' order counts."""
    events = sorted(
        (time, what, i) for what, its in enumerate(times) for i, time in enumerate(its.tolist())
    )
    return ((what, i) for _, what, i in events)
