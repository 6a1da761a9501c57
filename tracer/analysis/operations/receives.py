"""Which calls are operations: the receives that brought data from a socket or a pipe, and the asks before each.

An operation's asks are the calls of its thread since the operation before that waited for something, or tried to
receive from the same descriptor. docs/model.md has the words.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.operations.own_pipes import OwnPipes
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.messages import Messages
from tracer.analysis.threads.timeline import Calls, TimelineBatch, by_thread, no_calls
from tracer.kernel import syscalls

MOST_ASKS = 256  # of one thread that are carried over to the next batch
LEAVES_DATA = int(socket.MSG_PEEK | socket.MSG_ERRQUEUE)  # flags of a receive that takes no data
_MOST_CALLS = 1024  # system call numbers are below


@dataclass(slots=True)
class Received:
    """The operations of a batch: n rows of `calls`, a thread's together and in their order.

    calls          asks and operations (m rows); is_wait: bool[m], those that wait for something, not receive
    at             int64[n], the rows of calls that are operations
    ask, of        int64[k], the rows that are asks; int64[k], the operation that each belongs to, ascending
    tgid, inode    int64[n], the operation's process, and the inode of what it received from
    bytes          int64[n], how much it brought (−1: not known)
    messages       int64[n], how many messages that are
    stream         bool[n], whether its bytes are a stream of a socket
    previous_done  int64[n], when the thread's operation before was done (ns, 0: there was none)
    """

    calls: Calls
    is_wait: np.ndarray
    at: np.ndarray
    ask: np.ndarray
    of: np.ndarray
    tgid: np.ndarray
    inode: np.ndarray
    bytes: np.ndarray
    messages: np.ndarray
    stream: np.ndarray
    previous_done: np.ndarray


@dataclass(slots=True)
class _Facts(Table):
    """Of each call: whether it is an operation; its process, and what its descriptor is; how many bytes it brought."""

    is_operation: np.ndarray
    tgid: np.ndarray
    inode: np.ndarray
    stream: np.ndarray
    bytes: np.ndarray


class Receives:
    """Feed batches in time order. The asks since each thread's last operation are carried over."""

    def __init__(self) -> None:
        self._receives = _numbers(syscalls.RECEIVE)
        self._waits = _numbers(name for members in syscalls.CLASSES.values() for name in members)
        self._has_flags = _numbers(("recvfrom", "recvmsg"))  # whose flags a record keeps
        self._tee, self._recvmmsg = (syscalls.numbers()[name] for name in ("tee", "recvmmsg"))
        self._own_pipes = OwnPipes()
        self._asks = no_calls()
        self._last_done: dict[int, int] = {}  # thread → when its last operation ended (ns)

    def feed(
        self, part: TimelineBatch, descriptors: Descriptors, also_waits: np.ndarray
    ) -> Received:
        """The operations among a batch's calls. also_waits: bool by number, calls that wait in this recording though
        they need not (io_uring_enter, io_getevents)."""
        waits = self._waits | also_waits
        calls, facts = self._wanted(part, waits, descriptors)
        calls, facts = self._with_older_asks(calls, facts)
        at = np.flatnonzero(facts.is_operation)
        is_wait = waits[calls.nr]
        ask, of = self._owned(calls, facts.is_operation, is_wait, at)
        mine, operations = facts.take(at), calls.take(at)
        return Received(
            calls=calls,
            is_wait=is_wait,
            at=at,
            ask=ask,
            of=of,
            tgid=mine.tgid,
            inode=mine.inode,
            bytes=mine.bytes,
            messages=np.where(operations.nr == self._recvmmsg, operations.result, 1),
            stream=mine.stream,
            previous_done=self._previous_done(operations.tid, operations.end),
        )

    def _wanted(
        self, part: TimelineBatch, waits: np.ndarray, descriptors: Descriptors
    ) -> tuple[Calls, _Facts]:
        """The calls that are operations or may be asks, and what is known of each."""
        calls = part.calls.where(part.calls.nr < _MOST_CALLS)
        calls = calls.where(self._receives[calls.nr] | waits[calls.nr])
        tgid = descriptors.process_of(calls.tid, calls.end)
        files = descriptors.files(calls.tid, calls.fd, calls.start, tgid)
        receives = files.on_data & self._receives[calls.nr]
        receives &= ~self._own_pipes.feed(calls, descriptors, tgid, files)
        bytes_, flags = self._brought(calls, part.messages)
        # MSG_PEEK, MSG_ERRQUEUE and tee leave the data queued: such a call is an ask, never an operation
        leaves = (flags & LEAVES_DATA != 0) | (calls.nr == self._tee)
        leaves &= calls.result > 0
        is_operation = receives & (calls.result > 0) & ~leaves
        kept = is_operation | waits[calls.nr] | receives & ((calls.result < 0) | leaves)
        return calls.where(kept), _Facts(
            is_operation, tgid, files.number, files.stream, bytes_
        ).where(kept)

    def _brought(self, calls: Calls, messages: Messages) -> tuple[np.ndarray, np.ndarray]:
        """(how many bytes each call brought, −1 where that is not known; its flags, 0 where it has none)."""
        bytes_, flags = calls.result, np.where(self._has_flags[calls.nr], calls.arg, 0)
        several = np.flatnonzero(calls.nr == self._recvmmsg)
        if len(several):
            row = messages.of(calls.tid[several], calls.end[several])
            told, row = several[row >= 0], row[row >= 0]
            bytes_ = bytes_.copy()
            bytes_[several], flags[told] = -1, messages.flags[row]
            whole = messages.count[row] == calls.result[told]
            bytes_[told[whole]] = messages.bytes[row[whole]]
        return bytes_, flags

    def _with_older_asks(self, calls: Calls, facts: _Facts) -> tuple[Calls, _Facts]:
        """These calls after the asks that were carried over, each thread's together."""
        count = len(self._asks)
        if not count:
            return calls, facts
        no, number = np.zeros(count, bool), np.zeros(count, np.int64)
        calls = self._asks.joined(calls)
        facts = _Facts(no, number, number, no, number).joined(facts)
        order = by_thread(calls.tid)
        return calls.take(order), facts.take(order)

    def _owned(
        self, calls: Calls, is_operation: np.ndarray, is_wait: np.ndarray, at: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(the rows that are asks of operations, whose each is). An ask belongs to the operation that follows in its
        thread; asks that none follows are carried over."""
        of = np.cumsum(is_operation)  # of a call that is none itself
        owned = of < len(at)
        owned[owned] = calls.tid[at[of[owned]]] == calls.tid[owned]
        self._asks = _trimmed(calls.take(~is_operation & ~owned))
        ask = np.flatnonzero(~is_operation & owned)
        same_fd = calls.fd[ask] == calls.fd[at[of[ask]]]
        ask = ask[is_wait[ask] | same_fd]
        return ask, of[ask]

    def _previous_done(self, tids: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """When the operation before each of these ended in its thread (ns), 0 for none."""
        previous = np.zeros(len(tids), np.int64)
        if not len(tids):
            return previous
        changes = tids[1:] != tids[:-1]
        previous[1:] = ends[:-1]
        for i in np.flatnonzero(np.append(True, changes)).tolist():
            previous[i] = self._last_done.get(int(tids[i]), 0)
        last = np.append(changes, True)
        self._last_done.update(zip(tids[last].tolist(), ends[last].tolist(), strict=True))
        return previous


def _trimmed(asks: Calls) -> Calls:
    """At most MOST_ASKS a thread: of one idle for long, how it began and what came last is enough."""
    if len(asks) <= MOST_ASKS:
        return asks
    edge = np.append(True, asks.tid[1:] != asks.tid[:-1])
    start = np.flatnonzero(edge)
    size = np.diff(np.append(start, len(asks)))
    place = np.arange(len(asks)) - np.repeat(start, size)
    return asks.take((place == 0) | (np.repeat(size, size) - place < MOST_ASKS))


def _numbers(names: Iterable[str]) -> np.ndarray:
    """bool by number: whether a system call is one of these."""
    table = np.zeros(_MOST_CALLS, bool)
    table[syscalls.class_numbers(tuple(names))] = True
    return table
