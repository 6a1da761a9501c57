"""What of a program's I/O could be better: one function a rule, each with the descriptor, the count and the cost that
it rests on. A rule that finds no evidence says nothing; how much it takes is in the constants."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tracer.analysis.counts.fd_usage import FdUsage
from tracer.analysis.operations.boundaries import EPOLLET
from tracer.analysis.operations.table import BLOCKED, MULTIPLEXED, POLLED, Operations
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.verdict import facts
from tracer.analysis.verdict.facts import AdviceFact
from tracer.analysis.verdict.io_evidence import slept_on_data
from tracer.kernel import syscalls
from tracer.recording.batch import rows_by
from tracer.terms import BOUNDARIES

# EAGAINs of one descriptor, and so many times as many as receives.
POLLED_MOST, POLLED_RATIO = 100, 10
# Wake-ups for the same data, and their share of all.
REPEATED_LEAST, REPEATED_SHARE = 10, 0.1
# Accepts that another thread had made already, and their share of all.
LOST_LEAST, LOST_SHARE = 10, 0.2
# Descriptors that a call looks at, the share of them that is ready, and such calls.
WATCHED_LEAST, READY_SHARE, SCANS_LEAST = 100, 0.05, 20
# Receives of one byte where more were there, and their share of all.
SINGLE_LEAST, SINGLE_SHARE = 100, 0.5
AGAIN_SHARE = 0.5  # receives of what an earlier one had left
# Receives of a process, the share of their time that is notice, and how long that is at the median.
NOTICE_LEAST, NOTICE_SHARE, NOTICE_NS = 10, 0.2, 100_000
_EPOLL = syscalls.class_numbers(syscalls.EPOLL)

FileKey: TypeAlias = tuple[int, int, int]
"""Process, descriptor (−1: none), inode (0: unknown)."""


@dataclass(frozen=True)
class ProgramIo:
    """What the rules look at.

    files: the names of files. scans: PollUsage.finish. names: process → its name. cpu: process → its CPU time (ns).
    """

    operations: Operations
    used: FdUsage
    files: dict[FileKey, str]
    scans: list[dict[str, Any]]
    names: dict[int, str]
    cpu: dict[int, int]


@dataclass(frozen=True)
class Advised:
    """What one rule found of one file: how often, what it cost (ns; 0: cannot be told), and the fact behind it."""

    rule: str
    key: FileKey
    count: int
    cost_ns: int
    because: AdviceFact


Rule: TypeAlias = Callable[[ProgramIo], list[Advised]]


def advice(io: ProgramIo) -> list[Advised]:
    """All that there is evidence for, the dearest first."""
    advised = [one for rule in RULES for one in rule(io)]
    return sorted(advised, key=lambda one: -one.cost_ns)


def _polling(io: ProgramIo) -> list[Advised]:
    """Asking again and again. The cost: the time from asking to having, all of it spent asking, as far as the process
    had a CPU."""
    eagains, receives = io.used.values["receive_again"], io.used.values["receives"]
    many = (eagains >= POLLED_MOST) & (eagains >= POLLED_RATIO * receives)
    if not many.any():
        return []
    polled = _per_file(io.operations, io.operations.wait_kind == POLLED)
    return [
        Advised(
            "polling",
            key,
            int(eagains[row]),
            min(asked, io.cpu.get(key[0], asked)),
            facts.Polled(int(eagains[row]), int(receives[row])),
        )
        for row, key in _files(io.used, many)
        if (asked := _asked_ns(io.used, row, polled.get(key))) is not None
    ]


def _asked_ns(used: FdUsage, row: int, polled: tuple[int, int] | None) -> int | None:
    """How long a descriptor was asked (ns). None where nobody polls: who looks once in passing, whatever else it does
    (socat, at a socket of its own), neither gets data nor asks in a row."""
    if polled and polled[1]:
        return polled[1]
    if used.values["receive_again"][row] < POLLED_RATIO * used.values["again_runs"][row]:
        return None
    return int(used.values["calls_ns"][row])


def _undrained(io: ProgramIo) -> list[Advised]:
    """Edge-triggered, and data is left: a buffer that was full, else a sleep though data lay in the socket."""
    operations = io.operations
    edge = operations.events & np.uint32(EPOLLET) > 0
    watched = _per_file(operations, edge)
    left = _per_file(operations, edge & slept_on_data(operations))
    full = io.used.values["full_then_wait"]
    filled = [
        Advised("not drained", key, int(full[row]), 0, facts.BufferFull(int(full[row])))
        for row, key in _files(io.used, full > 0)
        if key in watched
    ]
    said = {one.key[:2] for one in filled}
    return filled + [
        Advised("not drained", key, count, ns, facts.LeftInSocket(count))
        for key, (count, ns) in left.items()
        if key[:2] not in said
    ]


def _repeated(io: ProgramIo) -> list[Advised]:
    """Wake-ups that tell what the one before has told."""
    inodes: dict[tuple[int, int], int] = {}  # an epoll descriptor's: all anonymous files have one
    for tgid, fd, inode in io.files:
        inodes.setdefault((tgid, fd), inode)
    advised = []
    for scan in io.scans:
        times, calls, tgid, fd = scan["repeated"], scan["calls"], scan["tgid"], scan["fd"]
        if times >= REPEATED_LEAST and times >= REPEATED_SHARE * calls:
            key = tgid, fd, inodes.get((tgid, fd), 0)
            told = facts.ToldTwice(scan["call"], times, calls)
            advised.append(Advised("repeated wake-ups", key, times, scan["repeated_ns"], told))
    return advised


def _herd(io: ProgramIo) -> list[Advised]:
    """Threads that are woken for a connection that another one has accepted; of each socket, whoever accepts on it."""
    values = io.used.values
    lost: Counter[int] = Counter()
    accepted: Counter[int] = Counter()
    keys: dict[int, list[FileKey]] = defaultdict(list)
    for row, key in _files(io.used, values["accepts"] + values["accept_lost"] > 0):
        lost[key[2]] += int(values["accept_lost"][row])
        accepted[key[2]] += int(values["accepts"][row])
        keys[key[2]].append(key)
    return [
        Advised(
            "thundering herd", keys[inode][0], count, 0, facts.WokenInVain(count, accepted[inode])
        )
        for inode, count in lost.items()
        if count >= LOST_LEAST and count >= LOST_SHARE * (count + accepted[inode])
    ]


def _scanning(io: ProgramIo) -> list[Advised]:
    """Calls that look at many descriptors for few that are ready."""
    advised = []
    for scan in io.scans:
        watched, ready, calls = scan["watched"], scan["ready"], scan["calls"]
        many = calls >= SCANS_LEAST and watched >= WATCHED_LEAST * calls
        if many and ready <= READY_SHARE * watched:
            scanned = facts.Scanned(scan["call"], calls, watched, ready)
            advised.append(
                Advised("scanning", (scan["tgid"], -1, 0), calls, scan["cpu_ns"], scanned)
            )
    return advised


def _single_bytes(io: ProgramIo) -> list[Advised]:
    """Receives of one byte where more are there: seen by the calls, or by readiness that an earlier receive spent."""
    values, operations = io.used.values, io.operations
    left = _per_file(operations, _left_over(operations) & (operations.bytes == 1))
    advised = []
    for row, key in _files(io.used, values["receives"] >= SINGLE_LEAST):
        by_calls = int(values["single_bytes"][row]), int(values["single_ns"][row])
        times, ns = max(by_calls, left.get(key, (0, 0)))
        receives = int(values["receives"][row])
        datagrams = io.files.get(key, "").startswith(("UDP", "UNIX-DGRAM"))
        if not datagrams and times >= SINGLE_LEAST and times >= SINGLE_SHARE * receives:
            single = facts.SingleBytes(times, receives)
            advised.append(Advised("one byte at a time", key, times, ns, single))
    return advised


def _told_again(io: ProgramIo) -> list[Advised]:
    """Level-triggered epoll that tells of what the receive before has left."""
    operations = io.operations
    level = np.isin(operations.wait_nr, _EPOLL) & (operations.events & np.uint32(EPOLLET) == 0)
    told = _per_file(operations, level)
    again = _per_file(operations, level & _left_over(operations))
    return [
        Advised("told again", key, count, ns, facts.LeftByReceive(count, told[key][0]))
        for key, (count, ns) in again.items()
        if count >= REPEATED_LEAST and count >= AGAIN_SHARE * told[key][0]
    ]


def _noticing(io: ProgramIo) -> list[Advised]:
    """Data that lies ready for long: of each process that slept for it."""
    kind = io.operations.wait_kind
    operations = io.operations.where((kind == BLOCKED) | (kind == MULTIPLEXED))
    return [
        late
        for tgid, rows in rows_by(operations.tgid).items()
        if len(rows) >= NOTICE_LEAST and (late := _late(tgid, operations.take(rows)))
    ]


def _late(tgid: int, operations: Operations) -> Advised | None:
    """Whether one process's operations lay ready for long, and where more of that time went: until the thread ran, or
    after that."""
    notice = operations.copy_start - operations.ready
    whole = int((operations.done - operations.ask).sum())
    if np.median(notice) < NOTICE_NS or notice.sum() < NOTICE_SHARE * whole:
        return None
    woken = int((operations.told - operations.ready).sum())
    own = int((operations.copy_start - operations.told).sum())
    files = np.stack([operations.fd, operations.inode])
    keys, counts = np.unique(files, axis=1, return_counts=True)
    fd, inode = keys[:, np.argmax(counts)].tolist()
    count, median = len(operations), int(np.median(notice))
    rule, late = (
        ("woken late", facts.LateToRun(count, median))
        if woken >= own
        else ("fetched late", facts.LateToFetch(count, median))
    )
    return Advised(rule, (tgid, fd, inode), count, int(notice.sum()), late)


RULES: tuple[Rule, ...] = (
    _polling,
    _undrained,
    _repeated,
    _herd,
    _scanning,
    _single_bytes,
    _told_again,
    _noticing,
)


def _files(used: FdUsage, which: np.ndarray) -> Iterator[tuple[int, FileKey]]:
    """(row, key) of the chosen rows (bool[n])."""
    for row in np.flatnonzero(which).tolist():
        tgid, fd, inode = used.keys[row].tolist()
        yield row, (tgid, fd, inode)


def _per_file(operations: Operations, which: np.ndarray) -> dict[FileKey, tuple[int, int]]:
    """Of each file how many of the chosen operations (bool[n]), and their time from ask to done in all (ns)."""
    mine = operations.where(which)
    sums = GroupSum(3, 2)
    sums.add((mine.tgid, mine.fd, mine.inode), (np.ones(len(mine), np.int64), mine.done - mine.ask))
    keys, values = (part.tolist() for part in sums.result())
    return {
        (tgid, fd, inode): (count, ns)
        for (tgid, fd, inode), (count, ns) in zip(keys, values, strict=True)
    }


def _left_over(operations: Operations) -> np.ndarray:
    """bool[n]: which receives took what came with a readiness that an earlier one had spent: none of its own was seen,
    though it is seen on that descriptor."""
    bit = np.uint8(1 << BOUNDARIES.index("ready"))
    unseen = (operations.estimated & bit > 0) & (operations.raw_ready == operations.ready)
    inodes = np.unique(operations.inode[~unseen])
    awake = (operations.slept == 0) & ~operations.waited_asleep
    left: np.ndarray = unseen & np.isin(operations.inode, inodes[inodes > 0]) & awake
    return left
