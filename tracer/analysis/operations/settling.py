"""Operations wait a little for their readiness, which may come late; then they are matched and final."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.operations import readiness
from tracer.analysis.operations.monotone import hold_in_order
from tracer.analysis.operations.readiness import Readinesses, SocketReceives
from tracer.analysis.operations.table import UNKNOWN, Operations, no_operations
from tracer.analysis.tables.appender import Appender
from tracer.recording import fields
from tracer.recording.batch import RecordBatch

_NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class Pending:
    """Operations whose `ready` is the best that is known without sk_data_ready. empty_at: int64[n], when the socket was
    last known to be empty (ns, UNKNOWN: it never was); stream: bool[n], whether a receive takes all there is; polled:
    bool[n], whether its readiness may come late (boundaries.found_early); socket: int64[n], the inode by which its
    readiness is known (0: it has none)."""

    operations: Operations
    empty_at: np.ndarray
    stream: np.ndarray
    polled: np.ndarray
    socket: np.ndarray

    def take(self, which: np.ndarray | slice) -> Pending:
        """The rows that a mask, an index or a slice selects."""
        columns = self.empty_at, self.stream, self.polled, self.socket
        return Pending(self.operations.take(which), *(column[which] for column in columns))

    def joined(self, other: Pending) -> Pending:
        """These, then the other's."""
        if not len(self.operations):
            return other
        return Pending(
            self.operations.joined(other.operations),
            np.concatenate([self.empty_at, other.empty_at]),
            np.concatenate([self.stream, other.stream]),
            np.concatenate([self.polled, other.polled]),
            np.concatenate([self.socket, other.socket]),
        )


class Settling:
    """Add operations and batches; `settle` makes final what nothing can change any more."""

    def __init__(self) -> None:
        self._readies = Readinesses(_NONE, _NONE)  # not yet spent
        self._last_end: dict[int, int] = {}  # socket → end of the last settled operation on it
        self._pending = Pending(no_operations(), _NONE, _NONE > 0, _NONE > 0, _NONE)
        self._final = Appender(no_operations())

    def add_readinesses(self, batch: RecordBatch) -> None:
        """Those of a batch."""
        new = fields.Readinesses.of(batch)
        self._readies = self._readies.joined(Readinesses(new.inode, new.time))

    def add(self, pending: Pending) -> None:
        """Operations to settle."""
        self._pending = self._pending.joined(pending)

    def settle(self, before: int) -> None:
        """Makes those final that ended before a time (ns)."""
        pending = self._pending
        pending = pending.take(order_of(pending.socket, pending.operations.copy_end))
        # each socket's are in time order already
        readies = self._readies.take(order_of(self._readies.socket))
        operations = pending.operations
        match = readiness.match(self._receives(pending), readies)
        settled = operations.copy_end < before
        self._pending = pending.take(~settled)
        self._readies = self._unspent(
            readies, pending.socket[settled], operations.copy_end[settled], match.spent[settled]
        )
        if settled.any():
            which = slice(None) if settled.all() else settled
            final = operations.take(which)
            hold_in_order(final, match.take(which))
            self._final.add(final.take(order_of(final.copy_end)))

    def finish(self) -> Operations:
        """All operations, in about the order in which they ended."""
        self.settle(int(np.iinfo(np.int64).max))
        return self._final.whole()

    def _receives(self, pending: Pending) -> SocketReceives:
        """Pending operations, in the order of their sockets, as readiness.match wants them."""
        sockets, ends = pending.socket, pending.operations.copy_end
        first = np.append(True, sockets[1:] != sockets[:-1])[: len(sockets)]
        last_end = np.roll(ends, 1)
        for i in np.flatnonzero(first).tolist():
            last_end[i] = self._last_end.get(int(sockets[i]), UNKNOWN)
        messages = pending.operations.messages.astype(np.int64)
        return SocketReceives(
            sockets, ends, pending.empty_at, pending.stream, pending.polled, messages, last_end
        )

    def _unspent(
        self, readies: Readinesses, sockets: np.ndarray, ends: np.ndarray, spent: np.ndarray
    ) -> Readinesses:
        """The readinesses that settled operations have not used up. int64[n] each, by socket and end: the operations'
        sockets and ends (ns), and how many readinesses of its socket are spent after each."""
        last = np.flatnonzero(np.append(sockets[1:] != sockets[:-1], True)[: len(sockets)])
        self._last_end.update(zip(sockets[last].tolist(), ends[last].tolist(), strict=True))
        first = np.searchsorted(readies.socket, sockets[last])
        # how many spent ranges begin, less those that end
        depth = np.zeros(len(readies) + 1, np.int64)
        np.add.at(depth, first, 1)
        np.add.at(depth, first + spent[last], -1)
        return readies.take(np.cumsum(depth[:-1]) == 0)


def in_order(operations: Operations) -> Operations:
    """By the time at which they were done."""
    return operations.take(order_of(operations.done))


def order_of(first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray | slice:
    """The stable order by `first`, then `second`; all as it is where that is the order already."""
    if second is None:
        rising = first[1:] >= first[:-1]
        return slice(None) if rising.all() else np.argsort(first, kind="stable")
    rising = (first[1:] > first[:-1]) | (first[1:] == first[:-1]) & (second[1:] >= second[:-1])
    return slice(None) if rising.all() else np.lexsort((second, first))
