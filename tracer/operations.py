"""Records → operations: each successful receive with its boundaries and phases, for any process.

Array operations over batches of records in time order; what is not yet decided is carried over to the next batch. It
knows no scenario. The boundaries and what counts as evidence for each are explained in docs/model.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from tracer import readiness, syscalls
from tracer.aio import Requests
from tracer.columns import Columns
from tracer.descriptors import Descriptors
from tracer.readiness import UNKNOWN
from tracer.records import Kind
from tracer.signals import Signals
from tracer.timeline import Calls, Part, Rows, by_thread, no_calls

EAGAIN = 11
RESTARTS = -512  # and below: the kernel enters the call again
MSG_PEEK, MSG_ERRQUEUE = 2, 0x2000
MOST_ASKS = 256
PHASES = ("wait", "notice", "copy", "completion")
BOUNDARIES = ("ask", "ready", "told", "copy_start", "copy_end", "done")
MOVABLE = BOUNDARIES[:4]
WAYS = ("at once", "blocked", "polled", "multiplexed", "signal", "posix-aio")
AT_ONCE, BLOCKED, POLLED, MULTIPLEXED, SIGNAL, POSIX_AIO = range(len(WAYS))


@dataclass(slots=True)
class Operations(Rows):
    """Successful receives in the order in which they were done, a column for each fact.

    Boundaries are ns of CLOCK_MONOTONIC and monotone: ask ≤ ready ≤ told ≤ copy_start ≤ copy_end ≤ done. raw_*: four
    of them as seen (equal to the boundary unless it was moved). estimated: bit i for BOUNDARIES[i], moved or not seen.
    way: index into WAYS, how the data was waited for (tracer/models.py names the model). helper: the thread that
    received, where it is not the one that asked, else 0. queued: ns that the data had been there when it was asked
    for. waited_in: the number of the call that told, for multiplexing, else -1; watcher: its descriptor; events: the
    epoll events that fd was registered with there. signal: the one that told, 0 for none, generated and delivered at
    (ns, 0: not seen). fruitless: calls that found nothing. slept: ns asleep in the receive. waited_asleep: whether
    the thread slept in a call before it. serial: the order in which they were found.
    """

    tid: np.ndarray
    tgid: np.ndarray
    helper: np.ndarray
    fd: np.ndarray
    inode: np.ndarray
    bytes: np.ndarray
    nr: np.ndarray
    way: np.ndarray
    ask: np.ndarray
    ready: np.ndarray
    told: np.ndarray
    copy_start: np.ndarray
    copy_end: np.ndarray
    done: np.ndarray
    raw_ask: np.ndarray
    raw_ready: np.ndarray
    raw_told: np.ndarray
    raw_copy_start: np.ndarray
    estimated: np.ndarray
    queued: np.ndarray
    waited_in: np.ndarray
    watcher: np.ndarray
    events: np.ndarray
    signal: np.ndarray
    generated: np.ndarray
    delivered: np.ndarray
    fruitless: np.ndarray
    slept: np.ndarray
    waited_asleep: np.ndarray
    serial: np.ndarray

    def phases(self) -> tuple[np.ndarray, ...]:
        """(wait, notice, copy, completion), int64[n] ns each; an operation's sum to done − ask."""
        return (self.ready - self.ask, self.copy_start - self.ready, self.copy_end - self.copy_start,
                self.done - self.copy_end)

    def append(self, more: Operations) -> None:
        """Adds rows at the end, in place: realloc(3) moves pages, not their contents, so nothing is there twice."""
        for field in fields(self):
            column, added = getattr(self, field.name), getattr(more, field.name)
            size = len(column)
            column.resize(size + len(added), refcheck=False)
            column[size:] = added

    def rows(self, which: slice = slice(None)) -> Iterator[dict]:
        """Each as a dict of plain integers."""
        names = [field.name for field in fields(self)]
        for values in zip(*(getattr(self, name)[which].tolist() for name in names), strict=True):
            yield dict(zip(names, values, strict=True))


