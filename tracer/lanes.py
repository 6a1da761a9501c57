"""Which threads had a CPU when, from sched_switch: how long any two ran at the same time, and a stretch as lanes."""

from __future__ import annotations

import numpy as np

from tracer.columns import Columns, joined
from tracer.records import Kind, empty

MOST = 8  # threads that are compared, those that computed longest
LEAST_SHARE = 0.05  # of the time: who had a CPU for less is not compared
CELLS, CELL_NS = 60, 1_000_000
_KINDS = (Kind.SWITCH_IN, Kind.SWITCH_OUT, Kind.START, Kind.THREAD, Kind.EXIT, Kind.WAKING)
_AWAY, _WAITS = -1, -2  # in a cell: asleep, or waiting for a CPU


class Lanes:
    """Feed batches in time order; with `window` (ns), only what lies inside it."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window
        self._kept = [Columns.of(empty())]

    def feed(self, batch: Columns) -> None:
        """A batch in time order."""
        self._kept.append(batch.take(np.isin(batch.kind, _KINDS)))

    def finish(self, base: int) -> dict | None:
        """The report's `lanes` (times in ns from `base`): overlaps of each two threads, and a stretch from the middle.
        None where fewer than two threads computed."""
        rows = joined(self._kept)
        if not len(rows):
            return None
        begin, end = self._window or (int(rows.time[0]), int(rows.time[-1]))
        order = np.lexsort((rows.time, rows.tid))
        rows = rows.take(order)
        tid, since, until, cpu = _on_cpu(rows, begin, end)
        total = {int(one): int((until - since)[tid == one].sum()) for one in np.unique(tid)}
        busy = [one for one, ns in total.items() if ns >= LEAST_SHARE * (end - begin)]
        busy = sorted(busy, key=lambda one: -total[one])[:MOST]
        if len(busy) < 2:
            return None
        mine = {one: (since[tid == one], until[tid == one], cpu[tid == one]) for one in busy}
        pairs = [{"tids": [a, b], "overlap_ns": _overlap(mine[a], mine[b]), "possible_ns": min(total[a], total[b])}
                 for i, a in enumerate(busy) for b in busy[i + 1:]]
        cell = min(CELL_NS, max(1, (end - begin) // CELLS))
        first = begin + max(0, (end - begin - cell * CELLS) // 2)
        return {"pairs": pairs, "begin_ns": first - base, "cell_ns": cell,
                "threads": [{"tid": one, "on_cpu_ns": total[one], "cpus": np.unique(mine[one][2]).tolist(),
                             "cells": _cells(mine[one], rows.take(rows.tid == one), first, cell)} for one in busy]}


def _on_cpu(rows: Columns, begin: int, end: int) -> tuple[np.ndarray, ...]:
    """(thread, from, to, CPU) of each time on a CPU between two times; rows by thread, then time."""
    rows = rows.take(rows.kind != Kind.WAKING)
    came = (rows.kind == Kind.SWITCH_IN) | (rows.kind == Kind.START)
    same = np.append(rows.tid[1:] == rows.tid[:-1], False)
    until = np.where(same, np.append(rows.time[1:], 0), end)
    since, until = np.maximum(rows.time, begin), np.minimum(until, end)
    at = np.flatnonzero(came & (until > since))
    return rows.tid[at].astype(np.int64), since[at], until[at], rows.nr[at].astype(np.int64)


def _overlap(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> int:
    """How long both were on a CPU (ns)."""
    since, until, _ = one
    had = np.append(0, np.cumsum(until - since))

    def until_then(times: np.ndarray) -> np.ndarray:
        """How long `one` had been on a CPU by each time."""
        place = np.searchsorted(since, times, "right")
        running = np.maximum(place - 1, 0)
        return np.where(place > 0, had[running] + np.minimum(times, until[running]) - since[running], 0)

    return int((until_then(other[1]) - until_then(other[0])).sum())


def _cells(mine: tuple[np.ndarray, ...], rows: Columns, first: int, cell: int) -> list[int]:
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
        woken = np.searchsorted(wakings, middles, "right") > np.searchsorted(wakings, outs.time[near], "right")
        cells[gone & (could[near] | woken)] = _WAITS
    had = np.zeros(CELLS, np.int64)
    for cpu in np.unique(mine[2]).tolist():
        here = mine[2] == cpu
        on = np.array([np.clip(np.minimum(mine[1][here], high) - np.maximum(mine[0][here], low), 0, None).sum()
                       for low, high in zip(edges, edges[1:])])
        better = (on * 2 >= cell) & (on > had)
        cells[better], had[better] = cpu, on[better]
    return cells.tolist()
