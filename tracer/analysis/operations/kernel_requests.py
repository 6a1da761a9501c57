"""What io_uring and Linux native AIO have in common: requests that the kernel completes by itself, kept to the end of
the trace with all that may say when (io_uring(7), io_submit(2)).

A request is asked for in one call, done by the kernel when it likes, and noticed in another call or in none. So all of
them are put together at the end, by array operations over what was kept.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.identity.open_files import S_IFMT
from tracer.analysis.operations.table import AFTER_SUBMIT, Operations, bit, with_defaults
from tracer.analysis.tables.table import Table, names_of
from tracer.analysis.threads.timeline import Calls, OffCpu, TimelineBatch, no_calls, no_off_cpu
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import Kind, empty

URING_POLL_ADD = 6  # IORING_OP_POLL_ADD
AIO_POLL = 5  # IOCB_CMD_POLL
FIXED_FILE = 1  # REQ_F_FIXED_FILE: the descriptor is an index into a table of the ring's own
_T = TypeVar("_T", bound=Table)
_FIRST, _LAST = Kind.URING_SUBMIT, Kind.AIO_EVENT
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads process IDs over the keys


@dataclass(slots=True)
class Files(Table):
    """Of each record its process, and what a submission's descriptor is (0 where that is not known)."""

    tgid: np.ndarray
    inode: np.ndarray
    mode: np.ndarray
    flags: np.ndarray
    kind: np.ndarray
    stream: np.ndarray


@dataclass(slots=True)
class Submissions(Table):
    """Requests that were submitted.

    time, tid, tgid  when (ns), by which thread of which process
    address          the kernel's request (io_uring, 0: unknown) or the program's control block (native AIO)
    user_data        io_uring: the program's own number for it
    opcode, flags    IORING_OP_* and REQ_F_*, or IOCB_CMD_*
    fd               its descriptor (−1: none of the process's own)
    inode, mode      of that, as is stream: whether its bytes are a stream of a socket
    open_flags, kind how it was opened (open(2)), and its kind (FileKind)
    """

    time: np.ndarray
    tid: np.ndarray
    tgid: np.ndarray
    address: np.ndarray
    user_data: np.ndarray
    opcode: np.ndarray
    flags: np.ndarray
    fd: np.ndarray
    inode: np.ndarray
    mode: np.ndarray
    open_flags: np.ndarray
    kind: np.ndarray
    stream: np.ndarray

    @property
    def is_file(self) -> np.ndarray:
        """bool[n], whether it is for a file or a disk."""
        return np.isin(self.mode & S_IFMT, (stat.S_IFREG, stat.S_IFBLK))


@dataclass(slots=True)
class CompletedReads(Table):
    """Reads that the kernel completed, one column for each fact: those of Operations, boundaries as they were seen.

    copy_seen, done_seen  whether the copy's begin, and the call that told, were seen
    empty_at              when the socket was last known to be empty (ns, or UNKNOWN)
    stream                whether its bytes are a stream of a socket
    is_file               whether it is for a file or a disk
    in_call               whether the thread that asked copied, inside a call that completes requests
    """

    tid: np.ndarray
    tgid: np.ndarray
    receiver_tid: np.ndarray
    fd: np.ndarray
    inode: np.ndarray
    bytes: np.ndarray
    nr: np.ndarray
    completion_kind: np.ndarray
    ask: np.ndarray
    ready: np.ndarray
    told: np.ndarray
    copy_start: np.ndarray
    copy_seen: np.ndarray
    copy_end: np.ndarray
    done: np.ndarray
    done_seen: np.ndarray
    slept: np.ndarray
    empty_at: np.ndarray
    stream: np.ndarray
    is_file: np.ndarray
    in_call: np.ndarray

    def operations(self, wait_kind: int, serials: np.ndarray) -> Operations:
        """They as operations, numbered by `serials`, whose readiness is not matched yet."""
        count = len(self)
        shared = set(names_of(CompletedReads)) & set(names_of(Operations))
        estimated = (
            bit("copy_start", ~self.copy_seen)
            | bit("copy_end", self.completion_kind == AFTER_SUBMIT)
            | bit("done", ~self.done_seen)
        )
        columns = {name: getattr(self, name) for name in shared} | {
            "wait_kind": np.full(count, wait_kind),
            "estimated": estimated,
            "wait_nr": np.full(count, -1),
            "epfd": np.full(count, -1),
            "messages": np.ones(count, np.int64),
            "serial": serials,
        }
        return with_defaults(count, columns)