_SMALL = {"tid": np.uint32, "tgid": np.uint32, "helper": np.uint32, "fd": np.int32, "bytes": np.int32, "nr": np.int16, "way": np.uint8,
          "estimated": np.uint8, "waited_in": np.int16, "watcher": np.int32, "events": np.uint32, "signal": np.uint8,
          "fruitless": np.int32, "waited_asleep": bool, "serial": np.uint32}


def of_columns(columns: dict[str, np.ndarray]) -> Operations:
    """Operations from their columns by name, each in its own type."""
    return Operations(*(np.asarray(columns[field.name]).astype(_SMALL.get(field.name, np.int64), copy=False)
                        for field in fields(Operations)))


def _none() -> Operations:
    return of_columns({field.name: np.empty(0, np.int64) for field in fields(Operations)})


@dataclass(slots=True)
class _Waits:
    """Calls of which those `at` rows are operations; `own`: rows of their asks, `of`: whose each is."""

    calls: Calls
    is_wait: np.ndarray
    at: np.ndarray
    own: np.ndarray
    of: np.ndarray


@dataclass(slots=True)
class _Unmatched:
    """Operations without their readiness; empty_at: when the socket was known to be empty (ns, or UNKNOWN); stream."""

    operations: Operations
    empty_at: np.ndarray
    stream: np.ndarray

    def take(self, which: np.ndarray | slice) -> _Unmatched:
        return _Unmatched(self.operations.take(which), self.empty_at[which], self.stream[which])

    def joined(self, other: _Unmatched) -> _Unmatched:
        if not len(self.operations):
            return other
        return _Unmatched(self.operations.joined(other.operations), np.concatenate([self.empty_at, other.empty_at]),
                          np.concatenate([self.stream, other.stream]))


