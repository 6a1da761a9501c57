"""Told in one thread, received in another: which wait of which thread told of an operation's data, and how the thread
that received it learnt of that (docs/model.md, "Hand-over").

A returned from a wait that its descriptor was registered with; afterwards A woke B; B, until then asleep outside any
wait for the descriptor, received from it next. Inferred: the records do not say which descriptors a wait told of.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.operations.evidence import Evidence
from tracer.analysis.operations.receives import Received
from tracer.analysis.operations.registrations import (
    OF_THREADS,
    Registrations,
    epolls,
    of_thread,
)
from tracer.analysis.operations.table import AT_ONCE, MULTIPLEXED, POLLED, bit
from tracer.analysis.tables.asof import following, preceding
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.recent import Recent
from tracer.analysis.tables.table import Table, names_of
from tracer.analysis.threads.timeline import Calls, TimelineBatch
from tracer.analysis.threads.watched_sets import Watching
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch

LONGEST_NS = 1_000_000_000  # from the wait's return to the receive, and from the wake-up to it
NO_EPOLL = np.iinfo(np.int64).min
_POLLS = number_set(syscalls.class_numbers((*syscalls.SELECT, *syscalls.POLL)))
_EPOLL = number_set(syscalls.class_numbers(syscalls.EPOLL))
_RECEIVES, _SENDS = (
    number_set(syscalls.class_numbers(names)) for names in (syscalls.RECEIVE, syscalls.SEND)
)
_NAPS = number_set(syscalls.class_numbers(("nanosleep", "clock_nanosleep")))  # time ends these


@dataclass(slots=True)
class Handover(Table):
    """Of n operations. handed: whether another thread was told of the data. by: that thread; start, told: its wait's
    entry and return (ns); ready: when data woke it there, else the entry; asleep: whether it slept there; nr, epfd:
    that wait. events: as registered with epoll, also where the data was there at once and threads of the process are
    told by that epoll: what was registered is watched, whoever comes to it first.
    woken, running: when it woke the receiving thread, and when that had a CPU (ns; 0: it was not asleep, or not only
    one of several wakings can be meant); woken_in: the number of the call that the receiving thread slept in, else −1.
    Of an operation that is not handed over all but `events` is 0."""

    handed: np.ndarray
    by: np.ndarray
    start: np.ndarray
    told: np.ndarray
    ready: np.ndarray
    asleep: np.ndarray
    nr: np.ndarray
    epfd: np.ndarray
    events: np.ndarray
    woken: np.ndarray
    running: np.ndarray
    woken_in: np.ndarray


@dataclass(slots=True)
class _Waits(Table):
    """Waits that said that something is ready. epoll: on which instance (registrations.epolls); count: of how many
    descriptors."""

    tid: np.ndarray
    epoll: np.ndarray
    epfd: np.ndarray
    nr: np.ndarray
    start: np.ndarray
    end: np.ndarray
    woken: np.ndarray
    count: np.ndarray


@dataclass(slots=True)
class _Sleeps(Table):
    """The last sleep in each call that slept. epoll: the instance, where that call was a wait on one; else NO_EPOLL;
    end: of the call."""

    tid: np.ndarray
    nr: np.ndarray
    epoll: np.ndarray
    woken: np.ndarray
    back: np.ndarray
    end: np.ndarray


@dataclass(slots=True)
class _Wakings(Table):
    """Who woke whom."""

    tid: np.ndarray
    time: np.ndarray
    waker: np.ndarray


@dataclass(slots=True)
class _Readies(Table):
    """Data came to a socket."""

    inode: np.ndarray
    time: np.ndarray


@dataclass(slots=True)
class _Asked(Table):
    """The operations that may have been handed over: who received, from what, when; the thread's operation before
    (ns); and when the last receive from that file ended (ns, 0: none is known)."""

    tid: np.ndarray
    epoll: np.ndarray
    inode: np.ndarray
    start: np.ndarray
    previous_done: np.ndarray
    taken: np.ndarray


class Handovers:
    """Feed batches in time order, each with its operations; what may matter to later ones is kept for LONGEST_NS."""

    def __init__(self) -> None:
        self._registrations = Registrations()
        self._waits, self._sleeps = Recent(_Waits), Recent(_Sleeps)
        self._wakings, self._readies = Recent(_Wakings), Recent(_Readies)
        self._taken: dict[int, int] = {}  # inode → when the last receive from it ended (ns)

    def feed(
        self,
        batch: RecordBatch,
        part: TimelineBatch,
        watching: Watching,
        received: Received,
        known: Evidence,
        kind: np.ndarray,
        descriptors: Descriptors,
    ) -> Handover:
        """The hand-overs of a batch's operations. kind: int64[n], how each was waited for by what its own thread did
        (WAIT_KINDS)."""
        self._registrations.feed(part, descriptors)
        polls = np.flatnonzero(_POLLS[part.calls.nr] & (part.calls.result > 0))
        polls = polls[watching.set[polls] >= 0]
        self._registrations.add_sets(watching, polls, descriptors)
        found = _none(len(kind))
        if not self._registrations.any:
            return found
        self._learn(batch, part, descriptors, polls)
        taken = self._last_taken(received.inode, known.receive.end)
        if len(kind):
            self._find(found, received, known, kind, taken, descriptors)
        if len(batch):
            self._forget_before(int(batch.time[0]))
        return found

    def _learn(
        self, batch: RecordBatch, part: TimelineBatch, descriptors: Descriptors, polls: np.ndarray
    ) -> None:
        """What may matter in a batch: waits that told, sleeps, wakings and readinesses. polls: rows of the calls of
        select and poll that told, whose sets are known."""
        if not len(batch):
            return
        latest, calls = int(batch.time[-1]), part.calls
        told = calls.take(np.flatnonzero(_EPOLL[calls.nr] & (calls.result > 0)))
        by_set = calls.take(polls)
        instance = epolls(descriptors, told.tid, told.fd, told.start)
        self._waits.add(latest, _waits(told, instance, told.fd))
        self._waits.add(
            latest,
            _waits(by_set, of_thread(by_set.tid.astype(np.int64)), np.full(len(polls), -1)),
        )
        self._sleeps.add(latest, _sleeps(calls, descriptors, self._registrations))
        wakings, readies = fields.Wakings.of(batch), fields.Readinesses.of(batch)
        self._wakings.add(latest, _Wakings(wakings.tid, wakings.time, wakings.waker))
        self._readies.add(latest, _Readies(readies.inode, readies.time))

    def _forget_before(self, time: int) -> None:
        self._registrations.forget_before(time)
        earliest = time - 3 * LONGEST_NS  # told, woken, running, received
        self._waits.forget_before(earliest)
        self._sleeps.forget_before(earliest)
        self._wakings.forget_before(earliest)
        self._readies.forget_before(earliest)

    def _last_taken(self, inodes: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """When the receive before each of these from the same file had ended (ns, 0: none is known)."""
        order = np.lexsort((ends, inodes))
        inode, end = inodes[order], ends[order]
        first = np.append(True, inode[1:] != inode[:-1])[: len(order)]
        before = np.append(0, end)[: len(order)]
        for i in np.flatnonzero(first).tolist():
            before[i] = self._taken.get(int(inode[i]), 0)
        last = np.append(first[1:], True)[: len(order)]
        self._taken.update(zip(inode[last].tolist(), end[last].tolist(), strict=True))
        taken = np.empty_like(before)
        taken[order] = before
        taken[inodes == 0] = 0
        return taken

    def _find(
        self,
        found: Handover,
        received: Received,
        known: Evidence,
        kind: np.ndarray,
        taken: np.ndarray,
        descriptors: Descriptors,
    ) -> None:
        """Fills in what is found of each operation."""
        op = known.receive
        registered = self._registrations.find(received.tgid, op.fd, received.inode, op.end)
        by_epoll = (kind == MULTIPLEXED) & _EPOLL[known.calls.nr[known.told_by]]
        own_epoll = np.full(len(kind), NO_EPOLL)
        waits = known.calls.take(known.told_by[by_epoll])
        own_epoll[by_epoll] = epolls(descriptors, waits.tid, waits.fd, waits.start)
        own = registered.known & by_epoll & (own_epoll == registered.epoll)
        found.events = np.where(own, registered.events, 0)
        waited = (kind == AT_ONCE) | (kind == POLLED) | by_epoll & ~own
        candidate = registered.known & waited
        if not candidate.any():
            return
        told = self._waits.whole()
        with_epoll = registered.epoll > OF_THREADS
        rows = np.flatnonzero(candidate & (kind == AT_ONCE) & with_epoll)
        rows = rows[_is_watched(told, registered.epoll[rows], op.start[rows])]
        found.events[rows] = registered.events[rows]
        rows = np.flatnonzero(candidate)
        rows = rows[_others_wait(told, op.tid[rows], registered.epoll[rows])]
        if not len(rows):
            return
        start = op.start[rows]
        asked = _Asked(
            op.tid[rows].astype(np.int64),
            registered.epoll[rows],
            received.inode[rows],
            start,
            received.previous_done[rows],
            np.where(taken[rows] > 0, np.maximum(taken[rows], start - LONGEST_NS), 0),
        )
        handed = self._handed(asked, told)
        rows, handed = rows[handed.handed], handed.where(handed.handed)
        handed.events = registered.events[rows]
        for name in names_of(Handover):
            getattr(found, name)[rows] = getattr(handed, name)

    def _handed(self, asked: _Asked, waits: _Waits) -> Handover:
        """The hand-over of each of these operations."""
        readies = self._readies.whole()
        readies = readies.where(np.isin(readies.inode, asked.inode))
        wakings = self._wakings.whole()
        wakings = wakings.where(np.isin(wakings.tid, asked.tid) & (wakings.waker > 0))
        sleeps = self._sleeps.whole()
        sleeps = sleeps.where(np.isin(sleeps.tid, asked.tid))
        since = _since(asked, readies)
        woken = _woken(asked, since, waits, sleeps, wakings)
        other = _otherwise(asked, since, waits)
        wait = np.where(woken.wait >= 0, woken.wait, other)
        return _described(asked, waits, wait, woken, sleeps)


@dataclass(slots=True)
class _Woken:
    """Of each operation the wait that told who woke its thread, and that thread's sleep; rows, −1: none. certain:
    whether the wake-up was for this descriptor, as far as the order of events tells."""

    wait: np.ndarray
    sleep: np.ndarray
    certain: np.ndarray


def handed_over(
    columns: dict[str, np.ndarray], handover: Handover, known: Evidence
) -> dict[str, np.ndarray]:
    """Columns of Operations, with what the told thread's wait says in the place of what the receiving thread did. The
    program wanted the data when that wait began, or when the receiving thread last found nothing."""
    handed = handover.handed
    if not handed.any():
        return columns
    look = np.where(known.last_look >= 0, known.calls.last_start[known.last_look], handover.start)
    inferred = {
        "ask": np.minimum(look, handover.start),
        "ready": handover.ready,
        "told": handover.told,
        "estimated": columns["estimated"] | bit("ask", handed) | bit("told", handed),
        "wait_kind": np.full(len(handed), MULTIPLEXED),
        "wait_nr": handover.nr,
        "epfd": handover.epfd,
        "waited_asleep": handover.asleep,
        "slept_nr": np.where(handover.asleep, handover.nr, -1),
        "told_tid": handover.by,
        "woken": handover.woken,
        "running": handover.running,
        "woken_in": handover.woken_in,
    }
    return columns | {
        name: np.where(handed, column, columns.get(name, 0)) for name, column in inferred.items()
    }


def _is_watched(waits: _Waits, epoll: np.ndarray, times: np.ndarray) -> np.ndarray:
    """bool[n]: whether an epoll instance had told a thread of something, not long before each time (ns)."""
    keys, key = _numbered(waits.epoll, epoll)
    last = preceding(keys, waits.end, key, times)
    watched: np.ndarray = (last >= 0) & (times - _values(waits.end, last) <= LONGEST_NS)
    return watched


def _others_wait(waits: _Waits, tids: np.ndarray, epoll: np.ndarray) -> np.ndarray:
    """bool[n]: whether another thread than that of each operation waits with the operation's epoll instance."""
    keys, key = _numbered(waits.epoll, epoll)
    count = max(keys.max(initial=-1), key.max(initial=-1)) + 1
    least, most = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(least, keys, waits.tid)
    np.maximum.at(most, keys, waits.tid)
    others: np.ndarray = (most[key] >= 0) & ((least[key] != tids) | (most[key] != tids))
    return others


