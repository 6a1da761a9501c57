"""Where each thread's time went: blocked, runnable, in the kernel, in user mode; from its times off the CPU and its
calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.timeline import OffCpu, TimelineStep
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Births, Exits, Names, SwitchesOut, each
from tracer.recording.records import text_of
from tracer.terms import STATES

_SUMMED = STATES[:-1]  # user is the rest


@dataclass(frozen=True)
class ThreadTimes:
    """One thread's traced lifetime [start_ns, end_ns) divided into four states; all ns, they sum to its length."""

    tid: int
    tgid: int
    name: str
    start_ns: int
    end_ns: int
    blocked_ns: int
    runnable_ns: int
    kernel_ns: int
    user_ns: int
    switches: int  # times it gave up its CPU, to sleep
    preemptions: int  # times its CPU was taken from it


@dataclass
class _Life:
    """One thread. A tracer that comes later than the thread sees its birth when it first sees the thread."""

    born: int | None = None
    died: int | None = None
    tgid: int = 0
    creator: int = 0
    name: str = ""
    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(_SUMMED), np.int64))
    switches: np.ndarray = field(
        default_factory=lambda: np.zeros(2, np.int64)
    )  # to sleep, preempted


class ThreadStates(Step[None, list[ThreadTimes]]):
    """Adds up every traced thread's states, what lies of them inside the window; the threads in the order in which they
    began."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._lives: dict[int, _Life] = {}
        self._end = 0  # when the last record was made (ns)

    def feed(self, batch: RecordBatch, state: State) -> None:
        if not len(batch):
            return
        part, window = state[TimelineStep], state.window
        self._end = int(batch.time[-1])
        self._births(batch)
        self._away(part.absences, window)
        self._switches(batch, window)
        inside = part.inside.take(part.inside.out >= part.start[part.of])
        self._add("kernel", part.tid, part.start, part.end, window)
        self._add("kernel", inside.tid, inside.out, inside.back, window, sign=-1)

    def finish(self, results: Results) -> list[ThreadTimes]:
        unended, window = results[TimelineStep], results.recording.window
        self._away(unended.absences, window)
        inside = unended.absences.take(unended.in_call)
        self._add("kernel", inside.tid, inside.out, inside.back, window, sign=-1)
        times = (self._times(tid, life, window) for tid, life in self._lives.items())
        return sorted((its for its in times if its), key=lambda its: its.start_ns)

    def _away(self, absences: OffCpu, window: Window) -> None:
        blocked_until = absences.blocked_until
        self._add("blocked", absences.tid, absences.out, blocked_until, window)
        self._add("runnable", absences.tid, blocked_until, absences.back, window)

    def _switches(self, batch: RecordBatch, window: Window) -> None:
        """Counts switches away inside the window, as getrusage(2) does."""
        outs = SwitchesOut.of(batch)
        outs = outs.where(window.holds(outs.time))
        tid, preempted = outs.tid, outs.preempted
        for which in (0, 1):
            tids, counts = np.unique(tid[preempted == bool(which)], return_counts=True)
            for thread, count in zip(tids.tolist(), counts.tolist(), strict=True):
                self._lives.setdefault(thread, _Life()).switches[which] += count

    def _add(
        self,
        state: str,
        tids: np.ndarray,
        begins: np.ndarray,
        ends: np.ndarray,
        window: Window,
        sign: int = 1,
    ) -> None:
        """Intervals of threads (one thread's together), the parts of them that lie inside the window."""
        if not len(tids):
            return
        first = np.flatnonzero(np.append(True, tids[1:] != tids[:-1]))
        lives = [self._lives.setdefault(tid, _Life()) for tid in tids[first].tolist()]
        born = np.repeat(
            [max(window.begin, life.born or window.begin) for life in lives],
            np.diff(np.append(first, len(tids))),
        )
        lengths = np.maximum(0, np.minimum(ends, window.end) - np.maximum(begins, born))
        which = _SUMMED.index(state)
        for life, total in zip(lives, np.add.reduceat(lengths, first).tolist(), strict=True):
            life.sums[which] += sign * total

    def _births(self, batch: RecordBatch) -> None:
        lives = each(
            (Births.of(batch), ("tid", "time", "tgid", "creator")),
            (Exits.of(batch), ("tid", "time")),
            (Names.of(batch), ("tid", "low", "high")),
        )
        for _, view, (tid, *values) in lives:
            life = self._lives.setdefault(tid, _Life())
            if view is Exits:
                (life.died,) = values
            elif view is Names:
                life.name = text_of(*values)
            elif life.born is None:
                life.born, life.tgid, life.creator = values

    def _times(self, tid: int, life: _Life, window: Window) -> ThreadTimes | None:
        if life.born is None:
            return None
        start = max(life.born, window.begin)
        end = min(self._end if life.died is None else life.died, window.end)
        if end <= start:
            return None
        blocked, runnable, kernel = life.sums.tolist()
        return ThreadTimes(
            tid,
            life.tgid,
            self._name(life),
            start,
            end,
            blocked,
            runnable,
            kernel,
            end - start - blocked - runnable - kernel,
            *life.switches.tolist(),
        )

    def _name(self, life: _Life) -> str:
        """What the thread called itself last; a new one has its creator's name until then."""
        seen = set()
        while not life.name and life.creator in self._lives and life.creator not in seen:
            seen.add(life.creator)
            life = self._lives[life.creator]
        return life.name


class ThreadTable(ReportPart):
    """The report's `threads`."""

    NEEDS = (ThreadStates,)

    def finish(self, results: Results) -> dict[str, Any]:
        base = results.recording.base_ns
        return {"threads": [_entry(its, base) for its in results[ThreadStates]]}


def _entry(thread: ThreadTimes, base: int) -> dict[str, Any]:
    return {
        "tid": thread.tid,
        "tgid": thread.tgid,
        "name": thread.name,
        "start_ns": thread.start_ns - base,
        "end_ns": thread.end_ns - base,
        "blocked_ns": thread.blocked_ns,
        "runnable_ns": thread.runnable_ns,
        "kernel_ns": thread.kernel_ns,
        "user_ns": thread.user_ns,
        "cpu_ns": thread.kernel_ns + thread.user_ns,
        "switches": thread.switches,
        "preemptions": thread.preemptions,
    }
