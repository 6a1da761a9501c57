"""Wake-up channels: descriptors through which threads of one process wake each other, and no data comes from outside
(asyncio's call_soon_threadsafe, libuv's uv_async_send, Go's netpollBreak, glib's and libevent's loops)."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.counts.fd_usage import DescriptorUsage, FdUsage
from tracer.analysis.identity.descriptors import S_IFMT
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.threads.timeline import TimelineStep
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind


class Pairs(Step[None, dict[int, int]]):
    """Inode of a socket → inode of its peer, of the pairs that socketpair made while it was traced."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._peers: dict[int, int] = {}
        self._first: dict[
            tuple[int, int], int
        ] = {}  # thread and entry of the call → its first socket
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
class Channel:
    """A descriptor that only threads of its own process write to. kind: pipe or socketpair; count: how often a thread
    received from it."""

    tgid: int
    fd: int
    inode: int
    kind: str
    count: int


@dataclass(frozen=True)
class WokenThemselves:
    """The channels, and which operations (bool[n]) only received a wake-up from a thread of their own process."""

    channels: tuple[Channel, ...]
    operations: np.ndarray


class SelfWoken(Step[None, WokenThemselves]):
    """Which operations are no I/O, but wake-ups."""

    NEEDS = (DescriptorUsage, OperationsInWindow, Pairs)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing to do: the counts of the descriptors are enough."""

    def finish(self, results: Results) -> WokenThemselves:
        channels = tuple(_channels(results[DescriptorUsage], results[Pairs]))
        operations = results[OperationsInWindow]
        return WokenThemselves(channels, _received_from(operations, channels))


class SelfWakeups(ReportPart):
    """The report's `self_wakeups`, the channels used most first."""

    NEEDS = (SelfWoken,)

    def finish(self, results: Results) -> dict[str, Any]:
        channels = sorted(results[SelfWoken].channels, key=lambda channel: -channel.count)
        return {
            "self_wakeups": [
                {
                    "tgid": channel.tgid,
                    "fd": channel.fd,
                    "kind": channel.kind,
                    "count": channel.count,
                }
                for channel in channels
            ]
        }


def _channels(used: FdUsage, peers: dict[int, int]) -> Iterator[Channel]:
    """The descriptors of which every write seen, and at least one, came from the process that receives from them."""
    writers: dict[int, set[int]] = defaultdict(set)  # inode that is received from → processes
    rows = list(
        zip(
            used.keys.tolist(),
            used.mode.tolist(),
            used.values["receives"].tolist(),
            used.values["sends"].tolist(),
            strict=True,
        )
    )
    for (tgid, _, inode), mode, _, sends in rows:
        if sends and inode:
            writers[_received_at(inode, mode, peers)].add(tgid)
    for (tgid, fd, inode), mode, receives, _ in rows:
        kind = _kind(inode, mode, peers)
        if kind and receives and writers.get(inode) == {tgid}:
            yield Channel(tgid, fd, inode, kind, receives)


def _received_at(inode: int, mode: int, peers: dict[int, int]) -> int:
    """The inode from which is received what is written to this one: a pipe's ends have one inode, a pair's two."""
    return peers.get(inode, 0) if mode & S_IFMT == stat.S_IFSOCK else inode


def _kind(inode: int, mode: int, peers: dict[int, int]) -> str | None:
    """What kind of channel a file can be, None where it is none."""
    if mode & S_IFMT == stat.S_IFIFO:
        return "pipe"
    return "socketpair" if mode & S_IFMT == stat.S_IFSOCK and inode in peers else None


def _received_from(operations: Operations, channels: tuple[Channel, ...]) -> np.ndarray:
    """bool[n]: which operations received from one of the channels."""
    received = np.zeros(len(operations), bool)
    for tgid, inode in {(channel.tgid, channel.inode) for channel in channels}:
        received |= (operations.tgid == tgid) & (operations.inode == inode)
    return received