class Analysis:
    """The operations of a recording. Feed batches in time order with the parts that a Timeline made of them."""

    def __init__(self) -> None:
        self.descriptors = Descriptors()
        self._signals = Signals()
        self._requests = Requests()
        self._receives = _numbers(syscalls.RECEIVE)
        self._waits = _numbers(name for members in syscalls.CLASSES.values() for name in members)
        self._sigwait = syscalls.numbers()["rt_sigtimedwait"]
        self._flagged = _numbers(("recvfrom", "recvmsg"))  # whose flags a record keeps
        self._asks = no_calls()  # since each thread's last operation
        self._last_done: dict[int, int] = {}
        self._ready = np.empty((2, 0), np.int64)  # sockets and times, not yet spent
        self._last_end: dict[int, int] = {}  # of the last operation on a socket
        self._unmatched = _Unmatched(_none(), np.empty(0, np.int64), np.empty(0, bool))
        self._serial = 0
        self._found = _none()

    def feed(self, batch: Columns, part: Part) -> None:
        """A batch in time order, not older than what was fed before, and its part of the timeline."""
        self.descriptors.feed(batch, part)
        calls = part.calls
        self._signals.feed(batch, calls.take(calls.nr == self._sigwait))
        readies = np.flatnonzero(batch.kind == Kind.READY)
        self._ready = np.concatenate([self._ready, [batch.start[readies], batch.time[readies]]], axis=1)
        operations = self._receives_in(calls, batch)
        self._unmatched = self._unmatched.joined(operations)
        # a readiness may come late: what ended just now waits for the next batch
        self._settle(int(batch.time[-1]) - readiness.LATE_NS if len(batch) else 0)
        if len(batch):
            self._signals.forget_before(int(batch.time[0]))
            self.descriptors.forget_before(int(batch.time[0]))

    def finish(self) -> Operations:
        """All operations in the order in which they were done."""
        self._settle(np.iinfo(np.int64).max)
        found = self._found
        told = self._requests.told()
        if told:
            serials = np.array(list(told))
            order = np.argsort(found.serial)
            at = order[np.searchsorted(found.serial, serials, sorter=order)]
            found.done[at], found.signal[at], found.generated[at], found.delivered[at] = \
                np.array(list(told.values())).T
        untold = (found.way == POSIX_AIO) & (found.signal == 0)
        found.estimated[untold] |= 1 << BOUNDARIES.index("done")  # the program may look for itself
        if (found.done[1:] < found.done[:-1]).any():
            found = found.take(np.argsort(found.done, kind="stable"))
        return found

    # which calls are operations, and what came before each

    def _receives_in(self, calls: Calls, batch: Columns) -> _Unmatched:
        """The batch's operations."""
        known = (calls.nr >= 0) & (calls.nr < len(self._receives))
        number = np.where(known, calls.nr, 0)
        calls = calls.where(known & (self._receives[number] | self._waits[number]))
        is_wait = self._waits[calls.nr]
        tgid = self.descriptors.process_of(calls.tid, calls.end)
        found, inode, stream = self.descriptors.find(tgid, calls.fd, calls.end)
        found &= self._receives[calls.nr]
        peek = self._flagged[calls.nr] & (calls.arg & (MSG_PEEK | MSG_ERRQUEUE) != 0) & (calls.result > 0)
        is_op = found & (calls.result > 0) & ~peek  # what is peeked stays where it is: a wait, if it slept
        kept = is_op | is_wait | found & ((calls.result < 0) | peek)
        calls, facts = calls.where(kept), [its[kept] for its in (is_op, inode, stream, tgid)]
        if len(self._asks):
            older = np.zeros(len(self._asks), np.int64)
            calls = self._asks.joined(calls)
            order = by_thread(calls.tid)
            calls = calls.take(order)
            facts = [np.concatenate([older.astype(its.dtype), its])[order] for its in facts]
        is_op, inode, stream, tgid = facts
        is_wait = self._waits[calls.nr]
        at = np.flatnonzero(is_op)
        # each row belongs to the operation that follows in its thread
        of = np.cumsum(is_op) - is_op
        belongs = of < len(at)
        belongs[belongs] = calls.tid[at[of[belongs]]] == calls.tid[belongs]
        self._asks = _trimmed(calls.take(~is_op & ~belongs))
        own = np.flatnonzero(~is_op & belongs)
        own = own[is_wait[own] | (calls.fd[own] == calls.fd[at[of[own]]])]
        operations = self._assembled(_Waits(calls, is_wait, at, own, of[own]), tgid[at], inode[at], stream[at], batch)
        if len(at):
            last = at[np.append(calls.tid[at[1:]] != calls.tid[at[:-1]], True)]
            self._last_done.update(zip(calls.tid[last].tolist(), calls.end[last].tolist(), strict=True))
        return operations

    def _assembled(self, waits: _Waits, tgid: np.ndarray, inode: np.ndarray, stream: np.ndarray,
                   batch: Columns) -> _Unmatched:
        """Operations with their process and their socket, whose `ready` is still the best guess without
        sk_data_ready."""
        calls, is_wait, own, of = waits.calls, waits.is_wait, waits.own, waits.of
        count = len(waits.at)
        op = calls.take(waits.at)
        first, told_by, last_poll = (np.full(count, -1) for _ in range(3))
        first[of[::-1]] = own[::-1]
        telling = is_wait[own] & (calls.result[own] > 0)
        told_by[of[telling]] = own[telling]
        empty = calls.result[own] == -EAGAIN
        looked = ~is_wait[own] & (empty | (calls.result[own] <= RESTARTS))
        last_poll[of[looked]] = own[looked]
        found_empty = np.zeros(count, bool)
        found_empty[of[looked & empty]] = True
        fruitless = np.bincount(of[looked & empty], calls.count[own[looked & empty]], count).astype(np.int64)
        waited_asleep = np.zeros(count, bool)
        waited_asleep[of[(calls.woken[own] > 0)]] = True
        previous = self._previous_done(op)
        signal, generated, delivered = self._signals.last(op.tid, op.end, previous)
        request = self._requests.feed(batch, self.descriptors, tgid, op.fd, op.end, self._signals.asynchronous,
                                      self._serial)
        is_aio = request.at > 0
        slept = op.woken > 0
        multiplexed = ~is_aio & (told_by >= 0) & ~slept  # told of something else, if it slept for the data
        signalled = ~is_aio & ~multiplexed & (signal > 0)
        blocked = ~is_aio & ~multiplexed & ~signalled & slept
        polled = ~is_aio & ~multiplexed & ~signalled & ~blocked & found_empty
        way = np.select([is_aio, multiplexed, signalled, blocked, polled],
                        [POSIX_AIO, MULTIPLEXED, SIGNAL, BLOCKED, POLLED], AT_ONCE)
        armed = self.descriptors.armed(tgid, op.end)
        unasked = signalled & (first < 0)
        ask = np.where(first >= 0, calls.start[first], op.start)
        ask = np.where(unasked, np.where(previous > 0, previous, np.where(armed > 0, armed, op.start)), ask)
        ask = np.where(is_aio, request.at, ask)
        own_sleep = is_aio | blocked
        back = np.where(own_sleep & slept, op.back, op.start)
        told = np.select([multiplexed, signalled], [calls.end[told_by], delivered], back)
        empty_at = np.where(last_poll >= 0, calls.last_start[last_poll], UNKNOWN)
        empty_at = np.where(own_sleep & slept, op.out, empty_at)
        empty_at = np.where(multiplexed & (calls.woken[told_by] > 0), calls.out[told_by], empty_at)
        woken = np.where(multiplexed, calls.woken[told_by], op.woken)
        guess = np.where(woken > 0, woken, np.where(way == AT_ONCE, ask, op.start))
        copy_start = np.where(op.copy > 0, op.copy, np.maximum(op.start, op.last_in))
        watcher = np.where(multiplexed, calls.fd[told_by], -1)
        zero = np.zeros(count, np.int64)
        self._serial += count
        operations = of_columns({
            "tid": np.where(is_aio, request.tid, op.tid), "tgid": tgid, "helper": np.where(is_aio, op.tid, 0),
            "fd": op.fd, "inode": inode, "bytes": op.result, "nr": op.nr, "way": way, "ask": ask, "ready": guess,
            "told": told, "copy_start": copy_start, "copy_end": op.end, "done": op.end, "raw_ask": ask,
            "raw_ready": zero, "raw_told": zero, "raw_copy_start": zero,
            "estimated": (op.copy == 0) << BOUNDARIES.index("copy_start"), "queued": zero,
            "waited_in": np.where(multiplexed, calls.nr[told_by], -1), "watcher": watcher,
            "events": self.descriptors.registered(tgid, watcher, op.fd, op.end),
            "signal": np.where(signalled, signal, 0), "generated": np.where(signalled, generated, 0),
            "delivered": np.where(signalled, delivered, 0), "fruitless": fruitless, "slept": op.slept,
            "waited_asleep": waited_asleep,
            "serial": np.arange(self._serial - count, self._serial)})
        return _Unmatched(operations, empty_at, stream)

    def _previous_done(self, op: Calls) -> np.ndarray:
        """When the operation before each ended in its thread (ns), 0 for none."""
        previous = np.zeros(len(op), np.int64)
        previous[1:] = np.where(op.tid[1:] == op.tid[:-1], op.end[:-1], 0)
        for i in np.flatnonzero(previous == 0).tolist():
            previous[i] = self._last_done.get(int(op.tid[i]), 0)
        return previous

    # when the data was ready, and boundaries in order

    def _settle(self, before: int) -> None:
        """Matches readiness with the operations that ended before a time (ns), and keeps those as found."""
        its = self._unmatched.take(_ordered(self._unmatched.operations.inode, self._unmatched.operations.copy_end))
        operations = its.operations
        sockets, times = self._ready[:, _ordered(self._ready[0], self._ready[1])]
        first = np.append(True, operations.inode[1:] != operations.inode[:-1])[:len(operations)]
        last_end = np.append(0, operations.copy_end[:-1])[:len(operations)]
        for i in np.flatnonzero(first).tolist():
            last_end[i] = self._last_end.get(int(operations.inode[i]), UNKNOWN)
        matched, used = readiness.match(
            operations.inode, operations.copy_end, its.empty_at, its.stream,
            (operations.way == POLLED) & (operations.inode > 0), last_end, sockets, times)
        settled = operations.copy_end < before
        self._keep_ready(sockets, times, operations.inode[settled], used[settled], operations.copy_end[settled])
        self._unmatched = its.take(~settled)
        if settled.any():
            which = slice(None) if settled.all() else settled
            found = _monotone(operations.take(which), matched.ready[which], matched.late[which])
            self._found.append(found.take(_ordered(found.copy_end)))

    def _keep_ready(self, sockets: np.ndarray, times: np.ndarray, done: np.ndarray, used: np.ndarray,
                    ends: np.ndarray) -> None:
        """Forgets the readinesses that settled operations have spent."""
        last = np.flatnonzero(np.append(done[1:] != done[:-1], True)[:len(done)])
        self._last_end.update(zip(done[last].tolist(), ends[last].tolist(), strict=True))
        first = np.searchsorted(sockets, done[last])
        spent = np.zeros(len(sockets) + 1, np.int64)
        np.add.at(spent, first, 1)
        np.add.at(spent, first + used[last], -1)
        kept = np.cumsum(spent[:-1]) == 0
        self._ready = np.array([sockets[kept], times[kept]])


