"""What each call of select, poll and epoll_wait was given: the descriptors to watch, with their events, and the
time-out. The probes record it where it is not what the thread's last such call was given."""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.asof import preceding
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch, rows_by
from tracer.recording.fields import WatchedMore, WatchedSets
from tracer.recording.records import TIMEOUT_UNREAD

TIMEOUT_UNKNOWN = TIMEOUT_UNREAD
MOST = 64  # of poll's descriptors that are recorded (WATCHED_MOST of probes/polls.bpf.c)
MOST_WORDS = 16  # of 64 descriptors each, of select's
_SELECT, _POLL, _EPOLL = (
    number_set(syscalls.class_numbers(names))
    for names in (syscalls.SELECT, syscalls.POLL, syscalls.EPOLL)
)
_WAITS = _SELECT | _POLL | _EPOLL
# which of poll's events stand for select's three sets (select(2), "Correspondence between select() and poll()")
_OF_SETS = (select.POLLIN, select.POLLOUT, select.POLLPRI)


@dataclass(slots=True)
class Sets(Table):
    """What was watched. tid: by which thread; time: from which call on (its entry, ns); nr: that call's number;
    timeout: its time-out (ns, TIMEOUT_NEVER, TIMEOUT_UNKNOWN); count: how many descriptors it was given (of select one
    more than the highest); more: how many records follow, pieces: how many came."""

    tid: np.ndarray
    time: np.ndarray
    nr: np.ndarray
    timeout: np.ndarray
    count: np.ndarray
    more: np.ndarray
    pieces: np.ndarray

    @property
    def is_whole(self) -> np.ndarray:
        """bool[n]: whether all descriptors of the set were recorded. epoll_wait has none."""
        least = np.where(self.count > 0, np.where(_POLL[self.nr], (self.count + 1) // 3, 1), 0)
        most = np.where(_POLL[self.nr], MOST, 64 * MOST_WORDS)
        came = (self.pieces >= self.more) & (self.more >= least)
        whole: np.ndarray = (self.count <= most) & came | _EPOLL[self.nr]
        return whole


@dataclass(slots=True)
class Entries(Table):
    """The descriptors of sets, those of a set together: set: index into Sets; events: as poll has them."""

    set: np.ndarray
    fd: np.ndarray
    events: np.ndarray


class Watching(NamedTuple):
    """What the calls of a batch watched.

    set: int64[n], of each call the index into `sets`, −1 where it is no such call or nothing is known. timeout:
    int64[n], ns, TIMEOUT_NEVER, or TIMEOUT_UNKNOWN. is_whole: bool[n], whether the entries are all that it watched, but
    for what an epoll descriptor watches.
    """

    sets: Sets
    entries: Entries
    set: np.ndarray
    timeout: np.ndarray
    is_whole: np.ndarray

    def entries_of(self, rows: np.ndarray) -> tuple[np.ndarray, Entries]:
        """The entries of some calls: (of each the index into `rows`, the entries)."""
        return self.entries_of_sets(self.set[rows])

    def entries_of_sets(self, sets: np.ndarray) -> tuple[np.ndarray, Entries]:
        """The entries of some sets, −1 for none: (of each entry the index into `sets`, the entries)."""
        known = np.flatnonzero(sets >= 0)
        first, last = (
            np.searchsorted(self.entries.set, sets[known], side) for side in ("left", "right")
        )
        count = last - first
        offsets = first - np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
        places = np.repeat(offsets[: len(count)], count) + np.arange(int(count.sum()))
        return np.repeat(known, count), self.entries.take(places)


class WatchedSetsStep(Step[Watching, Watching]):
    """Feeds give what the calls of the batch watched; at the end `sets` holds each thread's last set."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._sets, self._entries = no_sets(), no_entries()
        self._batch_begins = 0  # ns

    def feed(self, batch: RecordBatch, state: State) -> Watching:
        self._batch_begins = int(batch.time[0]) if len(batch) else 0
        self._learn(WatchedSets.of(batch), WatchedMore.of(batch))
        watching = self._of(state[TimelineStep].calls)
        self._forget()
        return watching

    def finish(self, results: Results) -> Watching:
        none = np.empty(0, np.int64)
        return Watching(self._sets, self._entries, none, none, none > 0)

    def _learn(self, new: WatchedSets, more: WatchedMore) -> None:
        if not len(new) and not len(more):
            return
        number, zero = new.number.astype(np.int64), np.zeros(len(new), np.int64)
        sets = Sets(
            new.tid.astype(np.int64),
            new.time,
            number,
            new.timeout,
            new.count.astype(np.int64),
            new.more.astype(np.int64),
            zero,
        )
        before = len(self._sets)
        self._sets = self._sets.joined(sets)
        first = np.flatnonzero(_POLL[number] & (sets.count > 0))
        words = new.first[first].view(np.uint64)
        self._add(before + first, words)
        self._add_more(more)

    def _add_more(self, more: WatchedMore) -> None:
        """The records that follow a set's first."""
        if not len(more) or not len(self._sets):
            return
        owner = preceding(self._sets.tid, self._sets.time, more.tid, more.time)
        known = (owner >= 0) & (self._sets.time[owner] == more.time)  # else the first was lost
        more, owner = more.where(known), owner[known]
        self._sets.pieces += np.bincount(owner, minlength=len(self._sets))
        words, is_poll = more.words, _POLL[self._sets.nr[owner]]
        for column in range(words.shape[1]):
            self._add(owner[is_poll], words[is_poll, column])
        chosen = more.where(~is_poll)
        piece, owner = chosen.piece.astype(np.int64), owner[~is_poll]
        for column, events in enumerate(_OF_SETS):
            row, bit = _bits(words[~is_poll, column])
            self._put(owner[row], 64 * piece[row] + bit, np.full(len(row), events))

    def _add(self, owner: np.ndarray, words: np.ndarray) -> None:
        """poll's descriptors, each as fd | events << 32; a negative one is none (poll(2))."""
        fd = (words & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32).astype(np.int64)
        events = (words >> np.uint64(32)).astype(np.int64)
        self._put(owner[fd >= 0], fd[fd >= 0], events[fd >= 0])

    def _put(self, owner: np.ndarray, fd: np.ndarray, events: np.ndarray) -> None:
        entries = self._entries.joined(Entries(owner, fd, events))
        self._entries = entries.take(np.argsort(entries.set, kind="stable"))

    def _of(self, calls: Calls) -> Watching:
        """What each call watched: the thread's last set, if that is one of such a call."""
        sets = self._sets
        waits = _WAITS[calls.nr]
        row = np.full(len(calls), -1)
        if len(sets) and waits.any():
            row = np.where(waits, self._last_of(calls), -1)
        known = np.flatnonzero(row >= 0)
        number, at = calls.nr[known], row[known]
        given = np.where(_POLL[number], calls.arg[known], np.maximum(calls.fd[known], 0))
        fits = (sets.nr[at] == number) & (_EPOLL[number] | (sets.count[at] == given))
        row[known[~fits]] = -1
        known, at = known[fits], at[fits]
        timeout, is_whole = np.full(len(calls), TIMEOUT_UNKNOWN), np.zeros(len(calls), bool)
        timeout[known], is_whole[known] = sets.timeout[at], sets.is_whole[at]
        return Watching(sets, self._entries, row, timeout, is_whole)

    def _last_of(self, calls: Calls) -> np.ndarray:
        """Of each call its thread's last set at that time, −1 for none. Calls are in order of thread and time, and so
        are the sets here: each set counts from the first call that it may be of until the next one does."""
        sets = self._sets
        last = np.full(len(calls), -1)
        order = np.lexsort((sets.time, sets.tid))
        tid, time = sets.tid[order], sets.time[order]
        begin, end = (np.searchsorted(calls.tid, tid, side) for side in ("left", "right"))
        since = begin.copy()
        recent = np.flatnonzero((begin < end) & (time >= self._batch_begins))
        for rows in rows_by(tid[recent]).values():
            rows = recent[rows]
            first, stop = begin[rows[0]], end[rows[0]]
            since[rows] = first + np.searchsorted(calls.end[first:stop], time[rows])
        applies = since < end
        np.maximum.at(last, since[applies], np.flatnonzero(applies))
        last = np.maximum.accumulate(last)
        same = last >= 0
        same[same] = tid[last[same]] == calls.tid[same]
        return np.where(same, order[last], -1)

    def _forget(self) -> None:
        """All but each thread's last set."""
        if not len(self._sets):
            return
        order = np.lexsort((self._sets.time, self._sets.tid))
        tid = self._sets.tid[order]
        kept = np.sort(order[np.append(tid[1:] != tid[:-1], True)])
        number = np.full(len(self._sets), -1)
        number[kept] = np.arange(len(kept))
        entries = self._entries.where(number[self._entries.set] >= 0)
        self._entries = Entries(number[entries.set], entries.fd, entries.events)
        self._sets = self._sets.take(kept)


def no_sets() -> Sets:
    """A table without rows."""
    return Sets(*(np.empty(0, np.int64) for _ in range(7)))


def no_entries() -> Entries:
    """A table without rows."""
    return Entries(*(np.empty(0, np.int64) for _ in range(3)))


def _bits(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, bit) of each bit that is set in uint64[n]."""
    flags = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    row, bit = np.nonzero(flags)
    return row, bit
