"""Advice on a program's I/O: one function for each rule. A piece of advice names the descriptor, a count and a cost. A
rule gives none without evidence; the constants say how much evidence it takes."""

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

# EAGAINs of one descriptor at least, and how many times the number of receives.
POLLED_MOST, POLLED_RATIO = 100, 10
# Wake-ups for data that was reported before, at least, and their share of all.
REPEATED_LEAST, REPEATED_SHARE = 10, 0.1
# Accepts that found nothing since another thread was quicker, at least, and their share of all.
LOST_LEAST, LOST_SHARE = 10, 0.2
# Descriptors that a call looks at, at least; the share of them that is ready, at most; such calls, at least.
WATCHED_LEAST, READY_SHARE, SCANS_LEAST = 100, 0.05, 20
# Receives of one byte while more bytes were there, at least, and their share of all.
SINGLE_LEAST, SINGLE_SHARE = 100, 0.5
AGAIN_SHARE = 0.5  # of receives: those of data that an earlier receive had left
# Receives of a process, the share of their time in which data lay ready, and the median of that time: at least.
NOTICE_LEAST, NOTICE_SHARE, NOTICE_NS = 10, 0.2, 100_000
_EPOLL = syscalls.class_numbers(syscalls.EPOLL)

FileKey: TypeAlias = tuple[int, int, int]
"""Process, descriptor (−1: none), inode (0: unknown)."""


@dataclass(frozen=True)
class ProgramIo:
    """What the rules look at.

    used: the counts of each descriptor. files: the names of files. scans: what PollUsage.finish returns. names: process
    → name. cpu: process → CPU time (ns).
    """

    operations: Operations
    used: FdUsage
    files: dict[FileKey, str]
    scans: list[dict[str, Any]]
    names: dict[int, str]
    cpu: dict[int, int]


@dataclass(frozen=True)
class Advised:
    """Advice that one rule gives on one file: how often it happened, the cost (ns; 0: unknown), and the fact behind
    it."""

    rule: str
    key: FileKey
    count: int
    cost_ns: int
    because: AdviceFact


Rule: TypeAlias = Callable[[ProgramIo], list[Advised]]


def advice(io: ProgramIo) -> list[Advised]:
    """The advice of all rules, the dearest first."""
    advised = [entry for rule in RULES for entry in rule(io)]
    return sorted(advised, key=lambda entry: -entry.cost_ns)


def _polling(io: ProgramIo) -> list[Advised]:
    """Receives that find nothing, again and again. The cost: the time from ask to done, spent asking, but no more than
    the CPU time of the process."""
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
    """How long a descriptor was asked (ns). None if it is not polled: a program that asks once between other calls
    (socat does, on a socket of its own) neither gets data by asking nor asks twice in a row."""
    if polled and polled[1]:
        return polled[1]
    if used.values["receive_again"][row] < POLLED_RATIO * used.values["again_runs"][row]:
        return None
    return int(used.values["calls_ns"][row])


def _undrained(io: ProgramIo) -> list[Advised]:
    """Edge-triggered epoll, and the program leaves data in the socket. Evidence: a read filled the buffer, else the
    thread slept while data lay in the socket."""
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
    said = {entry.key[:2] for entry in filled}
    return filled + [
        Advised("not drained", key, count, ns, facts.LeftInSocket(count))
        for key, (count, ns) in left.items()
        if key[:2] not in said
    ]


def _repeated(io: ProgramIo) -> list[Advised]:
    """Wake-ups that report the same data as the wake-up before."""
    # of epoll descriptors: all anonymous files share one inode
    inodes: dict[tuple[int, int], int] = {}
    for tgid, fd, inode in io.files:
        inodes.setdefault((tgid, fd), inode)
    advised = []
    for scan in io.scans:
        returns, calls, tgid, fd = scan["repeated"], scan["calls"], scan["tgid"], scan["fd"]
        if returns >= REPEATED_LEAST and returns >= REPEATED_SHARE * calls:
            key = tgid, fd, inodes.get((tgid, fd), 0)
            told = facts.ToldTwice(scan["call"], returns, calls)
            advised.append(Advised("repeated wake-ups", key, returns, scan["repeated_ns"], told))
    return advised


def _herd(io: ProgramIo) -> list[Advised]:
    """Threads that are woken for a connection that another thread accepts; counted for each socket, over all its
    threads."""
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
    """Calls that look at many descriptors, of which few are ready."""
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
    """Receives of one byte while more bytes are there. Evidence: the calls before, or a readiness that an earlier
    receive has used."""
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
    """Level-triggered epoll reports data that the receive before has left."""
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
    """Data lies ready for long before a process that slept for it has it."""
    kind = io.operations.wait_kind
    operations = io.operations.where((kind == BLOCKED) | (kind == MULTIPLEXED))
    return [
        late
        for tgid, rows in rows_by(operations.tgid).items()
        if len(rows) >= NOTICE_LEAST and (late := _late(tgid, operations.take(rows)))
    ]


def _late(tgid: int, operations: Operations) -> Advised | None:
    """Whether data of one process lay ready for long, and where most of that time went: before the thread ran, or
    after."""
    notice_ns = operations.copy_start - operations.ready
    whole_ns = int((operations.done - operations.ask).sum())
    if np.median(notice_ns) < NOTICE_NS or notice_ns.sum() < NOTICE_SHARE * whole_ns:
        return None
    woken_ns = int((operations.told - operations.ready).sum())
    own_ns = int((operations.copy_start - operations.told).sum())
    files = np.stack([operations.fd, operations.inode])
    keys, counts = np.unique(files, axis=1, return_counts=True)
    fd, inode = keys[:, np.argmax(counts)].tolist()
    count, median = len(operations), int(np.median(notice_ns))
    rule, late = (
        ("woken late", facts.LateToRun(count, median))
        if woken_ns >= own_ns
        else ("fetched late", facts.LateToFetch(count, median))
    )
    return Advised(rule, (tgid, fd, inode), count, int(notice_ns.sum()), late)


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


def _files(used: FdUsage, mask: np.ndarray) -> Iterator[tuple[int, FileKey]]:
    """(row, key) of the rows that `mask` (bool[n]) chooses."""
    for row in np.flatnonzero(mask).tolist():
        tgid, fd, inode = used.keys[row].tolist()
        yield row, (tgid, fd, inode)


def _per_file(operations: Operations, mask: np.ndarray) -> dict[FileKey, tuple[int, int]]:
    """File → (number of the chosen operations, the sum of their times from ask to done, ns). mask: bool[n]."""
    chosen = operations.where(mask)
    sums = GroupSum(3, 2)
    sums.add(
        (chosen.tgid, chosen.fd, chosen.inode),
        (np.ones(len(chosen), np.int64), chosen.done - chosen.ask),
    )
    keys, values = (column.tolist() for column in sums.result())
    return {
        (tgid, fd, inode): (count, ns)
        for (tgid, fd, inode), (count, ns) in zip(keys, values, strict=True)
    }


def _left_over(operations: Operations) -> np.ndarray:
    """bool[n]: which receives took data of a readiness that an earlier receive had used: no readiness of their own was
    recorded, though others on that descriptor were."""
    bit = np.uint8(1 << BOUNDARIES.index("ready"))
    unseen = (operations.estimated & bit > 0) & (operations.raw_ready == operations.ready)
    inodes = np.unique(operations.inode[~unseen])
    awake = (operations.slept == 0) & ~operations.waited_asleep
    left: np.ndarray = unseen & np.isin(operations.inode, inodes[inodes > 0]) & awake
    return left