def _waits(calls: Calls, instance: np.ndarray, epfd: np.ndarray) -> _Waits:
    """Calls that told, each with the epoll instance that told it, and its descriptor."""
    return _Waits(
        calls.tid,
        instance,
        epfd,
        calls.nr,
        calls.start,
        calls.end,
        calls.woken,
        calls.result,
    )


def _sleeps(calls: Calls, descriptors: Descriptors, registrations: Registrations) -> _Sleeps:
    """The sleeps that another thread can have ended on purpose: not those that time ended, nor those of sends and of
    receives from what epoll watches, which slept for the socket's lock or for memory."""
    timed_out = (calls.result == -errno.ETIMEDOUT) | _EPOLL[calls.nr] & (calls.result == 0)
    slept = calls.take(np.flatnonzero((calls.woken > 0) & ~_NAPS[calls.nr] & ~timed_out))
    slept = slept.take(~_SENDS[slept.nr])
    rows = np.flatnonzero(_RECEIVES[slept.nr])
    tgid = descriptors.process_of(slept.tid[rows], slept.end[rows])
    file = descriptors.files(slept.tid[rows], slept.fd[rows], slept.start[rows]).number
    watched = np.zeros(len(slept), bool)
    watched[rows] = registrations.find(tgid, slept.fd[rows], file, slept.end[rows]).known
    slept = slept.take(~watched)
    epoll, rows = np.full(len(slept), NO_EPOLL), np.flatnonzero(_EPOLL[slept.nr])
    epoll[rows] = epolls(descriptors, slept.tid[rows], slept.fd[rows], slept.start[rows])
    return _Sleeps(slept.tid, slept.nr, epoll, slept.woken, slept.back, slept.end)


