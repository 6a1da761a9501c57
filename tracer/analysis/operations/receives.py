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
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import Calls, by_thread, no_calls
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
    stream: np.ndarray
    previous_done: np.ndarray


@dataclass(slots=True)
class _Facts(Table):
    """Of each call: whether it is an operation; its process, and what its descriptor is."""

    is_operation: np.ndarray
    tgid: np.ndarray
    inode: np.ndarray
    stream: np.ndarray


class Receives:
    """Feed batches in time order. The asks since each thread's last operation are carried over."""

    def __init__(self) -> None:
        self._receives = _numbers(syscalls.RECEIVE)
        self._waits = _numbers(name for members in syscalls.CLASSES.values() for name in members)
        self._has_flags = _numbers(("recvfrom", "recvmsg"))  # whose flags a record keeps
        self._asks = no_calls()
        self._last_done: dict[int, int] = {}  # thread → when its last operation ended (ns)

    def feed(self, calls: Calls, descriptors: Descriptors, also_waits: np.ndarray) -> Received:
        """The operations among a batch's calls. also_waits: bool by number, calls that wait in this recording though
        they need not (io_uring_enter, io_getevents)."""
        waits = self._waits | also_waits
        calls, facts = self._wanted(calls, waits, descriptors)
        calls, facts = self._with_older_asks(calls, facts)
        at = np.flatnonzero(facts.is_operation)
        is_wait = waits[calls.nr]
        ask, of = self._owned(calls, facts.is_operation, is_wait, at)
        mine = facts.take(at)
        previous = self._previous_done(calls.tid[at], calls.end[at])
        return Received(calls, is_wait, at, ask, of, mine.tgid, mine.inode, mine.stream, previous)

    def _wanted(
        self, calls: Calls, waits: np.ndarray, descriptors: Descriptors
    ) -> tuple[Calls, _Facts]:
        """The calls that are operations or may be asks, and what is known of each."""
        calls = calls.where(calls.nr < _MOST_CALLS)
        calls = calls.where(self._receives[calls.nr] | waits[calls.nr])
        tgid = descriptors.process_of(calls.tid, calls.end)
        files = descriptors.files(calls.tid, calls.fd, calls.start, tgid)
        receives = files.on_data & self._receives[calls.nr]
        brought = receives & (calls.result > 0)
        # MSG_PEEK and MSG_ERRQUEUE leave the data queued: such a call is an ask, never an operation
        leaves = self._has_flags[calls.nr] & (calls.arg & LEAVES_DATA != 0) & (calls.result > 0)
        is_operation = brought & ~leaves
        kept = is_operation | waits[calls.nr] | receives & ((calls.result < 0) | leaves)
        return calls.where(kept), _Facts(is_operation, tgid, files.number, files.stream).where(kept)

    def _with_older_asks(self, calls: Calls, facts: _Facts) -> tuple[Calls, _Facts]:
        """These calls after the asks that were carried over, each thread's together."""
        count = len(self._asks)
        if not count:
            return calls, facts
        no, number = np.zeros(count, bool), np.zeros(count, np.int64)
        calls = self._asks.joined(calls)
        facts = _Facts(no, number, number, no).joined(facts)
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
