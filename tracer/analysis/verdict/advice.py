"""Advice on a program's I/O: one function for each rule. A piece of advice names the descriptor, a count and a cost. A
rule gives none without evidence; the constants say how much evidence it takes. What one cause does to many descriptors,
or to many processes, is one piece of advice.

A cost is time in which data lay, or a CPU was used: never the time in which a loop had nothing to do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from tracer.analysis.counts.fd_usage import FdUsage
from tracer.analysis.operations.boundaries import EPOLLET
from tracer.analysis.operations.table import BLOCKED, MULTIPLEXED, POLLED, Operations
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.threads.absences import OffCpuTimes
from tracer.analysis.verdict import facts
from tracer.analysis.verdict.facts import AdviceFact
from tracer.analysis.verdict.io_evidence import ready_seen, slept_on_data
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
BUSY_SHARE = 0.5  # of the time in which a thread asked: on a CPU, at least; else it slept between its questions
_EPOLL = syscalls.class_numbers(syscalls.EPOLL)

FileKey: TypeAlias = tuple[int, int, int]
"""Process, descriptor (−1: none), inode (0: unknown)."""


@dataclass(frozen=True)
class ProgramIo:
    """What the rules look at.

    used: the counts of each descriptor. files: the names of files. scans: what PollUsage.finish returns. names: process
    → name. cpu: process → CPU time (ns). off_cpu: when threads had no CPU. burnt: process → how it kept a CPU busy
    asking.
    """

    operations: Operations
    used: FdUsage
    files: dict[FileKey, str]
    scans: list[dict[str, Any]]
    names: dict[int, str]
    cpu: dict[int, int]
    off_cpu: OffCpuTimes
    burnt: dict[int, facts.Burnt] = field(default_factory=dict)


@dataclass(frozen=True)
class Advised:
    """Advice that one rule gives on one file, or on several of a process, of which `key` is the dearest: how often it
    happened, the cost (ns; 0: unknown), the fact behind it, and on how many files."""

    rule: str
    key: FileKey
    count: int
    cost_ns: int
    because: AdviceFact
    files: int = 1


Rule: TypeAlias = Callable[[ProgramIo], list[Advised]]


def advice(io: ProgramIo) -> list[Advised]:
    """The advice of all rules, the dearest first."""
    advised = together(entry for rule in RULES for entry in rule(io))
    return sorted(advised, key=lambda entry: -entry.cost_ns)


def together(advised: Iterable[Advised]) -> list[Advised]:
    """The advice that one process gets for one reason, on whichever files, as one piece."""
    groups: dict[tuple[str, int, str], list[Advised]] = defaultdict(list)
    for entry in advised:
        told_by = entry.because.call if isinstance(entry.because, _OF_CALLS) else ""
        groups[entry.rule + type(entry.because).__name__, entry.key[0], told_by].append(entry)
    return [_one(group) for group in groups.values()]


def _one(group: list[Advised]) -> Advised:
    """Several pieces of advice for one reason as one: their counts and costs in all."""
    if len(group) == 1:
        return group[0]
    dearest = max(group, key=lambda entry: (entry.cost_ns, entry.count))
    return replace(
        dearest,
        count=sum(entry.count for entry in group),
        cost_ns=sum(entry.cost_ns for entry in group),
        because=facts.summed([entry.because for entry in group]),
        files=len({entry.key for entry in group}),
    )


def _polling(io: ProgramIo) -> list[Advised]:
    """Receives that find nothing, again and again, on a CPU. The cost: the CPU time from ask to done, spent asking. A
    program that sleeps between its questions keeps no CPU busy."""
    eagains, receives = io.used.values["receive_again"], io.used.values["receives"]
    many = (eagains >= POLLED_MOST) & (eagains >= POLLED_RATIO * receives)
    if not many.any():
        return []
    polled = _asking(io)
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


def _asking(io: ProgramIo) -> dict[FileKey, tuple[int, int]]:
    """File → how long data was asked for in vain from ask to done, and how much of that on a CPU (ns)."""
    polled = io.operations.where(io.operations.wait_kind == POLLED)
    _, away_ns = io.off_cpu.within(polled.tid, polled.ask, polled.done)
    took_ns = polled.done - polled.ask
    sums = GroupSum(3, 2)
    sums.add((polled.tgid, polled.fd, polled.inode), (took_ns, took_ns - away_ns))
    return _by_file(sums)


def _asked_ns(used: FdUsage, row: int, polled: tuple[int, int] | None) -> int | None:
    """How long a CPU was used for asking a descriptor (ns). None if none was kept busy: who gets data by asking slept
    most of the time, or a program asks once between other calls (socat does, on a socket of its own), and neither gets
    data by asking nor asks twice in a row."""
    if polled and polled[0]:
        took_ns, busy_ns = polled
        return busy_ns if busy_ns >= BUSY_SHARE * took_ns else None
    if used.values["receive_again"][row] < POLLED_RATIO * used.values["again_runs"][row]:
        return None
    return int(used.values["calls_ns"][row])


def _undrained(io: ProgramIo) -> list[Advised]:
    """Edge-triggered epoll, and the program leaves data in the socket. Evidence: a read filled the buffer and no thread
    read on before more came, else a thread slept while data lay in the socket that a receive had left."""
    operations = io.operations
    edge = operations.events & np.uint32(EPOLLET) > 0
    full = io.used.values["full_then_wait"]
    left_full = _per_file(operations, edge & _left_full(operations)) if full.any() else {}
    filled = [
        Advised("not drained", key, count, 0, facts.BufferFull(count))
        for row, key in _files(io.used, full > 0)
        if (count := min(int(full[row]), left_full.get(key, (0, 0))[0]))
    ]
    said = {entry.key[:2] for entry in filled}
    lay_ns = operations.copy_start - operations.raw_ready
    left = _per_file(operations, edge & slept_on_data(operations), lay_ns)
    return filled + [
        Advised("not drained", key, count, ns, facts.LeftInSocket(count))
        for key, (count, ns) in left.items()
        if key[:2] not in said
    ]


def _left_full(operations: Operations) -> np.ndarray:
    """bool[n]: after which operations, a read of two bytes or more that filled its buffer, the next receive from the
    file came only when a wait had told again, of data that had not been there. One byte is a look whether the peer is
    still there (Go's HTTP server makes it), after which another read follows anyway."""
    order = np.lexsort((operations.copy_end, operations.inode))
    its = operations.take(order)
    more = np.append(its.inode[1:] == its.inode[:-1], False)[: len(its)] & (its.inode > 0)
    following = its.take(np.minimum(np.arange(len(its)) + 1, max(len(its) - 1, 0)))
    seen = ready_seen(its)
    never_seen = ~np.isin(following.inode, np.unique(its.inode[seen]))
    next_seen = np.append(seen[1:], False)[: len(its)]
    came = never_seen | next_seen & (following.raw_ready > its.copy_end)
    told = (following.wait_kind == MULTIPLEXED) & (following.raw_told > its.copy_end)
    left = np.zeros(len(its), bool)
    left[order] = more & its.filled & (its.bytes > 1) & came & told
    return left


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
    """Data lies ready for long before a process that slept for it has it. That threads wait for a CPU is the machine's
    doing, and said once for all processes."""
    kind = io.operations.wait_kind
    operations = io.operations.where((kind == BLOCKED) | (kind == MULTIPLEXED))
    late = [
        entry
        for tgid, rows in rows_by(operations.tgid).items()
        if len(rows) >= NOTICE_LEAST and (entry := _late(tgid, operations.take(rows), io.off_cpu))
    ]
    to_run = [entry for entry in late if isinstance(entry.because, facts.LateToRun)]
    if len(to_run) < 2:
        return late
    dearest = max(to_run, key=lambda entry: entry.cost_ns)
    medians = [
        entry.because.notice_ns for entry in to_run if isinstance(entry.because, facts.LateToRun)
    ]
    count, median = sum(entry.count for entry in to_run), int(np.median(medians))
    machine = replace(
        dearest,
        count=count,
        cost_ns=sum(entry.cost_ns for entry in to_run),
        because=facts.LateToRun(count, median, len(to_run)),
        files=len(to_run),
    )
    return [machine, *(entry for entry in late if entry not in to_run)]


def _late(tgid: int, operations: Operations, off_cpu: OffCpuTimes) -> Advised | None:
    """Whether data of one process lay ready for long, and where most of that time went: its threads waited for a CPU,
    or did something else."""
    notice_ns = operations.copy_start - operations.ready
    whole_ns, late_ns = int((operations.done - operations.ask).sum()), int(notice_ns.sum())
    if np.median(notice_ns) < NOTICE_NS or late_ns < NOTICE_SHARE * whole_ns:
        return None
    told_tid = np.where(operations.told_tid > 0, operations.told_tid, operations.tid)
    waited_ns = _runnable(off_cpu, told_tid, operations.ready, operations.told)
    waited_ns += _runnable(off_cpu, operations.tid, operations.told, operations.copy_start)
    files = np.stack([operations.fd, operations.inode])
    keys, counts = np.unique(files, axis=1, return_counts=True)
    fd, inode = keys[:, np.argmax(counts)].tolist()
    count, median = len(operations), int(np.median(notice_ns))
    if 2 * waited_ns >= late_ns:
        late = facts.LateToRun(count, median)
        return Advised("woken late", (tgid, fd, inode), count, waited_ns, late)
    if 2 * int((operations.told_tid > 0).sum()) > count:
        return (
            None  # handed over: what comes to whom when is the scheduler's of Go, Tokio or a pool
        )
    fetched = facts.LateToFetch(count, median)
    return Advised("fetched late", (tgid, fd, inode), count, late_ns, fetched)


def _runnable(off_cpu: OffCpuTimes, tids: np.ndarray, since: np.ndarray, until: np.ndarray) -> int:
    """How long these threads waited for a CPU between two times of each (ns), in all."""
    asleep_ns, away_ns = off_cpu.within(tids, since, until)
    return int((away_ns - asleep_ns).sum())


_OF_CALLS = (facts.ToldTwice, facts.Scanned)


def _busy_waits(io: ProgramIo) -> list[Advised]:
    """Waits that say at once that nothing is ready, again and again, so that a CPU is used for asking."""
    return [
        Advised(
            "busy polling",
            (tgid, -1, 0),
            asking.times - asking.again,
            asking.cpu_ns,
            facts.BusyWaits(asking.call, asking.times - asking.again),
        )
        for tgid, burnt in io.burnt.items()
        for asking in burnt.calls
        if asking.call in syscalls.CLASSES and asking.times > 2 * asking.again
    ]


RULES: tuple[Rule, ...] = (
    _polling,
    _busy_waits,
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


def _per_file(
    operations: Operations, mask: np.ndarray, ns: np.ndarray | None = None
) -> dict[FileKey, tuple[int, int]]:
    """File → (number of the chosen operations, the sum of their times, ns). mask: bool[n]; ns: int64[n], of each
    operation; else from when the data was there, or was asked for, to done."""
    chosen = operations.where(mask)
    ns = operations.done - operations.ready if ns is None else ns
    sums = GroupSum(3, 2)
    sums.add((chosen.tgid, chosen.fd, chosen.inode), (np.ones(len(chosen), np.int64), ns[mask]))
    return _by_file(sums)


def _by_file(sums: GroupSum) -> dict[FileKey, tuple[int, int]]:
    """Sums of two columns by process, descriptor and inode, as a dict."""
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