def _since(asked: _Asked, readies: _Readies) -> np.ndarray:
    """From when on a wait can have told of each operation's data (ns): when data came first after the receive before;
    where that is not seen, the end of that receive."""
    earliest = np.maximum(asked.taken, asked.start - LONGEST_NS)
    row = following(readies.inode, readies.time, asked.inode, earliest)
    time = _values(readies.time, row)
    return np.where((row >= 0) & (time <= asked.start), time, asked.taken)


def _woken(
    asked: _Asked, since: np.ndarray, waits: _Waits, sleeps: _Sleeps, wakings: _Wakings
) -> _Woken:
    """The last sleep of each operation's thread since its operation before that was ended by a thread which had been
    told by the operation's epoll."""
    at = preceding(wakings.tid, wakings.time, sleeps.tid, sleeps.woken)
    seen = (at >= 0) & (_values(wakings.time, at) == sleeps.woken)
    waker = np.where(seen, _values(wakings.waker, at), -1)
    teller = preceding(waits.tid, waits.end, waker, sleeps.woken)
    told = (teller >= 0) & (waker != sleeps.tid)
    told &= sleeps.woken - _values(waits.end, teller) <= LONGEST_NS
    epoll = _values(waits.epoll, teller)
    told &= sleeps.epoll != epoll  # outside any wait for the descriptor
    rows = np.flatnonzero(told)
    of_waits, of_asked, of_sleeps = _numbered(waits.epoll, asked.epoll, epoll[rows])
    last = preceding(
        sleeps.tid[rows] << 32 | of_sleeps,
        sleeps.back[rows],
        asked.tid << 32 | of_asked,
        asked.start,
    )
    sleep = np.where(last >= 0, _values(rows, last), -1)
    back = _values(sleeps.back, sleep)
    until = _values(sleeps.woken, sleep)
    # the operation before may be what woke it: what it read from a pipe of the pool's
    fits = (sleep >= 0) & (_values(sleeps.end, sleep) >= asked.previous_done)
    fits &= (asked.start - back <= LONGEST_NS) & (back - until <= LONGEST_NS)
    key = _values(waker, sleep) << 32 | of_asked
    keys = waits.tid << 32 | of_waits
    latest = preceding(keys, waits.end, key, until)
    first = following(keys, waits.end, key, since)
    early = (since > 0) & (first >= 0) & (_values(waits.end, first) <= until)
    wait = np.where(early, first, latest)
    fits &= (wait >= 0) & (_values(waits.end, wait) >= asked.taken)
    certain = (wait == latest) | (_values(waits.count, wait) == 1)
    return _Woken(np.where(fits, wait, -1), np.where(fits, sleep, -1), fits & certain)


