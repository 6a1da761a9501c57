"""Which life of a thread or process ID each record speaks of. The kernel gives IDs again (a birth is KIND_THREAD or
KIND_START): each later life has a number of its own here, and the analysis knows lives, never IDs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np

from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.table import Table
from tracer.kernel.syscalls import numbers
from tracer.recording.batch import NAMES, Read, RecordBatch
from tracer.recording.records import GOES_ON, RECORD, Kind

FIRST = (
    1 << 22
)  # of the numbers of later lives: no ID is as large (PID_MAX_LIMIT, include/linux/threads.h)
_TWICE_NS = (
    50_000  # between the two records of a thread that was created and adopted at the same time
)
_EXECVE_NS = 1_000_000_000  # at most, from the end of the others to its return
_EVENTS = number_set((Kind.THREAD, Kind.START, Kind.EXIT))
_OWN = number_set(
    (Kind.CALL, Kind.OPEN, Kind.EXEC, Kind.NAME, Kind.SWITCH_IN, Kind.SWITCH_OUT)
)  # of who is alive
# The fields that hold IDs beside `tid`: probes/iotrace.h.
_THREAD_IN_FD = number_set((Kind.THREAD, Kind.WAKING, Kind.SWITCH_IN))
_PROCESS_IN_RESULT = number_set((Kind.THREAD, Kind.START, Kind.EXIT, Kind.EXEC))
_PROCESS_IN_ARG = number_set((Kind.NAME,))
# The keys of the report under which there are IDs.
_KEYS = ("tid", "tgid", "helper_tid", "tids", "waiter", "waker", "process")

_FIELDS = ("kind", "time", "start", "result", "tid", "arg")
_NONE, _NEVER = np.empty(0, np.int64), np.iinfo(np.int64).max
_time = itemgetter(0)


@dataclass
class _Life:
    """The life that an ID has now: its process, as the ID of its leader and as the number of that one's life."""

    began: int
    kind: int
    tgid: int
    process: int
    alive: bool = True


