"""Wake-up channels: descriptors through which threads of one process wake each other, and no data comes from outside
(asyncio's call_soon_threadsafe, libuv's uv_async_send, Go's netpollBreak, glib's and libevent's loops)."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.counts.call_files import CallFiles
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import FileKind
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import TimelineStep
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

_RECEIVE, _SEND = (
    number_set(syscalls.class_numbers(names)) for names in (syscalls.RECEIVE, syscalls.SEND)
)
_FAMILY = 0xFFFF  # of a look's `low`, where the file is a socket
_NAMES = {
    FileKind.EVENTFD: "eventfd",
    FileKind.PIPE: "pipe",
    FileKind.FIFO: "pipe",
    FileKind.SOCKET: "socketpair",
}


class Pairs(Step[None, dict[int, int]]):
    """Inode of a socket → inode of its peer, of the pairs that socketpair made while it was traced."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._peers: dict[int, int] = {}
        self._first: dict[tuple[int, int], int] = {}  # thread, entry of its call → its first socket
        self._socketpair = syscalls.numbers()["socketpair"]

    def feed(self, batch: RecordBatch, state: State) -> None:
        timeline = state[TimelineStep]
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

    def finish(self, results: Results) -> dict[int, int]:
        return self._peers


@dataclass(frozen=True)
class End:
    """A descriptor that a process received from, or sent to, so many times. file: its number (identity); takes_from, fills:
    what tells its own queue and the one that it writes to from others; None where that is not known."""

    tgid: int
    fd: int
    file: int
    kind: str
    takes_from: tuple[str, int] | None
    fills: tuple[str, int] | None
    receives: int
    sends: int


class Ends(Step[None, list[End]]):
    """The ends of eventfds, pipes and UNIX sockets. Writes count wherever they were seen, receives inside the window."""

    NEEDS = (TimelineStep, CallFiles, Identity, Pairs)

    def __init__(self) -> None:
        self._sums = GroupSum(3, 2)

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls, files = state[TimelineStep].calls, state[CallFiles]
        receive, send = _RECEIVE[calls.nr], _SEND[calls.nr]
        rows = np.flatnonzero((receive | send) & (calls.result > 0))
        lives = state[Identity].descriptors.resolved(files.life[rows])
        looks = state[Identity].descriptors.look_at(lives)
        is_unix = (looks.kind == FileKind.SOCKET) & (looks.low & _FAMILY == socket.AF_UNIX)
        untold = (looks.kind == FileKind.SOCKET) & (looks.low == 0)  # an old recording
        can_be = (
            is_unix | untold | np.isin(looks.kind, (*_NAMES,)) & (looks.kind != FileKind.SOCKET)
        )
        rows, lives = rows[can_be & (lives >= 0)], lives[can_be & (lives >= 0)]
        inside = state.window.holds(calls.end[rows])
        keys = files.tgid[rows], calls.fd[rows], lives
        self._sums.add(keys, (receive[rows] & inside, send[rows]))

    def finish(self, results: Results) -> list[End]:
        keys, counts = self._sums.result()
        identity, peers = results[Identity], results[Pairs]
        looks = identity.descriptors.look_at(keys[:, 2])
        opened = identity.descriptors.open_files_of(keys[:, 2])
        return [
            End(
                tgid,
                fd,
                number,
                _NAMES[FileKind(kind)],
                *_queues(kind, open_file, inode, peer),
                *both,
            )
            for (tgid, fd, _), both, number, kind, inode, peer, open_file in zip(
                keys.tolist(),
                counts.tolist(),
                looks.number.tolist(),
                looks.kind.tolist(),
                looks.inode.tolist(),
                [
                    peers.get(inode, high if low else 0)
                    for inode, low, high in zip(
                        looks.inode.tolist(), looks.low.tolist(), looks.high.tolist(), strict=True
                    )
                ],
                opened.number.tolist(),
                strict=True,
            )
        ]


def _queues(
    kind: int, open_file: int, inode: int, peer: int
) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    """(the queue that is received from, the one that is written to): of an eventfd its counter; of a pipe the one of
    its inode; of a socket its own, and its peer's (an inode, 0: not known)."""
    if kind == FileKind.SOCKET:
        return ("socket", inode), ("socket", peer) if peer else None
    if kind == FileKind.EVENTFD:
        counter = ("eventfd", open_file) if open_file >= 0 else None
        return counter, counter
    return ("pipe", inode), ("pipe", inode)


@dataclass(frozen=True)
class WokenThemselves:
    """The ends that only threads of the receiving process write to, and which operations (bool[n]) only received a
    wake-up from a thread of their own process."""

    channels: tuple[End, ...]
    operations: np.ndarray


class SelfWoken(Step[None, WokenThemselves]):
    """Which operations are no I/O, but wake-ups."""

    NEEDS = (Ends, OperationsInWindow)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing to do: the ends are enough."""

    def finish(self, results: Results) -> WokenThemselves:
        channels = tuple(_channels(results[Ends]))
        return WokenThemselves(channels, _received_from(results[OperationsInWindow], channels))


class SelfWakeups(ReportPart):
    """The report's `self_wakeups`, the channels used most first."""

    NEEDS = (SelfWoken,)

    def finish(self, results: Results) -> dict[str, Any]:
        counts: dict[tuple[int, int, str], int] = defaultdict(int)
        for end in results[SelfWoken].channels:
            counts[end.tgid, end.fd, end.kind] += end.receives
        return {
            "self_wakeups": [
                {"tgid": tgid, "fd": fd, "kind": kind, "count": count}
                for (tgid, fd, kind), count in sorted(counts.items(), key=lambda item: -item[1])
            ]
        }


def _channels(ends: list[End]) -> Iterator[End]:
    """The ends of which every write seen, and at least one, came from the process that receives from them."""
    writers: dict[tuple[str, int] | None, set[int]] = defaultdict(set)
    for end in ends:
        if end.sends:
            writers[end.fills].add(end.tgid)
    writers.pop(None, None)
    for end in ends:
        if end.receives and writers.get(end.takes_from) == {end.tgid}:
            yield end


def _received_from(operations: Operations, channels: tuple[End, ...]) -> np.ndarray:
    """bool[n]: which operations received from one of the channels."""
    received = np.zeros(len(operations), bool)
    for tgid, file in {(end.tgid, end.file) for end in channels if end.kind != "eventfd"}:
        received |= (operations.tgid == tgid) & (operations.inode == file)
    return received