def _otherwise(asked: _Asked, since: np.ndarray, waits: _Waits) -> np.ndarray:
    """Where nobody who had been told woke the thread: the first wait that can have told of the data, else the last
    one before the receive; −1 where that was one of the thread's own."""
    keys, key = _numbered(waits.epoll, asked.epoll)
    after_ready = _until(following(keys, waits.end, key, since), waits, asked.start)
    after_taken = _until(following(keys, waits.end, key, asked.taken), waits, asked.start)
    last = preceding(keys, waits.end, key, asked.start)
    last = np.where(asked.start - _values(waits.end, last) <= LONGEST_NS, last, -1)
    seen = since > 0
    wait = np.where(seen & (after_ready >= 0), after_ready, -1)
    wait = np.where((wait < 0) & (asked.taken > 0), after_taken, wait)
    wait = np.where((wait < 0) & (asked.taken == 0), last, wait)
    wait = np.where(asked.start - _values(waits.end, wait) <= LONGEST_NS, wait, -1)
    own = preceding(waits.tid << 32 | keys, waits.end, asked.tid << 32 | key, asked.start)
    mine = (own >= 0) & (_values(waits.end, own) >= np.maximum(since, _values(waits.end, wait)))
    return np.where(mine | (_values(waits.tid, wait) == asked.tid), -1, wait)


