"""Records → operations: each successful receive with its boundaries and phases, for any process.

Array operations over batches of records in time order; what is not yet decided is carried over to the next batch. It
knows no scenario. The boundaries and what counts as evidence for each are explained in docs/model.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.operations import readiness
from tracer.analysis.operations.boundaries import monotone
from tracer.analysis.operations.completions import (
    AFTER_SUBMIT,
    BY_SIGNAL,
    BY_SUSPEND,
    BY_THREAD,
    CompletedReads,
    Completions,
)
from tracer.analysis.operations.posix_aio import Requests
from tracer.analysis.operations.readiness import UNKNOWN
from tracer.analysis.operations.signal_delivery import Signals
from tracer.analysis.tables.appender import Appender
from tracer.analysis.tables.table import Table, names_of
from tracer.analysis.threads.timeline import Calls, TimelineBatch, by_thread, no_calls
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind
from tracer.terms import BOUNDARIES

EAGAIN = 11
RESTARTS = -512  # and below: the kernel enters the call again
MSG_PEEK, MSG_ERRQUEUE = 2, 0x2000
MOST_ASKS = 256
WAIT_KINDS = (
    "at once",
    "blocked",
    "polled",
    "multiplexed",
    "signal",
    "posix-aio",
    "io-uring",
    "linux-aio",
)
AT_ONCE, BLOCKED, POLLED, MULTIPLEXED, SIGNAL, POSIX_AIO, IO_URING, LINUX_AIO = range(
    len(WAIT_KINDS)
)
EPOLLET, EPOLLONESHOT = 1 << 31, 1 << 30


@dataclass(slots=True)
class Operations(Table):
    """Successful receives in the order in which they were done, a column for each fact.

    Boundaries are ns of CLOCK_MONOTONIC and monotone: ask ≤ ready ≤ told ≤ copy_start ≤ copy_end ≤ done. raw_*: four
    of them as seen (equal to the boundary unless it was moved). estimated: bit i for BOUNDARIES[i], moved or not seen.
    way: index into WAYS, how the data was waited for (tracer/analysis/verdict/io_model.py names the model). how: index into HOWS, how an
    asynchronous request was carried out or told of. helper: the thread that received, where it is not the one that
    asked, else 0. queued: ns that the data had been there when it was asked for. waited_in: the number of the call that
    told, for multiplexing, else -1; watcher: its descriptor; events: the epoll events that fd was registered with there.
    signal: the one that told, 0 for none, generated and delivered at (ns, 0: not seen); named: whether its siginfo named fd; waited_for: whether a call waited for it, without a handler.
    fruitless: calls that found nothing. slept: ns asleep in the receive. waited_asleep: whether the thread slept in a
    call before it; fell_asleep: when it last did (ns, 0: it did not). serial: the order in which they were found.
    """

    tid: np.ndarray
    tgid: np.ndarray
    receiver_tid: np.ndarray
    fd: np.ndarray
    inode: np.ndarray
    bytes: np.ndarray
    nr: np.ndarray
    wait_kind: np.ndarray
    completion_kind: np.ndarray
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
    wait_nr: np.ndarray
    epfd: np.ndarray
    events: np.ndarray
    signal: np.ndarray
    generated: np.ndarray
    delivered: np.ndarray
    named: np.ndarray
    by_sigwait: np.ndarray
    eagain_count: np.ndarray
    slept: np.ndarray
    waited_asleep: np.ndarray
    fell_asleep: np.ndarray
    serial: np.ndarray

    def phases(self) -> tuple[np.ndarray, ...]:
        """(wait, notice, copy, completion), int64[n] ns each; an operation's sum to done − ask."""
        return (
            self.ready - self.ask,
            self.copy_start - self.ready,
            self.copy_end - self.copy_start,
            self.done - self.copy_end,
        )

    def rows(self, which: slice = slice(None)) -> Iterator[dict]:
        """Each as a dict of plain integers."""
        names = names_of(Operations)
        for values in zip(*(getattr(self, name)[which].tolist() for name in names), strict=True):
            yield dict(zip(names, values, strict=True))