def _monotone(its: Operations, ready: np.ndarray, late: np.ndarray) -> Operations:
    """Boundaries held between their neighbours; what is moved is kept as seen in raw_*, and listed."""
    seen = ready != UNKNOWN
    its.raw_ask, its.raw_told, its.raw_copy_start = its.ask, its.told, its.copy_start
    its.raw_ready = np.where(seen, ready, its.ready)
    its.ask = np.minimum(its.raw_ask, its.copy_end)
    its.copy_start = np.minimum(np.maximum(its.raw_copy_start, its.ask), its.copy_end)
    its.ready = np.minimum(np.maximum(its.raw_ready, its.ask), its.copy_start)
    its.told = np.minimum(np.maximum(its.raw_told, its.ready), its.copy_start)
    its.queued = np.maximum(0, its.raw_ask - its.raw_ready)
    its.estimated |= (~seen).astype(np.uint8) << BOUNDARIES.index("ready")
    for name in MOVABLE:
        moved = getattr(its, name) != getattr(its, f"raw_{name}")
        its.estimated |= moved.astype(np.uint8) << BOUNDARIES.index(name)
    its.raw_ready = np.where(late != UNKNOWN, late, its.raw_ready)
    return its


def _trimmed(asks: Calls) -> Calls:
    """At most MOST_ASKS a thread: of one idle for long, how it began and what came last is enough."""
    if len(asks) <= MOST_ASKS:
        return asks
    edge = np.append(True, asks.tid[1:] != asks.tid[:-1])
    start = np.flatnonzero(edge)
    size = np.diff(np.append(start, len(asks)))
    place = np.arange(len(asks)) - np.repeat(start, size)
    return asks.take((place == 0) | (np.repeat(size, size) - place < MOST_ASKS))


def _ordered(first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray | slice:
    """The stable order by `first`, then `second`; all as it is where that is the order already."""
    if second is None:
        rising = first[1:] >= first[:-1]
        return slice(None) if rising.all() else np.argsort(first, kind="stable")
    rising = (first[1:] > first[:-1]) | (first[1:] == first[:-1]) & (second[1:] >= second[:-1])
    return slice(None) if rising.all() else np.lexsort((second, first))


def _numbers(names) -> np.ndarray:
    """Whether a call's number is one of these names', by number."""
    table = np.zeros(1024, bool)
    table[syscalls.class_numbers(tuple(names))] = True
    return table