def _described(
    asked: _Asked, waits: _Waits, wait: np.ndarray, woken: _Woken, sleeps: _Sleeps
) -> Handover:
    """The hand-over by these waits (rows, −1: there was none)."""
    found = _none(len(wait))
    found.handed = wait >= 0
    rows = np.flatnonzero(found.handed)
    told = waits.take(wait[rows])
    found.by[rows], found.nr[rows], found.epfd[rows] = told.tid, told.nr, told.epfd
    found.start[rows], found.told[rows] = told.start, told.end
    found.ready[rows] = np.where(told.woken > 0, told.woken, told.start)
    found.asleep[rows] = told.woken > 0
    rows = np.flatnonzero(woken.certain)
    slept = sleeps.take(woken.sleep[rows])
    found.woken[rows], found.running[rows] = slept.woken, slept.back
    found.woken_in[rows] = slept.nr
    return found


def _none(count: int) -> Handover:
    """Of `count` operations none that is handed over."""
    columns = {name: np.zeros(count, np.int64) for name in names_of(Handover)}
    columns |= {name: np.zeros(count, bool) for name in ("handed", "asleep")}
    columns |= {name: np.full(count, -1) for name in ("nr", "epfd", "woken_in")}
    return Handover(*columns.values())


def _values(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """column[rows]; what a row of −1 gives is left out by who asks."""
    chosen: np.ndarray = column[rows] if len(column) else np.zeros(len(rows), np.int64)
    return chosen


def _until(rows: np.ndarray, waits: _Waits, times: np.ndarray) -> np.ndarray:
    """The rows of waits that returned not later than these times (ns); −1 in place of others."""
    return np.where((rows >= 0) & (_values(waits.end, rows) <= times), rows, -1)


def _numbered(*columns: np.ndarray) -> list[np.ndarray]:
    """The same columns, their values numbered from 0 on, each value by one number in all of them."""
    numbers = np.unique(np.concatenate(columns), return_inverse=True)[1]
    return np.split(numbers, np.cumsum([len(column) for column in columns])[:-1])