_SMALL = {
    "tid": np.uint32,
    "tgid": np.uint32,
    "receiver_tid": np.uint32,
    "fd": np.int32,
    "bytes": np.int32,
    "nr": np.int16,
    "wait_kind": np.uint8,
    "completion_kind": np.uint8,
    "estimated": np.uint8,
    "wait_nr": np.int16,
    "epfd": np.int32,
    "events": np.uint32,
    "signal": np.uint8,
    "eagain_count": np.int32,
    "waited_asleep": bool,
    "named": bool,
    "by_sigwait": bool,
    "serial": np.uint32,
}


def of_columns(columns: dict[str, np.ndarray]) -> Operations:
    """Operations from their columns by name, each in its own type."""
    return Operations(
        *(
            np.asarray(columns[name]).astype(_SMALL.get(name, np.int64), copy=False)
            for name in names_of(Operations)
        )
    )


def _none() -> Operations:
    return of_columns(dict.fromkeys(names_of(Operations), np.empty(0, np.int64)))


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
        return _Unmatched(
            self.operations.joined(other.operations),
            np.concatenate([self.empty_at, other.empty_at]),
            np.concatenate([self.stream, other.stream]),
        )


class Analysis:
    """The operations of a recording. Feed batches in time order with the parts that a Timeline made of them."""

    def __init__(self) -> None:
        self.descriptors = Descriptors()
        self._signals = Signals()
        self._requests = Requests()
        self._completions = Completions()
        self._receives = _numbers(syscalls.RECEIVE)
        self._waits = _numbers(name for members in syscalls.CLASSES.values() for name in members)
        self._sigwait, self._enter = (
            syscalls.numbers()[name] for name in ("rt_sigtimedwait", "io_uring_enter")
        )
        self._flagged = _numbers(("recvfrom", "recvmsg"))  # whose flags a record keeps
        self._asks = no_calls()  # since each thread's last operation
        self._last_done: dict[int, int] = {}
        self._ready = np.empty((2, 0), np.int64)  # sockets and times, not yet spent
        self._last_end: dict[int, int] = {}  # of the last operation on a socket
        self._unmatched = _Unmatched(_none(), np.empty(0, np.int64), np.empty(0, bool))
        self._serial = 0
        self._found = Appender(_none())

    def feed(self, batch: RecordBatch, part: TimelineBatch) -> None:
        """A batch in time order, not older than what was fed before, and its part of the timeline."""
        self.descriptors.feed(batch, part)
        self._completions.feed(batch, part, self.descriptors)
        calls = part.calls
        self._signals.feed(batch, calls.take(calls.nr == self._sigwait))
        readies = np.flatnonzero(batch.kind == Kind.READY)
        self._ready = np.concatenate(
            [self._ready, [batch.start[readies], batch.time[readies]]], axis=1
        )
        operations = self._receives_in(part, batch)
        self._unmatched = self._unmatched.joined(operations)
        # a readiness may come late: what ended just now waits for the next batch
        self._settle(int(batch.time[-1]) - readiness.LATE_NS if len(batch) else 0)
        if len(batch):
            self._signals.forget_before(int(batch.time[0]))
            self.descriptors.forget_before(int(batch.time[0]))

    def finish(self) -> Operations:
        """All operations in the order in which they were done."""
        for wait_kind, completed in (
            (IO_URING, self._completions.io_uring()),
            (LINUX_AIO, self._completions.native()),
        ):
            self._unmatched = self._unmatched.joined(self._completed(completed, wait_kind))
        self._settle(np.iinfo(np.int64).max)
        found = self._found.whole()
        told = self._requests.told()
        if told:
            serials = np.array(list(told))
            order = np.argsort(found.serial)
            at = order[np.searchsorted(found.serial, serials, sorter=order)]
            found.done[at], found.signal[at], found.generated[at], found.delivered[at] = np.array(
                list(told.values())
            ).T
            found.completion_kind[at] = BY_SIGNAL
        untold = np.flatnonzero((found.wait_kind == POSIX_AIO) & (found.signal == 0))
        notice = self._requests.noticed(
            *(
                getattr(found, name)[untold].astype(np.int64)
                for name in ("tid", "receiver_tid", "ask", "copy_end")
            )
        )
        found.done[untold] = np.maximum(found.done[untold], notice.at)
        found.completion_kind[untold[notice.at > 0]] = np.where(
            notice.by_thread, BY_THREAD, BY_SUSPEND
        )[notice.at > 0]
        untold = untold[~notice.seen]
        found.estimated[untold] |= 1 << BOUNDARIES.index("done")  # the program may look for itself
        if (found.done[1:] < found.done[:-1]).any():
            found = found.take(np.argsort(found.done, kind="stable"))
        return found

    # which calls are operations, and what came before each

    def _receives_in(self, part: TimelineBatch, batch: RecordBatch) -> _Unmatched:
        """The batch's operations."""
        calls = part.calls
        known = (calls.nr >= 0) & (calls.nr < len(self._receives))
        number = np.where(known, calls.nr, 0)
        waits = self._waits | self._completions.telling
        calls = calls.where(known & (self._receives[number] | waits[number]))
        is_wait = waits[calls.nr]
        tgid = self.descriptors.process_of(calls.tid, calls.end)
        found, inode, stream = self.descriptors.find(tgid, calls.fd, calls.end)
        found &= self._receives[calls.nr]
        peek = (
            self._flagged[calls.nr]
            & (calls.arg & (MSG_PEEK | MSG_ERRQUEUE) != 0)
            & (calls.result > 0)
        )
        is_op = (
            found & (calls.result > 0) & ~peek
        )  # what is peeked stays where it is: a wait, if it slept
        kept = is_op | is_wait | found & ((calls.result < 0) | peek)
        calls, facts = calls.where(kept), [its[kept] for its in (is_op, inode, stream, tgid)]
        if len(self._asks):
            older = np.zeros(len(self._asks), np.int64)
            calls = self._asks.joined(calls)
            order = by_thread(calls.tid)
            calls = calls.take(order)
            facts = [np.concatenate([older.astype(its.dtype), its])[order] for its in facts]
        is_op, inode, stream, tgid = facts
        is_wait = waits[calls.nr]
        at = np.flatnonzero(is_op)
        # each row belongs to the operation that follows in its thread
        of = np.cumsum(is_op) - is_op
        belongs = of < len(at)
        belongs[belongs] = calls.tid[at[of[belongs]]] == calls.tid[belongs]
        self._asks = _trimmed(calls.take(~is_op & ~belongs))
        own = np.flatnonzero(~is_op & belongs)
        own = own[is_wait[own] | (calls.fd[own] == calls.fd[at[of[own]]])]
        operations = self._assembled(
            _Waits(calls, is_wait, at, own, of[own]), tgid[at], inode[at], stream[at], part, batch
        )
        if len(at):
            last = at[np.append(calls.tid[at[1:]] != calls.tid[at[:-1]], True)]
            self._last_done.update(
                zip(calls.tid[last].tolist(), calls.end[last].tolist(), strict=True)
            )
        return operations

    def _assembled(
        self,
        waits: _Waits,
        tgid: np.ndarray,
        inode: np.ndarray,
        stream: np.ndarray,
        part: TimelineBatch,
        batch: RecordBatch,
    ) -> _Unmatched:
        """Operations with their process and their socket, whose `ready` is still the best guess without
        sk_data_ready."""
        calls, is_wait, own, of = waits.calls, waits.is_wait, waits.own, waits.of
        count = len(waits.at)
        op = calls.take(waits.at)
        first, told_by, last_poll = (np.full(count, -1) for _ in range(3))
        first[of[::-1]] = own[::-1]
        enter = (
            calls.nr[own] == self._enter
        )  # it tells how many requests it took; what it waited for (arg) has come
        telling = is_wait[own] & np.where(
            enter, (calls.result[own] >= 0) & (calls.arg[own] > 0), calls.result[own] > 0
        )
        told_by[of[telling]] = own[telling]
        empty = calls.result[own] == -EAGAIN
        looked = ~is_wait[own] & (empty | (calls.result[own] <= RESTARTS))
        last_poll[of[looked]] = own[looked]
        found_empty = np.zeros(count, bool)
        found_empty[of[looked & empty]] = True
        eagain_count = np.bincount(
            of[looked & empty], calls.count[own[looked & empty]], count
        ).astype(np.int64)
        waited_asleep = np.zeros(count, bool)
        waited_asleep[of[(calls.woken[own] > 0)]] = True
        fell_asleep = np.zeros(count, np.int64)
        fell_asleep[of[is_wait[own]]] = calls.out[own[is_wait[own]]]
        previous = self._previous_done(op)
        signal, generated, delivered, named, sat = self._signals.last(op.tid, op.end, previous)
        request = self._requests.feed(
            batch,
            part,
            self.descriptors,
            tgid,
            op.fd,
            op.end,
            self._signals.asynchronous,
            self._serial,
        )
        is_aio = request.at > 0
        slept = op.woken > 0
        multiplexed = (
            ~is_aio & (told_by >= 0) & ~slept
        )  # told of something else, if it slept for the data
        signalled = ~is_aio & ~multiplexed & (signal > 0)
        blocked = ~is_aio & ~multiplexed & ~signalled & slept
        polled = ~is_aio & ~multiplexed & ~signalled & ~blocked & found_empty
        wait_kind = np.select(
            [is_aio, multiplexed, signalled, blocked, polled],
            [POSIX_AIO, MULTIPLEXED, SIGNAL, BLOCKED, POLLED],
            AT_ONCE,
        )
        armed = self.descriptors.armed(tgid, op.end)
        unasked = signalled & (first < 0)
        ask = np.where(first >= 0, calls.start[first], op.start)
        ask = np.where(
            unasked, np.where(previous > 0, previous, np.where(armed > 0, armed, op.start)), ask
        )
        ask = np.where(is_aio, request.at, ask)
        came = (ask > 0) & (
            ask == self.descriptors.adopted(op.tid, op.end)
        )  # it asked before we came
        own_sleep = is_aio | blocked
        back = np.where(own_sleep & slept, op.back, op.start)
        told = np.select([multiplexed, signalled], [calls.end[told_by], delivered], back)
        empty_at = np.where(last_poll >= 0, calls.last_start[last_poll], UNKNOWN)
        empty_at = np.where(own_sleep & slept, op.out, empty_at)
        epfd = np.where(multiplexed, calls.fd[told_by], -1)
        events = self.descriptors.registered(tgid, epfd, op.fd, op.end)
        # who sleeps in epoll_wait may have been told of what lies in the socket before, and not be told again
        once = events & (EPOLLET | EPOLLONESHOT) != 0
        empty_at = np.where(
            multiplexed & ~once & (calls.woken[told_by] > 0), calls.out[told_by], empty_at
        )
        woken = np.where(multiplexed, calls.woken[told_by], op.woken)
        # a call that told without sleeping found the data there when it was entered
        there = np.where(multiplexed, calls.start[told_by], op.start)
        sent = (
            signalled & (generated > 0) & (generated >= empty_at)
        )  # not one of before it was found empty
        guess = np.select([sent, woken > 0, wait_kind == AT_ONCE], [generated, woken, ask], there)
        copy_start = np.where(op.copy > 0, op.copy, np.maximum(op.start, op.last_in))
        zero = np.zeros(count, np.int64)
        self._serial += count
        operations = of_columns(
            {
                "tid": np.where(is_aio, request.tid, op.tid),
                "tgid": tgid,
                "receiver_tid": np.where(is_aio, op.tid, 0),
                "fd": op.fd,
                "inode": inode,
                "bytes": op.result,
                "nr": op.nr,
                "wait_kind": wait_kind,
                "completion_kind": zero,
                "ask": ask,
                "ready": guess,
                "told": told,
                "copy_start": copy_start,
                "copy_end": op.end,
                "done": op.end,
                "raw_ask": ask,
                "raw_ready": zero,
                "raw_told": zero,
                "raw_copy_start": zero,
                "estimated": (op.copy == 0) << BOUNDARIES.index("copy_start")
                | came << BOUNDARIES.index("ask"),
                "queued": zero,
                "events": events,
                "wait_nr": np.where(multiplexed, calls.nr[told_by], -1),
                "epfd": epfd,
                "signal": np.where(signalled, signal, 0),
                "generated": np.where(signalled, generated, 0),
                "delivered": np.where(signalled, delivered, 0),
                "named": signalled & (named == op.fd + 1),
                "by_sigwait": signalled & (sat > 0),
                "eagain_count": eagain_count,
                "slept": op.slept,
                "waited_asleep": waited_asleep,
                "fell_asleep": fell_asleep,
                "serial": np.arange(self._serial - count, self._serial),
            }
        )
        return _Unmatched(operations, empty_at, stream)

    def _completed(self, found: CompletedReads, wait_kind: int) -> _Unmatched:
        """Operations of requests that the kernel completed by itself."""
        count = len(found)
        zero = np.zeros(count, np.int64)
        estimated = ~found.copy_seen << BOUNDARIES.index(
            "copy_start"
        ) | ~found.done_seen << BOUNDARIES.index("done")
        estimated |= (found.completion_kind == AFTER_SUBMIT) << BOUNDARIES.index("copy_end")
        operations = of_columns(
            dict.fromkeys(names_of(Operations), zero)
            | {
                name: getattr(found, name)
                for name in (
                    "tid",
                    "tgid",
                    "receiver_tid",
                    "fd",
                    "inode",
                    "bytes",
                    "nr",
                    "completion_kind",
                    "ask",
                    "ready",
                    "told",
                    "copy_start",
                    "copy_end",
                    "done",
                    "slept",
                )
            }
            | {
                "wait_kind": zero + wait_kind,
                "raw_ask": found.ask,
                "estimated": estimated,
                "wait_nr": zero - 1,
                "epfd": zero - 1,
                "serial": np.arange(self._serial, self._serial + count),
            }
        )
        self._serial += count
        return _Unmatched(operations, found.empty_at, found.stream)

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
        its = self._unmatched.take(
            _ordered(self._unmatched.operations.inode, self._unmatched.operations.copy_end)
        )
        operations = its.operations
        sockets, times = self._ready[:, _ordered(self._ready[0], self._ready[1])]
        first = np.append(True, operations.inode[1:] != operations.inode[:-1])[: len(operations)]
        last_end = np.append(0, operations.copy_end[:-1])[: len(operations)]
        for i in np.flatnonzero(first).tolist():
            last_end[i] = self._last_end.get(int(operations.inode[i]), UNKNOWN)
        matched, used = readiness.match(
            operations.inode,
            operations.copy_end,
            its.empty_at,
            its.stream,
            (operations.wait_kind == POLLED) & (operations.inode > 0),
            last_end,
            sockets,
            times,
        )
        settled = operations.copy_end < before
        self._keep_ready(
            sockets, times, operations.inode[settled], used[settled], operations.copy_end[settled]
        )
        self._unmatched = its.take(~settled)
        if settled.any():
            which = slice(None) if settled.all() else settled
            found = operations.take(which)
            monotone(found, matched.ready[which], matched.late[which], found.wait_kind == IO_URING)
            self._found.add(found.take(_ordered(found.copy_end)))

    def _keep_ready(
        self,
        sockets: np.ndarray,
        times: np.ndarray,
        done: np.ndarray,
        used: np.ndarray,
        ends: np.ndarray,
    ) -> None:
        """Forgets the readinesses that settled operations have spent."""
        last = np.flatnonzero(np.append(done[1:] != done[:-1], True)[: len(done)])
        self._last_end.update(zip(done[last].tolist(), ends[last].tolist(), strict=True))
        first = np.searchsorted(sockets, done[last])
        spent = np.zeros(len(sockets) + 1, np.int64)
        np.add.at(spent, first, 1)
        np.add.at(spent, first + used[last], -1)
        kept = np.cumsum(spent[:-1]) == 0
        self._ready = np.array([sockets[kept], times[kept]])


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
