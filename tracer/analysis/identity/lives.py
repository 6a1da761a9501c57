"""Births and ends of threads: which life of an ID each record is about, and the records of births and ends that a
recording lacks.

The kernel reuses IDs. A second birth of an ID (KIND_THREAD, KIND_START) begins a life with a number of its own
(life_numbers), and ends the life before, if the record of that end was lost; so does another thread's execve. By that a
thread that is not its process's leader takes the leader's ID (de_thread, fs/exec.c): there the leader has a second
life.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from tracer.analysis.identity.life_numbers import FIRST, LifeNumbers
from tracer.analysis.tables.number_set import number_set
from tracer.kernel.syscalls import numbers
from tracer.recording import fields
from tracer.recording.batch import NAMES, Read, RecordBatch
from tracer.recording.records import RECORD, Kind

_TWICE_NS = 50_000  # at most, between the two records of a thread that a traced thread creates while iotrace adopts it
_EXECVE_NS = 1_000_000_000  # at most, from the end of the other threads to the return of execve
# Only a thread that is alive makes these.
_ALIVE = number_set((Kind.CALL, Kind.OPEN, Kind.EXEC, Kind.NAME, Kind.SWITCH_IN, Kind.SWITCH_OUT))
_NONE, _NEVER = np.empty(0, np.int64), np.iinfo(np.int64).max
_time = itemgetter(0)


@dataclass
class _Life:
    """The life that an ID stands for now. tgid: the ID of the process; process: the number of the life of the
    process."""

    began: int
    kind: int
    tgid: int
    process: int
    alive: bool = True

    def is_also(self, kind: int, time: int, tgid: int) -> bool:
        """Whether a record of a birth is a second one of this life: a traced thread created the thread while iotrace
        adopted it."""
        adopted = Kind.START in (kind, self.kind)
        soon = time - self.began <= _TWICE_NS
        return self.alive and adopted and self.tgid == tgid and soon


class Lives:
    """Feed batches in time order. Each is given back with lives in the place of IDs, and with the records that are
    missing: the end of a life whose ID was reused, and the new life of a leader after another thread's execve."""

    def __init__(self) -> None:
        self.numbers = LifeNumbers()
        # process → the leader's life since another thread's execve
        self.leaders: dict[int, int] = {}
        self._lives: dict[int, _Life] = {}  # by ID
        self._members: dict[int, set[int]] = {}  # process → IDs of the threads that are alive
        self._processes: dict[int, int] = {}  # ID → the number of the process, where the two differ
        # leader that ended before other threads → end of the last one (ns)
        self._orphaned: dict[int, int] = {}
        self._watched = np.zeros(FIRST, bool)  # by ID: used inside _signs
        self._added: list[fields.Record] = []  # the missing records, with IDs
        self._execve = numbers()["execve"]

    def feed(self, batch: RecordBatch) -> RecordBatch:
        """A batch, not older than what was fed before."""
        count_before = len(self._added)
        births, exits = fields.Births.of(batch), fields.Exits.of(batch)
        for _, view, values in fields.each(
            (births, ("kind", "time", "tid", "tgid")),
            (exits, ("time", "tid", "tgid", "goes_on", "exec_start")),
            (fields.Executions.of(batch), ("time", "tid", "tgid")),
            (fields.View(batch, self._signs(batch, exits)), ("time", "tid")),
        ):
            if view is fields.Births:
                self._born(*values)
            elif view is fields.Exits:
                self._ended(*values)
            elif view is fields.Executions:
                self._alone(*values)
            else:
                time, tid = values
                self._goes_on(time, tid, -1)
        self.numbers.settle()
        return self.numbers.numbered(_with(batch, self._added[count_before:]))

    def again(self, read: Read) -> Read:
        """`read`, with lives in the place of IDs; for after the last batch was fed."""
        if not len(self.numbers) and not self._added:
            return read
        return lambda since, until: self._reread(read, since, until)

    # births and ends

    def _born(self, kind: int, time: int, tid: int, tgid: int) -> None:
        previous = self._lives.get(tid)
        if previous is not None:
            if previous.is_also(kind, time, tgid):
                return
            number = self._next_life(time, tid)
            self.numbers.also_of_process(time, tid, number)
            self._processes[tid] = number
        process = self._processes.get(tgid, tgid)
        self._lives[tid] = _Life(time, kind, tgid, process)
        self._members.setdefault(process, set()).add(tid)

    def _alone(self, time: int, tid: int, tgid: int) -> None:
        """A thread has executed another program: no other thread of its process has outlived that."""
        process = self._processes.get(tgid, tgid)
        for member in sorted(self._members.get(process, set()) - {tid}):
            self._end(time, member)

    def _next_life(self, time: int, tid: int) -> int:
        """The number of a life that begins. The life before, and the threads of that process, end with it if their ends
        were not recorded."""
        process = self._processes.get(tid, tid)
        for member in sorted(self._members.pop(process, ())):
            self._end(time, member)
        if self._lives[tid].alive:
            self._end(time, tid)
        self._orphaned.pop(tid, None)
        return self.numbers.new(time, tid)

    def _end(self, time: int, tid: int) -> None:
        """Ends a life just before `time`: no record of the end was seen."""
        life = self._lives[tid]
        life.alive = False
        self._added.append(fields.exit_record(max(time - 1, life.began), tid, life.tgid))
        self._members.get(life.process, set()).discard(tid)

    def _ended(self, time: int, tid: int, tgid: int, goes_on: int, exec_start: int) -> None:
        """A thread exited; or (goes_on) its execve, begun at exec_start, gave it the leader's ID, tgid: a call that
        never returns under the old ID."""
        if goes_on:
            self._added.append(fields.open_record(time, exec_start, tid, self._execve))
        self._gone(time, tid)
        if goes_on:
            self._goes_on(time, tgid, by=tid)

    def _gone(self, time: int, tid: int) -> None:
        life = self._lives.get(tid)
        if life is None or not life.alive:
            return
        life.alive = False
        others = self._members[life.process]
        others.discard(tid)
        if life.tgid == tid and others:
            self._orphaned[tid] = _NEVER
        if not others:
            del self._members[life.process]
            if life.tgid in self._orphaned:
                self._orphaned[life.tgid] = time

    def _goes_on(self, time: int, tid: int, by: int) -> None:
        """A leader's ID is in use again: another thread, `by` (−1: unknown), has called execve and has the ID now."""
        if by < 0 and tid not in self._orphaned:
            return
        previous = self._lives.get(tid)
        process = previous.process if previous else self._processes.get(tid, tid)
        if previous and previous.alive:
            self._end(time, tid)
        if previous:
            self.leaders[process] = self.numbers.new(time, tid)
        self._orphaned.pop(tid, None)
        self._lives[tid] = _Life(time, Kind.START, tid, process)
        self._members.setdefault(process, set()).add(tid)
        self._added.append(fields.start_record(time, tid, tid, by))

    def _signs(self, batch: RecordBatch, exits: fields.Exits) -> np.ndarray:
        """The rows that show that a leader's ID is in use again, for recordings that do not say which thread called
        execve: the first row after the leader's exit of a kind that only a living thread makes."""
        if len(batch):
            oldest_ns = int(batch.time[0]) - _EXECVE_NS
            self._orphaned = {
                tid: gone_ns for tid, gone_ns in self._orphaned.items() if gone_ns > oldest_ns
            }
        tid = exits.tid
        leaders = np.flatnonzero((tid == exits.tgid) & (tid < FIRST))
        if not len(leaders) and not self._orphaned:
            return _NONE
        orphans = np.array(list(self._orphaned), np.int64)
        tids, first = np.unique(np.concatenate([orphans, tid[leaders]]), return_index=True)
        ends = np.concatenate([np.full(len(orphans), -1), exits.places[leaders]])
        since = ends[first]  # for each leader the row after which to look
        self._watched[tids] = True
        rows = np.flatnonzero(_ALIVE[batch.kind] & self._watched[np.minimum(batch.tid, FIRST - 1)])
        self._watched[tids] = False
        rows = rows[rows > since[np.searchsorted(tids, batch.tid[rows])]]
        return rows[np.unique(batch.tid[rows], return_index=True)[1]]

    def _reread(self, read: Read, since: int | None, until: int | None) -> Iterator[RecordBatch]:
        rows = sorted(self._added, key=_time)
        first = 0 if since is None else bisect_left(rows, since, key=_time)
        last = len(rows) if until is None else bisect_right(rows, until, key=_time)
        for batch in read(since, until):
            end = first
            if len(batch):
                end = bisect_right(rows, int(batch.time[-1]), first, last, key=_time)
            yield self.numbers.numbered(_with(batch, rows[first:end]))
            first = end
        if first < last:
            yield self.numbers.numbered(RecordBatch.of(np.array(rows[first:last], RECORD)))


def _with(batch: RecordBatch, rows: list[fields.Record]) -> RecordBatch:
    """A batch with more records, each before the rows of the same time."""
    if not rows:
        return batch
    more = RecordBatch.of(np.array(sorted(rows, key=_time), RECORD))
    places = np.searchsorted(batch.time, more.time, "left")
    return RecordBatch(
        *(np.insert(getattr(batch, name), places, getattr(more, name)) for name in NAMES)
    )
