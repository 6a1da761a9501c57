"""Which threads had a CPU when, from sched_switch: how long any two ran at the same time, and a stretch as lanes."""

from __future__ import annotations

import itertools

import numpy as np

from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.recording.batch import Read, RecordBatch, joined
from tracer.recording.records import Kind, empty

MOST = 8  # threads that are compared, those that computed longest
LEAST_SHARE = 0.05  # of the time: who had a CPU for less is not compared
CELLS, CELL_NS = 60, 1_000_000
_KINDS = number_set(
    (Kind.SWITCH_IN, Kind.SWITCH_OUT, Kind.START, Kind.THREAD, Kind.EXIT, Kind.WAKING)
)
_AWAY, _WAITS = -1, -2  # in a cell: asleep, or waiting for a CPU


def lanes(
    read: Read, times: list[ThreadTimes], window: tuple[int, int] | None, base: int
) -> dict | None:
    """The report's `lanes` (times in ns from `base`): overlaps of each two threads, and a stretch from the middle. None
    where fewer than two threads computed. Reads the recording again, for those threads alone."""
    if not times:
        return None
    begin, end = window or (min(its.start_ns for its in times), max(its.end_ns for its in times))
    had = {its.tid: its.kernel_ns + its.user_ns for its in times}
    busy = sorted(
        (tid for tid in had if had[tid] >= LEAST_SHARE * (end - begin)), key=lambda tid: -had[tid]
    )[:MOST]
    if len(busy) < 2:
        return None
    cell = min(CELL_NS, max(1, (end - begin) // CELLS))
    first = begin + max(0, (end - begin - cell * CELLS) // 2)
    threads = {tid: _Lane(tid, (begin, end), (first, first + cell * CELLS)) for tid in busy}
    pairs = {(one, other): 0 for i, one in enumerate(busy) for other in busy[i + 1 :]}
    batches = (batch for batch in read(None, end) if len(batch))
    for batch in itertools.chain(
        batches, [RecordBatch.of(empty())]
    ):  # the last for what goes on until the end
        rows = batch.take(np.flatnonzero(_KINDS[batch.kind]))
        rows = rows.take(np.isin(rows.tid, busy))
        until = int(batch.time[-1]) if len(batch) else end
        on = {tid: its.feed(rows.take(rows.tid == tid), until) for tid, its in threads.items()}
        for one, other in pairs:
            pairs[one, other] += _overlap(on[one], on[other])
    return {
        "pairs": [
            {
                "tids": list(pair),
                "overlap_ns": overlap,
                "possible_ns": min(threads[tid].total for tid in pair),
            }
            for pair, overlap in pairs.items()
        ],
        "begin_ns": first - base,
        "cell_ns": cell,
        "threads": [
            {
                "tid": tid,
                "on_cpu_ns": its.total,
                "cpus": sorted(its.cpus),
                "cells": its.cells(first, cell),
            }
            for tid, its in threads.items()
        ],
    }


class _Lane:
    """One thread, batch by batch: when it was on which CPU inside `span`, and what it did in `stretch` (ns)."""

    def __init__(self, tid: int, span: tuple[int, int], stretch: tuple[int, int]) -> None:
        self._span, self._stretch = span, stretch
        self._since: int | None = None
        self._cpu = 0
        self._rows = RecordBatch.of(
            empty()
        )  # in the stretch, and the switch and the wakings before it
        self._on: list[tuple[np.ndarray, ...]] = []
        self.total = 0
        self.cpus: set[int] = set()

    def feed(self, rows: RecordBatch, until: int) -> tuple[np.ndarray, ...]:
        """(from, to, CPU) of each time on a CPU, by the thread's own rows up to `until` (ns)."""
        self._keep(rows)
        rows = rows.take(rows.kind != Kind.WAKING)
        came = (rows.kind == Kind.SWITCH_IN) | (rows.kind == Kind.START)
        since, cpu, last = (
            rows.time,
            rows.nr.astype(np.int64),
            np.append(rows.time[1:], until)[: len(rows)],
        )
        if self._since is not None:
            since, cpu = np.append(self._since, since), np.append(self._cpu, cpu)
            came, last = (
                np.append(True, came),
                np.append(rows.time[0] if len(rows) else until, last),
            )
        self._since = until if len(came) and came[-1] else None
        self._cpu = int(cpu[-1]) if len(cpu) else 0
        since, last = np.maximum(since, self._span[0]), np.minimum(last, self._span[1])
        at = np.flatnonzero(came & (last > since))
        on = since[at], last[at], cpu[at]
        self.total += int((on[1] - on[0]).sum())
        self.cpus |= set(np.unique(on[2]).tolist())
        shown = (on[1] > self._stretch[0]) & (on[0] < self._stretch[1])
        self._on.append(tuple(its[shown] for its in on))
        return on

    def cells(self, first: int, cell: int) -> list[int]:
        """What each cell of the stretch shows."""
        mine = tuple(np.concatenate([on[i] for on in self._on]) for i in range(3))
        return _cells(mine, self._rows, first, cell)

    def _keep(self, rows: RecordBatch) -> None:
        """Of the rows before the stretch what the last switch and what follows it say, and all inside it."""
        rows = joined([self._rows, rows.take(rows.time <= self._stretch[1])])
        before = np.flatnonzero((rows.time < self._stretch[0]) & (rows.kind == Kind.SWITCH_OUT))
        self._rows = rows.take(slice(int(before[-1]) if len(before) else 0, None))


def _overlap(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> int:
    """How long both were on a CPU (ns)."""
    since, until, _ = one
    if not len(since):
        return 0
    had = np.append(0, np.cumsum(until - since))

    def until_then(times: np.ndarray) -> np.ndarray:
        """How long `one` had been on a CPU by each time."""
        place = np.searchsorted(since, times, "right")
        running = np.maximum(place - 1, 0)
        return np.where(
            place > 0, had[running] + np.minimum(times, until[running]) - since[running], 0
        )

    return int((until_then(other[1]) - until_then(other[0])).sum())


def _cells(mine: tuple[np.ndarray, ...], rows: RecordBatch, first: int, cell: int) -> list[int]:
    """For each cell the CPU that the thread had for at least half of it, else _AWAY or _WAITS."""
    edges = first + cell * np.arange(CELLS + 1)
    cells = np.full(CELLS, _AWAY)
    wakings = rows.time[rows.kind == Kind.WAKING]
    outs = rows.take(rows.kind == Kind.SWITCH_OUT)
    could = (outs.arg == 0) | (outs.fd == 1)
    middles = edges[:-1] + cell // 2
    last_out = np.searchsorted(outs.time, middles, "right") - 1
    gone = last_out >= 0
    near = np.maximum(last_out, 0)
    if len(outs):
        woken = np.searchsorted(wakings, middles, "right") > np.searchsorted(
            wakings, outs.time[near], "right"
        )
        cells[gone & (could[near] | woken)] = _WAITS
    had = np.zeros(CELLS, np.int64)
    for cpu in np.unique(mine[2]).tolist():
        here = mine[2] == cpu
        on = np.array(
            [
                np.clip(
                    np.minimum(mine[1][here], high) - np.maximum(mine[0][here], low), 0, None
                ).sum()
                for low, high in zip(edges, edges[1:])
            ]
        )
        better = (on * 2 >= cell) & (on > had)
        cells[better], had[better] = cpu, on[better]
    return cells.tolist()