@dataclass
class _Numbers:
    """Which life an ID had at a time: `again` those that had more than one."""

    table: AsOf = field(default_factory=lambda: AsOf(1))
    again: np.ndarray = field(default_factory=lambda: np.zeros(FIRST, bool))
    new: list[tuple[int, int, int]] = field(default_factory=list)  # ID, since when, number

    def settle(self) -> None:
        """Takes the new ones into the table."""
        if self.new:
            ids, since, number = np.array(self.new, np.int64).T
            self.table.add(ids, since, number)
            self.again[np.minimum(ids, FIRST - 1)] = True
            self.new.clear()

    def told(self, ids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The lives' numbers: the ID itself is that of the first one."""
        at = np.flatnonzero(self.again[np.clip(ids, 0, FIRST - 1)])
        if not len(at):
            return ids
        found, values = self.table.find(ids[at].astype(np.int64), times[at])
        numbered = ids.copy()
        numbered[at[found]] = values[found, 0]
        return numbered


class Lives:
    """Feed batches in time order; each is given back with lives in the place of IDs, and with what the recording lacks:
    the end of a life whose ID has another now, a leader's new life after another thread's execve."""

    def __init__(self) -> None:
        self.leaders: dict[int, int] = {}  # process → its leader's life after such an execve
        self._lives: dict[int, _Life] = {}  # by ID
        self._members: dict[int, set[int]] = {}  # process → IDs of its threads that are alive
        self._processes: dict[
            int, int
        ] = {}  # ID → the number of the process that has it, where it is not the ID
        self._orphaned: dict[
            int, int
        ] = {}  # leader that exited before others of its threads → when the last did
        self._watched = np.zeros(FIRST, bool)  # by ID, for a look at a batch
        self._ids: list[int] = []  # number − FIRST → ID
        self._added: list[tuple] = []  # RECORDs of our own making, with IDs, in time order
        self._threads, self._groups = _Numbers(), _Numbers()
        self._execve = numbers()["execve"]

    def feed(self, batch: RecordBatch) -> RecordBatch:
        """A batch, not older than what was fed before."""
        before = len(self._added)
        at = np.flatnonzero(_EVENTS[batch.kind])
        for row in np.union1d(at, self._signs(batch, at)).tolist():
            self._event(*(int(getattr(batch, name)[row]) for name in _FIELDS))
        self._threads.settle()
        self._groups.settle()
        return self._told(_with(batch, self._added[before:]))

    def again(self, read: Read) -> Read:
        """`read`, with lives in the place of IDs; for after the last batch was fed."""
        return (
            read
            if not self._ids and not self._added
            else lambda since, until: self._reread(read, since, until)
        )

    def shown(self, value):
        """A part of the report, with IDs in the place of lives."""
        if not self._ids:
            return value
        if isinstance(value, list):
            return [self.shown(its) for its in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self._id(its) if key in _KEYS else self.shown(its) for key, its in value.items()
        }

    def with_ids(self, table: Table, names: tuple[str, ...]) -> Table:
        """A table with IDs in the place of lives in these columns."""
        if not self._ids:
            return table
        ids, shown = np.array(self._ids), table.take(slice(None))
        for name in names:
            column = getattr(table, name).copy()
            later = (column >= FIRST) & (column < FIRST + len(ids))
            column[later] = ids[column[later].astype(np.int64) - FIRST]
            setattr(shown, name, column)
        return shown

    def _id(self, value):
        if isinstance(value, list):
            return [self._id(its) for its in value]
        return (
            self._ids[value - FIRST]
            if isinstance(value, int) and 0 <= value - FIRST < len(self._ids)
            else value
        )

    # births and ends

    def _event(self, kind: int, time: int, start: int, result: int, tid: int, arg: int) -> None:
        if kind in (Kind.THREAD, Kind.START):
            self._born(kind, time, tid, result)
        elif kind != Kind.EXIT:
            self._goes_on(time, tid, -1)
        elif arg == GOES_ON:
            self._add(time, Kind.OPEN, tid, start=start, nr=self._execve)
            self._gone(time, tid)
            self._goes_on(time, result, tid)
        else:
            self._gone(time, tid)

    def _born(self, kind: int, time: int, tid: int, tgid: int) -> None:
        before = self._lives.get(tid)
        if before is None:
            number = tid
        elif _is_the_same(before, kind, time, tgid):
            return
        else:
            number = self._next_life(time, tid)
            self._groups.new.append((tid, time, number))
            self._processes[tid] = number
        process = self._processes.get(tgid, tgid)
        self._lives[tid] = _Life(time, kind, tgid, process)
        self._members.setdefault(process, set()).add(tid)

    def _next_life(self, time: int, tid: int) -> int:
        """The number of a life that begins; with it ends what the ID stood for before, if that was not seen."""
        process = self._processes.get(tid, tid)
        for member in sorted(self._members.pop(process, ())):
            self._end(time, member)
        if self._lives[tid].alive:
            self._end(time, tid)
        self._orphaned.pop(tid, None)
        return self._number(time, tid)

    def _number(self, time: int, tid: int) -> int:
        number = FIRST + len(self._ids)
        self._ids.append(tid)
        self._threads.new.append((tid, time, number))
        return number

    def _end(self, time: int, tid: int) -> None:
        """A life whose end was not seen was over just before."""
        life = self._lives[tid]
        life.alive = False
        time = max(time - 1, life.began)
        self._add(time, Kind.EXIT, tid, result=life.tgid)
        self._members.get(life.process, set()).discard(tid)

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
        """A leader's ID is in use again: another thread, `by`, has called execve and has it now (de_thread, fs/exec.c)
        – or, with −1, one that is not known."""
        if by < 0 and tid not in self._orphaned:
            return
        before = self._lives.get(tid)
        process = before.process if before else self._processes.get(tid, tid)
        if before and before.alive:
            self._end(time, tid)
        if before:
            self.leaders[process] = self._number(time, tid)
        self._orphaned.pop(tid, None)
        self._lives[tid] = _Life(time, Kind.START, tid, process)
        self._members.setdefault(process, set()).add(tid)
        self._add(time, Kind.START, tid, result=tid, fd=by)

    def _signs(self, batch: RecordBatch, events: np.ndarray) -> np.ndarray:
        """The rows that show that a leader's ID is in use again, of recordings that do not say who has called execve:
        the first after the leader's exit that only who is alive makes."""
        leaves = (batch.kind[events] == Kind.EXIT) & (batch.tid[events] == batch.result[events])
        ends = events[leaves & (batch.tid[events] < FIRST)]
        if len(batch):
            over = int(batch.time[0]) - _EXECVE_NS
            self._orphaned = {tid: gone for tid, gone in self._orphaned.items() if gone > over}
        if not len(ends) and not self._orphaned:
            return _NONE
        before = np.array(list(self._orphaned), np.int64)
        tids, first = np.unique(np.concatenate([before, batch.tid[ends]]), return_index=True)
        since = np.concatenate([np.full(len(before), -1), ends])[first]  # after which row to look
        self._watched[tids] = True
        rows = np.flatnonzero(_OWN[batch.kind] & self._watched[np.minimum(batch.tid, FIRST - 1)])
        self._watched[tids] = False
        rows = rows[rows > since[np.searchsorted(tids, batch.tid[rows])]]
        return rows[np.unique(batch.tid[rows], return_index=True)[1]]

    # records

    def _add(
        self,
        time: int,
        kind: int,
        tid: int,
        *,
        start: int = 0,
        result: int = 0,
        nr: int = 0,
        fd: int = -1,
    ) -> None:
        self._added.append((time, start, result, tid, kind, nr, fd, 0))

    def _told(self, batch: RecordBatch) -> RecordBatch:
        """The batch with lives in the place of IDs: itself where no ID was used twice."""
        if not self._ids:
            return batch
        told = batch.take(slice(None))
        told.tid = self._threads.told(batch.tid, batch.time)
        for name, kinds, lives in (
            ("fd", _THREAD_IN_FD, self._threads),
            ("result", _PROCESS_IN_RESULT, self._groups),
            ("arg", _PROCESS_IN_ARG, self._groups),
        ):
            rows, column = np.flatnonzero(kinds[batch.kind]), getattr(batch, name).copy()
            column[rows] = lives.told(column[rows], batch.time[rows])
            setattr(told, name, column)
        return told

    def _reread(self, read: Read, since: int | None, until: int | None) -> Iterator[RecordBatch]:
        rows = sorted(self._added, key=_time)
        first = 0 if since is None else bisect_left(rows, since, key=_time)
        last = len(rows) if until is None else bisect_right(rows, until, key=_time)
        for batch in read(since, until):
            here = (
                bisect_right(rows, batch.time[-1], first, last, key=_time) if len(batch) else first
            )
            yield self._told(_with(batch, rows[first:here]))
            first = here
        if first < last:
            yield self._told(RecordBatch.of(np.array(rows[first:last], RECORD)))


def _is_the_same(life: _Life, kind: int, time: int, tgid: int) -> bool:
    """Whether a birth is one that was seen already: created by a traced thread while iotrace adopted it."""
    return (
        life.alive
        and Kind.START in (kind, life.kind)
        and life.tgid == tgid
        and time - life.began <= _TWICE_NS
    )


def _with(batch: RecordBatch, rows: list[tuple]) -> RecordBatch:
    """A batch with more records, each before what has its time."""
    if not rows:
        return batch
    more = RecordBatch.of(np.array(sorted(rows, key=_time), RECORD))
    places = np.searchsorted(batch.time, more.time, "left")
    return RecordBatch(
        *(np.insert(getattr(batch, name), places, getattr(more, name)) for name in NAMES)
    )
