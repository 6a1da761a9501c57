"""When each thread had a CPU, from sched_switch: how long any two threads ran at the same time, and a stretch of time
as lanes, one for each thread."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tracer.analysis.steps.step import Recording, ReportPart, Results
from tracer.analysis.steps.window import Window
from tracer.analysis.tables.intervals import Intervals
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.fields import SwitchesOut, Turns, Wakings
from tracer.recording.records import Kind, empty

MOST = 8  # threads are compared, those that had a CPU longest
LEAST_SHARE = 0.05  # a thread that had a CPU for less of the time is not compared
CELLS, CELL_NS = 60, 1_000_000
_KINDS = number_set((*Turns.KINDS, *Wakings.KINDS))
_AWAY, _WAITS = -1, -2  # in a cell: asleep, or waiting for a CPU


class CpuOverlap(ReportPart):
    """The report's `lanes`: how long each two threads ran at the same time, and a stretch from the middle of the window
    cell by cell; None where fewer than two threads computed."""

    NEEDS = (ThreadStates,)

    def finish(self, results: Results) -> dict[str, Any]:
        return {"lanes": lanes(results.recording, results[ThreadStates])}


def lanes(recording: Recording, times: list[ThreadTimes]) -> dict[str, Any] | None:
    """The report's `lanes`, times in ns from the recording's base. Reads the recording a second time, and looks only at
    the threads that computed."""
    if not times:
        return None
    span = recording.window
    if span == Window():
        span = Window(
            min(thread.start_ns for thread in times), max(thread.end_ns for thread in times)
        )
    busy = _busiest(times, LEAST_SHARE * (span.end - span.begin))
    if len(busy) < 2:
        return None
    stretch = _Stretch.of(span)
    threads = {tid: _Lane(tid, span, stretch) for tid in busy}
    batches = (batch for batch in recording.read(None, span.end) if len(batch))
    pairs = _overlaps(threads, batches, span.end)
    return {
        "pairs": [
            {
                "tids": list(pair),
                "overlap_ns": overlap,
                "possible_ns": min(threads[tid].total for tid in pair),
            }
            for pair, overlap in pairs.items()
        ],
        "begin_ns": stretch.begin - recording.base_ns,
        "cell_ns": stretch.cell,
        "threads": [lane.shown() for lane in threads.values()],
    }


def _busiest(times: list[ThreadTimes], least_ns: float) -> list[int]:
    """The threads that had a CPU longest, for `least_ns` or more."""
    cpu_ns = {thread.tid: thread.kernel_ns + thread.user_ns for thread in times}
    busy = [tid for tid, ns in cpu_ns.items() if ns >= least_ns]
    return sorted(busy, key=lambda tid: -cpu_ns[tid])[:MOST]


def _overlaps(
    threads: dict[int, _Lane], batches: Iterable[RecordBatch], end: int
) -> dict[tuple[int, int], int]:
    """How long each two of the threads had a CPU at the same time (ns), up to `end` (ns)."""
    busy = list(threads)
    pairs = dict.fromkeys(itertools.combinations(busy, 2), 0)
    nothing = RecordBatch.of(empty())  # a last batch: it closes the turns that last until the end
    for batch in itertools.chain(batches, [nothing]):
        rows = batch.take(np.flatnonzero(_KINDS[batch.kind]))
        rows = rows.take(np.isin(rows.tid, busy))
        until = int(batch.time[-1]) if len(batch) else end
        ran = {tid: lane.feed(rows.take(rows.tid == tid), until) for tid, lane in threads.items()}
        on_cpu = {tid: Intervals(turns.begins, turns.ends) for tid, turns in ran.items()}
        for one, other in pairs:
            pairs[one, other] += on_cpu[one].overlap(on_cpu[other])
    return pairs


class _Stretch(NamedTuple):
    """A stretch of time that is shown in CELLS cells of `cell` ns, from `begin` on (ns)."""

    begin: int
    cell: int

    @classmethod
    def of(cls, span: Window) -> _Stretch:
        """The stretch in the middle of `span`."""
        length = span.end - span.begin
        cell = min(CELL_NS, max(1, length // CELLS))
        return cls(span.begin + max(0, (length - cell * CELLS) // 2), cell)

    @property
    def end(self) -> int:
        return self.begin + CELLS * self.cell

    @property
    def edges(self) -> np.ndarray:
        """int64[CELLS + 1]: the beginning of each cell, and the end of the last one (ns)."""
        return self.begin + self.cell * np.arange(CELLS + 1)


class _Ran(NamedTuple):
    """Times on a CPU, from `begins` to `ends` (ns), in order, and the number of the CPU."""

    begins: np.ndarray
    ends: np.ndarray
    cpus: np.ndarray

    def where(self, chosen: np.ndarray) -> _Ran:
        return _Ran(*(column[chosen] for column in self))


class _Lane:
    """One thread, batch by batch: the times on each CPU inside `span`, and the cells of `stretch`."""

    def __init__(self, tid: int, span: Window, stretch: _Stretch) -> None:
        self._tid, self._span, self._stretch = tid, span, stretch
        self._since: int | None = None  # the thread has been on a CPU since then (ns)
        self._cpu = 0
        # the rows inside the stretch, after the last switch away before it and the wakings since
        self._rows = RecordBatch.of(empty())
        self._ran: list[_Ran] = []  # in the stretch
        self._cpus: set[int] = set()
        self.total = 0  # ns on a CPU

    def feed(self, rows: RecordBatch, until: int) -> _Ran:
        """The times on a CPU, by the thread's own rows up to `until` (ns)."""
        self._keep(rows)
        ran = self._cut(self._turns(rows, until))
        self.total += int((ran.ends - ran.begins).sum())
        self._cpus |= set(np.unique(ran.cpus).tolist())
        shown = (ran.ends > self._stretch.begin) & (ran.begins < self._stretch.end)
        self._ran.append(ran.where(shown))
        return ran

    def shown(self) -> dict[str, Any]:
        """The thread's entry in the report."""
        ran = _Ran(*(np.concatenate(columns) for columns in zip(*self._ran, strict=True)))
        return {
            "tid": self._tid,
            "on_cpu_ns": self.total,
            "cpus": sorted(self._cpus),
            "cells": _cells(ran, self._rows, self._stretch),
        }

    def _turns(self, rows: RecordBatch, until: int) -> _Ran:
        """The thread's turns at a CPU: each lasts until the thread's next row. A turn that the batch before left open
        comes first."""
        turns = Turns(rows, rows.kind != Kind.WAKING)
        begins, cpu, runs = turns.time, turns.cpu.astype(np.int64), turns.runs
        ends = np.append(begins[1:], until)[: len(begins)]
        if self._since is not None:
            ends = np.append(begins[0] if len(begins) else until, ends)
            begins, cpu = np.append(self._since, begins), np.append(self._cpu, cpu)
            runs = np.append(True, runs)
        self._since = until if len(runs) and runs[-1] else None
        self._cpu = int(cpu[-1]) if len(cpu) else 0
        return _Ran(begins, ends, cpu).where(runs)

    def _cut(self, ran: _Ran) -> _Ran:
        """The parts of turns that lie inside the span."""
        begins = np.maximum(ran.begins, self._span.begin)
        ends = np.minimum(ran.ends, self._span.end)
        return _Ran(begins, ends, ran.cpus).where(ends > begins)

    def _keep(self, rows: RecordBatch) -> None:
        """Keeps the rows inside the stretch, and before it those from the last switch away on."""
        rows = joined([self._rows, rows.take(rows.time <= self._stretch.end)])
        early = (rows.time < self._stretch.begin) & (rows.kind == Kind.SWITCH_OUT)
        before = np.flatnonzero(early)
        self._rows = rows.take(slice(int(before[-1]) if len(before) else 0, None))


