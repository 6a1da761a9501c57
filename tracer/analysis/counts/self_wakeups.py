"""Wake-up channels: descriptors through which threads of one process wake each other, and no data comes from outside
(asyncio's call_soon_threadsafe, libuv's uv_async_send, Go's netpollBreak, glib's and libevent's loops)."""

from __future__ import annotations

import socket
import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.counts.call_files import CallFiles
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import S_IFMT, FileKind
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import TimelineBatch, TimelineStep
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

_RECEIVE, _SEND = (
    number_set(syscalls.class_numbers(names)) for names in (syscalls.RECEIVE, syscalls.SEND)
)
_FAMILY = 0xFFFF  # of the first 8 bytes that a FILE record has of a socket
KINDS = ("socketpair", "pipe", "eventfd")
_SOCKET, _PIPE, _EVENTFD = range(len(KINDS))


class Peers(Step[dict[int, int], dict[int, int]]):
    """Inode of a UNIX socket → inode of its peer: of the pairs that socketpair made while it was traced, and of those
    whose peer (struct unix_sock) was looked at."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._peers: dict[int, int] = {}
        self._first: dict[tuple[int, int], int] = {}  # thread, entry of its call → its first socket
        self._looked_at: dict[tuple[int, int], int] = {}  # thread, descriptor → inode of its peer
        self._socketpair = syscalls.numbers()["socketpair"]

    def feed(self, batch: RecordBatch, state: State) -> dict[int, int]:
        self._pairs(state[TimelineStep])
        files = fields.Files.of(batch)
        files = files.where((files.low & _FAMILY == socket.AF_UNIX) & (files.high != 0))
        if len(files) or self._looked_at:
            self._looks(files, fields.Descriptors.of(batch))
        return self._peers

    def finish(self, results: Results) -> dict[int, int]:
        return self._peers

    def _pairs(self, timeline: TimelineBatch) -> None:
        rows, calls = timeline.lesson_records, timeline.lessons
        made = np.flatnonzero((rows.kind == Kind.DESCRIPTOR) & (calls.nr == self._socketpair))
        learnt = fields.Descriptors(rows, made)
        for tid, start, inode in zip(
            learnt.tid.tolist(), calls.start[made].tolist(), learnt.inode.tolist(), strict=True
        ):
            other = self._first.pop((tid, start), None)
            if other is None:
                self._first[tid, start] = inode
            else:
                self._peers |= {inode: other, other: inode}

    def _looks(self, files: fields.Files, descriptors: fields.Descriptors) -> None:
        """The DESCRIPTOR record of the same thread and descriptor that follows has the socket's own inode."""
        wanted = (files, ("tid", "fd", "high")), (descriptors, ("tid", "fd", "inode"))
        for _, view, (tid, fd, inode) in fields.each(*wanted):
            if view is fields.Files:
                self._looked_at[tid, fd] = inode
            elif (peer := self._looked_at.pop((tid, fd), None)) is not None:
                self._peers |= {inode: peer, peer: inode}


@dataclass(frozen=True)
class End:
    """A descriptor that a process received from, or sent to, so many times. kind: index into KINDS; number: of the file
    (of a socket its inode), of an eventfd of the open file."""

    tgid: int
    fd: int
    kind: int
    number: int
    receives: int
    sends: int


class Ends(Step[None, list[End]]):
    """The ends of eventfds, pipes and UNIX sockets. Writes count wherever they are seen, receives inside the window."""

    NEEDS = (TimelineStep, CallFiles, Identity, Peers)

    def __init__(self) -> None:
        self._sums = GroupSum(4, 2)

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls, files = state[TimelineStep].calls, state[CallFiles]
        moves = (_RECEIVE[calls.nr] | _SEND[calls.nr]) & (calls.result > 0)
        file_type = files.mode & S_IFMT
        self._add(state, np.flatnonzero(moves & (file_type == stat.S_IFIFO)), _PIPE)
        if peers := state[Peers]:
            in_pair = np.isin(files.number, np.fromiter(peers, np.int64, len(peers)))
            rows = np.flatnonzero(moves & (file_type == stat.S_IFSOCK) & in_pair)
            self._add(state, rows, _SOCKET)
        rows = np.flatnonzero(moves & (file_type == 0) & (files.mode != 0))  # anonymous files
        opened = state[Identity].open_files(calls.tid[rows], calls.fd[rows], calls.start[rows])
        counter = (opened.kind == FileKind.EVENTFD) & (opened.number >= 0)
        self._add(state, rows[counter], _EVENTFD, opened.number[counter])

    def finish(self, results: Results) -> list[End]:
        keys, counts = self._sums.result()
        return [End(*key, *both) for key, both in zip(keys.tolist(), counts.tolist(), strict=True)]

    def _add(
        self, state: State, rows: np.ndarray, kind: int, numbers: np.ndarray | None = None
    ) -> None:
        """Counts these calls. numbers: of their files; else as CallFiles has them."""
        calls, files = state[TimelineStep].calls, state[CallFiles]
        numbers = files.number[rows] if numbers is None else numbers
        receive, send = _RECEIVE[calls.nr[rows]], _SEND[calls.nr[rows]]
        inside = state.window.holds(calls.end[rows])
        keys = files.tgid[rows], calls.fd[rows], np.full(len(rows), kind), numbers
        self._sums.add(keys, (receive & inside, send))


@dataclass(frozen=True)
class WokenThemselves:
    """The ends that only threads of the receiving process write to, and which operations (bool[n]) only received a
    wake-up from a thread of their own process."""

    channels: tuple[End, ...]
    operations: np.ndarray


class SelfWoken(Step[None, WokenThemselves]):
    """Which operations are no I/O, but wake-ups."""

    NEEDS = (Ends, OperationsInWindow, Peers)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing to do: the ends are enough."""

    def finish(self, results: Results) -> WokenThemselves:
        channels = tuple(_channels(results[Ends], results[Peers]))
        return WokenThemselves(channels, _received_from(results[OperationsInWindow], channels))


class SelfWakeups(ReportPart):
    """The report's `self_wakeups`, the channels used most first."""

    NEEDS = (SelfWoken,)

    def finish(self, results: Results) -> dict[str, Any]:
        counts: dict[tuple[int, int, str], int] = defaultdict(int)
        for end in results[SelfWoken].channels:
            counts[end.tgid, end.fd, KINDS[end.kind]] += end.receives
        return {
            "self_wakeups": [
                {"tgid": tgid, "fd": fd, "kind": kind, "count": count}
                for (tgid, fd, kind), count in sorted(counts.items(), key=lambda item: -item[1])
            ]
        }


def _channels(ends: list[End], peers: dict[int, int]) -> Iterator[End]:
    """The ends of which every write seen, and at least one, came from the process that receives from them."""
    writers: dict[tuple[int, int], set[int]] = defaultdict(set)  # kind and number of what they fill
    for end in ends:
        if end.sends:  # a pipe's ends have one number, and so has an eventfd; a pair's have two
            filled = peers.get(end.number, 0) if end.kind == _SOCKET else end.number
            writers[end.kind, filled].add(end.tgid)
    for end in ends:
        if end.receives and writers.get((end.kind, end.number)) == {end.tgid}:
            yield end


def _received_from(operations: Operations, channels: tuple[End, ...]) -> np.ndarray:
    """bool[n]: which operations received from one of the channels."""
    received = np.zeros(len(operations), bool)
    for tgid, number in {(end.tgid, end.number) for end in channels if end.kind != _EVENTFD}:
        received |= (operations.tgid == tgid) & (operations.inode == number)
    return received
