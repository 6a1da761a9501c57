"""Advice on how a program does its I/O, each with the descriptor, the count and the cost that it rests on. A rule that
finds no evidence says nothing; what it takes is in the constants."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from tracer.analysis.counts.fd_usage import FdUsage
from tracer.analysis.operations.receives import BLOCKED, MULTIPLEXED, POLLED, Operations
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.verdict.io_model import EPOLLET, slept_on_data
from tracer.kernel import syscalls
from tracer.recording.batch import rows_by
from tracer.terms import BOUNDARIES

POLLED_MOST = 100  # EAGAINs of one descriptor, and ten times as many as receives
POLLED_RATIO = 10
REPEATED_LEAST, REPEATED_SHARE = 10, 0.1  # wake-ups for the same data
LOST_LEAST, LOST_SHARE = 10, 0.2  # accepts that another thread had made already
WATCHED_LEAST, READY_SHARE, SCANS_LEAST = (
    100,
    0.05,
    20,
)  # descriptors looked at for few that are ready
SINGLE_LEAST, SINGLE_SHARE = 100, 0.5  # receives of one byte where more were there
AGAIN_SHARE = 0.5  # receives of what an earlier one had left
NOTICE_LEAST, NOTICE_SHARE, NOTICE_NS = (
    10,
    0.2,
    100_000,
)  # a notice worth a word: of the time, and each at the median
_EPOLL = syscalls.class_numbers(syscalls.EPOLL)


@dataclass(frozen=True)
class Seen:
    """What the rules look at. files: (process, fd, inode) → its name; scans: Scans.finish; names: process → its name;
    cpu: process → its CPU time (ns)."""

    operations: Operations
    used: FdUsage
    files: dict[tuple[int, int, int], str]
    scans: list[dict]
    names: dict[int, str]
    cpu: dict[int, int]


def advice(seen: Seen) -> list[dict]:
    """All that there is evidence for, the dearest first: {rule, tgid, process, fd, file, count, cost_ns, text}."""
    found = [
        one
        for rule in (
            _polling,
            _undrained,
            _repeated,
            _herd,
            _scanning,
            _single_bytes,
            _told_again,
            _noticing,
        )
        for one in rule(seen)
    ]
    return sorted(found, key=lambda one: -one["cost_ns"])


def _one(
    seen: Seen, rule: str, key: tuple[int, int, int], count: int, cost_ns: int, text: str
) -> dict:
    tgid, fd, _ = key
    return {
        "rule": rule,
        "tgid": tgid,
        "process": seen.names.get(tgid),
        "fd": fd,
        "file": seen.files.get(key),
        "count": count,
        "cost_ns": cost_ns,
        "text": text,
    }


def _keys(used: FdUsage, which: np.ndarray) -> list[tuple[int, tuple[int, int, int]]]:
    """(row, key) of the chosen descriptors."""
    return [(row, tuple(used.keys[row].tolist())) for row in np.flatnonzero(which).tolist()]


def _polling(seen: Seen) -> list[dict]:
    """The cost: the time from asking to having, all of it spent asking, as far as the process had a CPU. Who looks once
    in passing, whatever else it does (socat, at its own socket), does not poll: that gets the data, or asks in a row."""
    its, operations = seen.used.values, seen.operations
    again, receives = its["receive_again"], its["receives"]
    which = (again >= POLLED_MOST) & (again >= POLLED_RATIO * receives)
    found = []
    polled = _per_descriptor(operations, operations.wait_kind == POLLED) if which.any() else {}
    for row, key in _keys(seen.used, which):
        _, asked = polled.get(key, (0, 0))
        if not asked and again[row] < POLLED_RATIO * its["again_runs"][row]:
            continue
        asked = asked or int(its["calls_ns"][row])
        found.append(
            _one(
                seen,
                "polling",
                key,
                int(again[row]),
                min(asked, seen.cpu.get(key[0], asked)),
                f"{again[row]:,} receives found nothing (EAGAIN) beside {receives[row]:,} that did: a CPU "
                "was kept busy asking; a blocking receive, poll or epoll_wait would sleep meanwhile",
            )
        )
    return found


def _undrained(seen: Seen) -> list[dict]:
    operations = seen.operations
    edge = operations.events & np.uint32(EPOLLET) > 0
    keys, left = (
        _per_descriptor(operations, which) for which in (edge, edge & slept_on_data(operations))
    )
    full = seen.used.values["full_then_wait"]
    found = [
        _one(
            seen,
            "not drained",
            key,
            int(full[row]),
            0,
            f"{full[row]:,} times a read filled its buffer and the thread waited again without reading on; the "
            "descriptor is edge-triggered, and what is left brings no wake-up: read until EAGAIN",
        )
        for row, key in _keys(seen.used, full > 0)
        if key in keys
    ]
    said = {(its["tgid"], its["fd"]) for its in found}
    return found + [
        _one(
            seen,
            "not drained",
            key,
            count,
            ns,
            f"{count:,} times the thread went to sleep though data lay in the socket; the descriptor is "
            "edge-triggered, and what is left brings no wake-up: receive until EAGAIN",
        )
        for key, (count, ns) in left.items()
        if key[:2] not in said
    ]


def _repeated(seen: Seen) -> list[dict]:
    inodes: dict[tuple[int, int], int] = {}  # an epoll descriptor's: all anonymous files have one
    for tgid, fd, inode in seen.files:
        inodes.setdefault((tgid, fd), inode)
    return [
        _one(
            seen,
            "repeated wake-ups",
            (scan["tgid"], scan["fd"], inodes.get((scan["tgid"], scan["fd"]), 0)),
            scan["repeated"],
            scan["repeated_ns"],
            f"{scan['call']} came back {scan['repeated']:,} times of {scan['calls']:,} at once with what the call "
            "before it had told of, and no call in between took it: receive it, or watch it edge-triggered or not "
            "at all",
        )
        for scan in seen.scans
        if scan["repeated"] >= REPEATED_LEAST and scan["repeated"] >= REPEATED_SHARE * scan["calls"]
    ]


def _herd(seen: Seen) -> list[dict]:
    its = seen.used.values
    lost, made = Counter(), Counter()
    keys: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for row, key in _keys(seen.used, its["accepts"] + its["accept_lost"] > 0):
        lost[key[2]] += int(its["accept_lost"][row])
        made[key[2]] += int(its["accepts"][row])
        keys[key[2]].append(key)
    return [
        _one(
            seen,
            "thundering herd",
            keys[inode][0],
            count,
            0,
            f"{count:,} times a thread was woken for a connection that another had accepted by then, for "
            f"{made[inode]:,} accepted: EPOLLEXCLUSIVE, or a socket each with SO_REUSEPORT, wakes one",
        )
        for inode, count in lost.items()
        if count >= LOST_LEAST and count >= LOST_SHARE * (count + made[inode])
    ]


def _scanning(seen: Seen) -> list[dict]:
    found = []
    for scan in seen.scans:
        watched, ready, calls = scan["watched"], scan["ready"], scan["calls"]
        if (
            calls >= SCANS_LEAST
            and watched >= WATCHED_LEAST * calls
            and ready <= READY_SHARE * watched
        ):
            text = (
                f"{calls:,} calls of {scan['call']} looked at {watched / calls:,.0f} descriptors each, of which "
                f"{ready / calls:,.1f} were ready: epoll keeps its list in the kernel and looks at none"
            )
            found.append(_one(seen, "scanning", (scan["tgid"], -1, 0), calls, scan["cpu_ns"], text))
    return found


def _left_over(operations: Operations) -> np.ndarray:
    """Which receives took what came with a readiness that an earlier one had spent: none of its own was seen, though it
    is seen on that descriptor."""
    bit = np.uint8(1 << BOUNDARIES.index("ready"))
    unseen = (operations.estimated & bit > 0) & (operations.raw_ready == operations.ready)
    seen = np.unique(operations.inode[~unseen])
    return (
        unseen
        & np.isin(operations.inode, seen[seen > 0])
        & (operations.slept == 0)
        & ~operations.waited_asleep
    )


def _per_descriptor(
    operations: Operations, which: np.ndarray
) -> dict[tuple[int, int, int], tuple[int, int]]:
    """(process, fd, inode) → how many of the chosen operations, and their time from ask to done in all (ns)."""
    mine = operations.where(which)
    sums = GroupSum(3, 2)
    sums.add((mine.tgid, mine.fd, mine.inode), (np.ones(len(mine), np.int64), mine.done - mine.ask))
    keys, values = sums.result()
    return {tuple(key): tuple(its) for key, its in zip(keys.tolist(), values.tolist(), strict=True)}


def _single_bytes(seen: Seen) -> list[dict]:
    its, operations = seen.used.values, seen.operations
    left = _per_descriptor(operations, _left_over(operations) & (operations.bytes == 1))
    found = []
    for row, key in _keys(seen.used, its["receives"] >= SINGLE_LEAST):
        receives, (others, ns) = int(its["receives"][row]), left.get(key, (0, 0))
        count, ns = max((int(its["single_bytes"][row]), int(its["single_ns"][row])), (others, ns))
        datagrams = (seen.files.get(key) or "").startswith(("UDP", "UNIX-DGRAM"))
        if not datagrams and count >= SINGLE_LEAST and count >= SINGLE_SHARE * receives:
            found.append(
                _one(
                    seen,
                    "one byte at a time",
                    key,
                    count,
                    ns,
                    f"{count:,} of {receives:,} receives took one byte, and another was there for the next: "
                    "a buffer takes many with one call",
                )
            )
    return found


def _told_again(seen: Seen) -> list[dict]:
    operations = seen.operations
    level = np.isin(operations.wait_nr, _EPOLL) & (operations.events & np.uint32(EPOLLET) == 0)
    again = _per_descriptor(operations, level & _left_over(operations))
    everything = _per_descriptor(operations, level)
    return [
        _one(
            seen,
            "told again",
            key,
            count,
            ns,
            f"{count:,} of {everything[key][0]:,} times epoll_wait told of data that was there before, and "
            "that the receive before had left: receive with a larger buffer, or until there is none",
        )
        for key, (count, ns) in again.items()
        if count >= REPEATED_LEAST and count >= AGAIN_SHARE * everything[key][0]
    ]


def _noticing(seen: Seen) -> list[dict]:
    operations = seen.operations
    waited = (operations.wait_kind == BLOCKED) | (operations.wait_kind == MULTIPLEXED)
    found = []
    operations = operations.where(waited)
    for tgid, rows in rows_by(operations.tgid).items():
        if len(rows) < NOTICE_LEAST:
            continue
        mine = operations.take(rows)
        notice = mine.copy_start - mine.ready
        whole = int((mine.done - mine.ask).sum())
        if np.median(notice) < NOTICE_NS or notice.sum() < NOTICE_SHARE * whole:
            continue
        woken, own = int((mine.told - mine.ready).sum()), int((mine.copy_start - mine.told).sum())
        keys, counts = np.unique(np.stack([mine.fd, mine.inode]), axis=1, return_counts=True)
        most = keys[:, np.argmax(counts)].tolist()
        lay = (
            f"{len(mine):,} receives lay ready {int(np.median(notice)) / 1e3:,.0f} µs at the median"
        )
        if woken >= own:
            text = f"{lay} before the thread ran: it waited for a CPU, which others kept busy"
            rule = "woken late"
        else:
            text = f"{lay}, most of it after the program had been told: it did something else first"
            rule = "fetched late"
        found.append(_one(seen, rule, (tgid, *most), len(mine), int(notice.sum()), text))
    return found