def _cells(ran: _Ran, rows: RecordBatch, stretch: _Stretch) -> list[int]:
    """For each cell the CPU that the thread had for at least half of it, else _AWAY or _WAITS."""
    edges = stretch.edges
    cells = np.where(_waits(rows, edges[:-1] + stretch.cell // 2), _WAITS, _AWAY)
    longest_ns = np.zeros(CELLS, np.int64)
    for cpu in np.unique(ran.cpus).tolist():
        turns = ran.where(ran.cpus == cpu)
        on_cpu_ns = Intervals(turns.begins, turns.ends).within(edges[:-1], edges[1:])
        better = (on_cpu_ns * 2 >= stretch.cell) & (on_cpu_ns > longest_ns)
        cells[better], longest_ns[better] = cpu, on_cpu_ns[better]
    chosen: list[int] = cells.tolist()
    return chosen


def _waits(rows: RecordBatch, times: np.ndarray) -> np.ndarray:
    """bool[n]: whether the thread, if it had no CPU, waited for one at each time: the thread's last switch away was a
    preemption, or a waking has come since."""
    wakings, outs = Wakings.of(rows).time, SwitchesOut.of(rows)
    if not len(outs):
        return np.zeros(len(times), bool)
    last_out = np.searchsorted(outs.time, times, "right") - 1
    near = np.maximum(last_out, 0)
    woken = np.searchsorted(wakings, times, "right") > np.searchsorted(
        wakings, outs.time[near], "right"
    )
    waits: np.ndarray = (last_out >= 0) & (outs.preempted[near] | woken)
    return waits