class KernelRequests:
    """Feed batches in time order; io_uring.reads and linux_aio.reads ask for what was kept when all are fed."""

    def __init__(self) -> None:
        numbers = syscalls.numbers()
        self._enter, self._submit = numbers["io_uring_enter"], numbers["io_submit"]
        self._getevents = [numbers["io_getevents"], numbers["io_pgetevents"]]
        self._batches: list[RecordBatch] = []
        self._files: list[Files] = []
        self._calls: list[Calls] = []
        self._absences: list[OffCpu] = []
        self._copies: list[RecordBatch] = []
        self._tids = np.empty(0, np.int64)  # threads that have to do with requests
        self._still_in = np.empty(0, np.int64)  # threads whose io_uring_enter has not returned
        self.also_waits = np.zeros(1024, bool)
        """By number of call: those that tell of readiness, since such a request was made."""

    def feed(self, batch: RecordBatch, part: TimelineBatch, descriptors: Descriptors) -> None:
        """A batch in time order, its part of the timeline, and the descriptors as they are up to its end."""
        mine = np.flatnonzero((batch.kind >= _FIRST) & (batch.kind <= _LAST))
        if len(mine):
            self._keep(batch.take(mine), descriptors)
        if not len(self._tids):
            return
        calls, absences = part.calls, part.absences
        wanted = [self._enter, self._submit, *self._getevents]
        self._calls.append(calls.take(np.isin(calls.nr, wanted)))
        self._absences.append(absences.take(np.isin(absences.tid, self._tids)))
        still_open = fields.Calls(batch, batch.kind == Kind.OPEN)
        still_in = still_open.where(still_open.number == self._enter).tid
        self._still_in = np.union1d(self._still_in, still_in)
        copies = fields.Copies.of(batch)
        self._copies.append(batch.take(copies.where(np.isin(copies.tid, self._tids)).rows))

    def records(self) -> tuple[RecordBatch, Files]:
        """All records of requests, in time order, and the file of each."""
        if len(self._batches) != 1:
            self._batches = [joined([RecordBatch.of(empty()), *self._batches])]
            self._files = [together([_no_files(), *self._files])]
        return self._batches[0], self._files[0]

    def enters(self) -> Calls:
        """The calls of io_uring_enter."""
        return self._calls_of(self._enter)

    def entered(self) -> np.ndarray:
        """The threads that were in io_uring_enter when tracing ended."""
        return self._still_in

    def submits(self) -> Calls:
        """The calls of io_submit."""
        return self._calls_of(self._submit)

    def getevents(self) -> Calls:
        """The calls of io_getevents and io_pgetevents."""
        return self._calls_of(*self._getevents)

    def absences(self) -> OffCpu:
        """When the threads that have to do with requests were off the CPU."""
        return together([no_off_cpu(), *self._absences])

    def copies(self) -> fields.Copies:
        """The copies that these threads made."""
        return fields.Copies(joined([RecordBatch.of(empty()), *self._copies]), slice(None))

    def _calls_of(self, *numbers: int) -> Calls:
        calls = together([no_calls(), *self._calls])
        calls = calls.take(np.isin(calls.nr, numbers))
        calls.tid = calls.tid.astype(np.int64)
        return calls

    def _keep(self, batch: RecordBatch, descriptors: Descriptors) -> None:
        """Records of requests, with what is known of their files now."""
        tgid = descriptors.process_of(batch.tid, batch.time)
        fd = np.full(len(batch), -1)
        uring, aio = (
            fields.UringRequests(batch, np.flatnonzero(batch.kind == Kind.URING_SUBMIT)),
            fields.AioRequests(batch, np.flatnonzero(batch.kind == Kind.AIO_SUBMIT)),
        )
        fd[uring.rows] = np.where(uring.flags & FIXED_FILE, -1, uring.fd)
        fd[aio.rows] = aio.fd
        known = descriptors.files(batch.tid, fd, batch.time)
        self._batches.append(batch)
        self._files.append(
            Files(tgid, known.number, known.mode, known.flags, known.kind, known.stream)
        )
        self._tids = np.union1d(self._tids, batch.tid)
        self.also_waits[self._enter] |= (uring.opcode == URING_POLL_ADD).any()
        self.also_waits[self._getevents] |= (aio.opcode == AIO_POLL).any()


def together(parts: list[_T]) -> _T:
    """Tables of one kind, one after the other."""
    kind = type(parts[0])
    return kind(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names_of(kind))
    )


def of_process(tgids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Process and value as one key (int64)."""
    spread = tgids.astype(np.uint64) * _GOLDEN
    return (spread ^ values.astype(np.int64).view(np.uint64)).view(np.int64)


def _no_files() -> Files:
    number = np.empty(0, np.int64)
    return Files(number, number, number, number, number, np.empty(0, bool))
