"""Which table of descriptors (struct files_struct, include/linux/fdtable.h) a thread has at a time, and what a table
has from which other one.

Threads share a table that they were created with by CLONE_FILES; fork copies it, and so do unshare(CLONE_FILES) and an
execve of a thread that shares with other processes. A call that closes many descriptors at once (execve those with
FD_CLOEXEC, close_range a range) begins a new version of the table, which has from the version before what stayed open:
so it costs nothing to close what nobody asks about.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from tracer.analysis.tables.history import History
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

CLONE_FILES = 0x400  # include/uapi/linux/sched.h
CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC = 2, 4  # include/uapi/linux/close_range.h
_FIRST_VERSION = (
    1 << 30
)  # versions have the number of the process or thread that began the table, or one from here on
_MOST_FD = (1 << 31) - 1
_BEGINNING, _MOST_TIME = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Passes(IntEnum):
    """What a version has of the one before: all; all but what closes on exec; all but a range; all, but a range closes
    on exec from then on."""

    ALL = 0
    EXEC = 1
    CLOSED = 2
    TO_CLOSE = 3


class Links(NamedTuple):
    """Of each version the one that it was made from: parent, 0 for none; time: when (ns); passes: Passes, for the
    descriptors from `first` to `last`."""

    parent: np.ndarray
    time: np.ndarray
    passes: np.ndarray
    first: np.ndarray
    last: np.ndarray


class DescriptorTables:
    """Feed batches in time order; then ask for any time so far."""

    def __init__(self) -> None:
        self._of_thread: dict[
            int, int
        ] = {}  # thread → table, where that is not its process's number
        self._process: dict[int, int] = {}  # thread → process
        self._users: dict[int, set[int]] = {}  # table → processes, where several ever shared it
        self._by_hash: dict[
            int, int
        ] = {}  # of adopted threads: what the probes call the table → table
        self._newest: dict[int, int] = {}  # table → its version now, where that is not its number
        self._next = _FIRST_VERSION
        self._tables = History(1)  # thread → table, as in _of_thread
        self._versions = History(1)  # table → version
        self._links = History(len(Links._fields))  # version → Links
        self._new: dict[History, list[tuple[int, ...]]] = {}
        numbers = syscalls.numbers()
        self._unshare, self._close_range = numbers["unshare"], numbers["close_range"]

    def feed(self, batch: RecordBatch) -> None:
        """A batch in time order."""
        args, executed = fields.Arguments.of(batch), fields.Executions.of(batch)
        many = (args.number == self._unshare) | (args.number == self._close_range)
        adopted = fields.Files.of(batch)
        for _, view, values in fields.each(
            (fields.Births.of(batch), ("time", "tid", "tgid", "creator", "kind", "clone_flags")),
            (executed, ("time", "tid")),
            (args.where(many), ("time", "tid", "number", "first", "second", "third")),
            (adopted.where(adopted.fd < 0), ("time", "tid", "open_file")),
        ):
            if view is fields.Births:
                self._born(*values)
            elif view is fields.Executions:
                self._executes(*values)
            elif view is fields.Arguments:
                self._many(*values)
            else:
                self._adopted(*values)
        for history, rows in self._new.items():
            history.add(*np.array(rows, np.int64).T)
        self._new.clear()

    def at(self, tids: np.ndarray, tgids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The version (int64[n]) of the table that each thread has at each time (ns). tgids: the threads' processes."""
        table = np.asarray(tgids, np.int64)
        if len(self._tables):
            odd, values = self._tables.find(tids.astype(np.int64), times)
            table = np.where(odd, values[:, 0], table)
        if not len(self._versions):
            return table
        known, values = self._versions.find(table, times)
        return np.where(known, values[:, 0], table)

    def links(self, versions: np.ndarray) -> Links:
        """What each version was made from."""
        _, values = self._links.find(versions, np.full(len(versions), _MOST_TIME))
        return Links(*values.T)

    def _born(
        self, time: int, tid: int, tgid: int, creator: int, kind: int, clone_flags: int
    ) -> None:
        """Of a recording that does not say how threads were created, those of a process share its table."""
        inside = creator > 0 and self._process.get(creator, creator) == tgid
        self._process[tid] = tgid
        if creator <= 0:
            return
        if clone_flags & CLONE_FILES or (inside and (kind != Kind.THREAD or not clone_flags)):
            table = self._table_of(creator)
            if not inside:
                self._users.setdefault(table, {self._process.get(creator, creator)}).add(tgid)
        else:
            table = tid
            self._link(table, self._version(self._table_of(creator)), time)
        self._has(tid, table, time)

    def _executes(self, time: int, tid: int) -> None:
        table = self._table_of(tid)
        if len(self._users.get(table, ())) > 1:
            self._unshared(tid, time)
            table = self._table_of(tid)
        self._renew(table, time, Passes.EXEC)

    def _many(self, time: int, tid: int, number: int, first: int, second: int, third: int) -> None:
        unshares = first & CLONE_FILES if number == self._unshare else third & CLOSE_RANGE_UNSHARE
        if unshares:
            self._unshared(tid, time)
        if number == self._close_range:
            last = min(second & 0xFFFFFFFF, _MOST_FD)
            passes = Passes.TO_CLOSE if third & CLOSE_RANGE_CLOEXEC else Passes.CLOSED
            if 0 <= first <= last:
                self._renew(self._table_of(tid), time, passes, first, last)

    def _adopted(self, time: int, tid: int, called: int) -> None:
        """A thread that was adopted has the table that the probes call so."""
        process = self._process.get(tid, tid)
        taken = process in self._by_hash.values()
        table = self._by_hash.setdefault(called, tid if taken else process)
        self._has(tid, table, time)

    def _unshared(self, tid: int, time: int) -> None:
        before, self._next = self._version(self._table_of(tid)), self._next + 1
        self._link(self._next - 1, before, time)
        self._has(tid, self._next - 1, time)

    def _renew(
        self, table: int, time: int, passes: Passes, first: int = 0, last: int = _MOST_FD
    ) -> None:
        before, self._next = self._version(table), self._next + 1
        self._link(self._next - 1, before, time, passes, first, last)
        self._newest[table] = self._next - 1
        self._add(self._versions, table, time, self._next - 1)

    def _has(self, tid: int, table: int, time: int) -> None:
        if self._table_of(tid) != table:
            self._of_thread[tid] = table
            self._add(self._tables, tid, time, table)

    def _link(
        self,
        version: int,
        parent: int,
        time: int,
        passes: Passes = Passes.ALL,
        first: int = 0,
        last: int = _MOST_FD,
    ) -> None:
        self._add(self._links, version, _BEGINNING, parent, time, passes, first, last)

    def _table_of(self, tid: int) -> int:
        return self._of_thread.get(tid, self._process.get(tid, tid))

    def _version(self, table: int) -> int:
        return self._newest.get(table, table)

    def _add(self, history: History, *row: int) -> None:
        self._new.setdefault(history, []).append(row)
