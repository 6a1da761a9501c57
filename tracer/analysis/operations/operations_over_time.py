"""Operations and descriptors along the time, for who draws them: each operation with who woke its thread and who sent
its data, and when each descriptor had data. Of very many operations the slowest are kept, and every so manieth."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.tables.asof import at, following, preceding
from tracer.recording.batch import RecordBatch, rows_by
from tracer.recording.fields import Readinesses, Wakings
from tracer.terms import BOUNDARIES

MOST, SLOWEST = 120_000, 2_000  # operations that are kept; of these the slowest
MOST_SEEN = 4_000_000  # wakings, and readinesses: beyond, wakers and senders are not known
MOST_DESCRIPTORS = 200
NOT_KNOWN = -1


class OperationsOverTime(ReportPart):
    """The report's `operations_over_time`, on request."""

    NEEDS = (OperationsInWindow, Identity)
    ON_REQUEST = "operations_over_time"

    def __init__(self) -> None:
        self._wakings, self._readinesses = _Seen(), _Seen()

    def feed(self, batch: RecordBatch, state: State) -> None:
        wakings, ready = Wakings.of(batch), Readinesses.of(batch)
        self._wakings.add(wakings.tid, wakings.time, wakings.waker)
        self._readinesses.add(ready.inode, ready.time, ready.tid)

    def finish(self, results: Results) -> dict[str, Any]:
        operations, base = results[OperationsInWindow], results.recording.base_ns
        rows = _chosen(operations)
        descriptors, which, more = _descriptors(operations, results[Identity], base)
        columns = self._columns(operations.take(rows), rows, results[Identity], base)
        columns["descriptor"] = which[rows].tolist()
        return {
            "operations_over_time": {
                "count": len(operations),
                "columns": columns,
                "descriptors": descriptors,
                "more_descriptors": more,
            }
        }

    def _columns(
        self, operations: Operations, rows: np.ndarray, identity: Identity, base: int
    ) -> dict[str, list[int]]:
        waker, sender = self._waker(operations), self._sender(operations)
        shown = identity.with_ids(operations, ("tid",))
        columns = {"index": rows, "tid": shown.tid, "fd": shown.fd, "bytes": shown.bytes}
        columns |= {f"{name}_ns": getattr(shown, name) - base for name in BOUNDARIES}
        columns |= {"queued_ns": shown.queued, "inside_ns": shown.inside}
        columns |= {"estimated": shown.estimated}
        columns |= {"waker": waker, "sender": sender}
        return {name: column.tolist() for name, column in columns.items()}

    def _waker(self, operations: Operations) -> np.ndarray:
        """The thread that woke the one that received, between readiness and copy; NOT_KNOWN."""
        if not self._wakings.complete:
            return np.full(len(operations), NOT_KNOWN)
        tids, times, wakers = self._wakings.columns()
        receiver = np.where(operations.receiver_tid > 0, operations.receiver_tid, operations.tid)
        row = preceding(tids, times, receiver.astype(np.int64), operations.copy_start)
        known = (row >= 0) & (at(times, row) >= np.maximum(operations.ready, operations.ask))
        return np.where(known, at(wakers, row), NOT_KNOWN)

    def _sender(self, operations: Operations) -> np.ndarray:
        """The thread on whose CPU the data came (0: that CPU was idle); NOT_KNOWN."""
        if not self._readinesses.complete:
            return np.full(len(operations), NOT_KNOWN)
        inodes, times, tids = self._readinesses.columns()
        row = following(inodes, times, operations.inode, operations.raw_ready)
        known = (row >= 0) & (operations.inode > 0) & (at(times, row) == operations.raw_ready)
        return np.where(known, at(tids, row), NOT_KNOWN)


class _Seen:
    """Events of many keys: (key, time, value), in the order of time, as long as there are not too many."""

    def __init__(self) -> None:
        self._pieces: list[tuple[np.ndarray, ...]] = []
        self._count = 0

    @property
    def complete(self) -> bool:
        """Whether all are there."""
        return self._count <= MOST_SEEN

    def add(self, *columns: np.ndarray) -> None:
        """Adds events; forgets all where there are too many."""
        self._count += len(columns[0])
        if not self.complete:
            self._pieces.clear()
        elif len(columns[0]):
            self._pieces.append(tuple(column.astype(np.int64) for column in columns))

    def columns(self) -> tuple[np.ndarray, ...]:
        """(keys, times, values), int64[n] each."""
        if not self._pieces:
            return tuple(np.empty(0, np.int64) for _ in range(3))
        return tuple(np.concatenate(column) for column in zip(*self._pieces, strict=True))


def _chosen(operations: Operations) -> np.ndarray:
    """Which operations are kept: int64[n], ascending."""
    count = len(operations)
    if count <= MOST:
        return np.arange(count)
    took = operations.done - operations.ask
    slowest = np.argpartition(took, count - SLOWEST)[count - SLOWEST :]
    step = -(-count // (MOST - SLOWEST))
    return np.union1d(slowest, np.arange(0, count, step))


def _descriptors(
    operations: Operations, identity: Identity, base: int
) -> tuple[list[dict[str, Any]], np.ndarray, int]:
    """When each descriptor had data, those with most operations first; which of them each operation's is (int64[n], −1:
    one that is left out); how many more there are."""
    of_operations = np.full(len(operations), -1)
    keys = np.column_stack([operations.tgid, operations.fd, operations.inode]).astype(np.int64)
    distinct, which = np.unique(keys, axis=0, return_inverse=True) if len(keys) else (keys, keys)
    rows = rows_by(which.reshape(-1)) if len(keys) else {}
    most = sorted(rows, key=lambda number: -len(rows[number]))
    shown: list[dict[str, Any]] = []
    for number in most[:MOST_DESCRIPTORS]:
        tgid, fd, inode = distinct[number].tolist()
        of_operations[rows[number]] = len(shown)
        begins, ends = _had_data(operations.take(rows[number]))
        step = -(-len(begins) // MOST)
        shown.append(
            {
                "tgid": tgid,
                "fd": fd,
                "file": identity.name(tgid, fd, inode),
                "from_ns": (begins[::step] - base).tolist(),
                "to_ns": (ends[::step] - base).tolist(),
            }
        )
    return shown, of_operations, max(0, len(rows) - MOST_DESCRIPTORS)


def _had_data(operations: Operations) -> tuple[np.ndarray, np.ndarray]:
    """(from, to) when the data of one descriptor's operations lay there (ns), without overlap."""
    begins, ends = operations.ready - operations.queued, operations.copy_end
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    first = np.append(True, begins[1:] > ends[:-1])
    last = np.append(first[1:], True)
    return begins[first], ends[last]
