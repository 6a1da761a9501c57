"""Where each thread's time went: blocked, runnable, in the kernel, in user mode; computed from the thread's times off
the CPU and its calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracer import text
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.timeline import OffCpu, TimelineStep
from tracer.kernel.signal_names import killer
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Births, Exits, Names, SwitchesOut, each
from tracer.recording.records import bytes_of
from tracer.terms import STATES

# the last state, user, is what remains of the lifetime; the time that a thread was stopped is a part of blocked
_SUMMED = (*STATES[:-1], "stopped")


@dataclass(frozen=True)
class ThreadTimes:
    """One thread's traced lifetime [start_ns, end_ns) divided into four states; all ns, they sum to its length.

    stopped_ns: how much of blocked_ns a signal or a tracer had stopped it. excess_ns: by how much calls and sleeps are
    longer than the lifetime in which they lie: the records contradict one another. It is taken from the states."""

    tid: int
    tgid: int
    name: str
    start_ns: int
    end_ns: int
    blocked_ns: int
    runnable_ns: int
    kernel_ns: int
    user_ns: int
    switches: int  # times the thread gave up its CPU, to sleep
    preemptions: int  # times the CPU was taken from the thread
    stopped_ns: int = 0
    status: int = -1  # as wait(2) has it; -1: it lives, or that was not recorded
    excess_ns: int = 0


@dataclass
class _Life:
    """One thread. A thread older than the trace is born when the tracer first sees it."""

    born: int | None = None
    died: int | None = None
    tgid: int = 0
    creator: int = 0
    name: str | None = None  # an empty name is one, too
    status: int = -1
    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(_SUMMED), np.int64))
    # how often the thread left the CPU: [to sleep, preempted]
    switches: np.ndarray = field(default_factory=lambda: np.zeros(2, np.int64))


class ThreadStates(Step[None, list[ThreadTimes]]):
    """The time of every traced thread in each state, as far as it lies inside the window; threads in the order of their
    births."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self._lives: dict[int, _Life] = {}
        self._end = 0  # when the last record was made (ns)

    def feed(self, batch: RecordBatch, state: State) -> None:
        if not len(batch):
            return
        timeline, window = state[TimelineStep], state.window
        self._end = int(batch.time[-1])
        self._births(batch)
        self._away(timeline.absences, window)
        self._switches(batch, window)
        inside = timeline.inside.take(timeline.inside.out >= timeline.start[timeline.of])
        self._add("kernel", timeline.tid, timeline.start, timeline.end, window)
        self._add("kernel", inside.tid, inside.out, inside.back, window, sign=-1)

    def finish(self, results: Results) -> list[ThreadTimes]:
        unended, window = results[TimelineStep], results.recording.window
        self._away(unended.absences, window)
        inside = unended.absences.take(unended.in_call)
        self._add("kernel", inside.tid, inside.out, inside.back, window, sign=-1)
        times = (self._times(tid, life, window) for tid, life in self._lives.items())
        return sorted((thread for thread in times if thread), key=lambda thread: thread.start_ns)

    def _away(self, absences: OffCpu, window: Window) -> None:
        blocked_until = absences.blocked_until
        self._add("blocked", absences.tid, absences.out, blocked_until, window)
        self._add("runnable", absences.tid, blocked_until, absences.back, window)
        if absences.stopped.any():
            stops = absences.take(absences.stopped)
            self._add("stopped", stops.tid, stops.out, stops.blocked_until, window)

    def _switches(self, batch: RecordBatch, window: Window) -> None:
        """Counts switches away inside the window, as getrusage(2) does."""
        outs = SwitchesOut.of(batch)
        outs = outs.where(window.holds(outs.time))
        out_tids, preempted = outs.tid, outs.preempted
        for column in (0, 1):  # of _Life.switches
            threads, counts = np.unique(out_tids[preempted == bool(column)], return_counts=True)
            for thread, count in zip(threads.tolist(), counts.tolist(), strict=True):
                self._lives.setdefault(thread, _Life()).switches[column] += count

    def _add(
        self,
        state: str,
        tids: np.ndarray,
        begins: np.ndarray,
        ends: np.ndarray,
        window: Window,
        sign: int = 1,
    ) -> None:
        """Adds to a state the parts of intervals that lie inside the window; tids: the thread of each interval, equal
        ones together; sign −1 takes them away."""
        if not len(tids):
            return
        first = np.flatnonzero(np.append(True, tids[1:] != tids[:-1]))
        lives = [self._lives.setdefault(tid, _Life()) for tid in tids[first].tolist()]
        born = np.repeat(
            [max(window.begin, life.born or window.begin) for life in lives],
            np.diff(np.append(first, len(tids))),
        )
        lengths = np.maximum(0, np.minimum(ends, window.end) - np.maximum(begins, born))
        column = _SUMMED.index(state)
        for life, total in zip(lives, np.add.reduceat(lengths, first).tolist(), strict=True):
            life.sums[column] += sign * total

    def _births(self, batch: RecordBatch) -> None:
        lives = each(
            (Births.of(batch), ("tid", "time", "tgid", "creator")),
            (Exits.of(batch), ("tid", "time", "status")),
            (Names.of(batch), ("tid", "low", "high")),
        )
        for _, view, (tid, *values) in lives:
            life = self._lives.setdefault(tid, _Life())
            if view is Exits:
                life.died, life.status = values
            elif view is Names:
                life.name = text.shown(bytes_of(*values))
            elif life.born is None:
                life.born, life.tgid, life.creator = values

    def _times(self, tid: int, life: _Life, window: Window) -> ThreadTimes | None:
        if life.born is None:
            return None
        start = max(life.born, window.begin)
        end = min(self._end if life.died is None else life.died, window.end)
        if end <= start:
            return None
        excess, remaining, states = 0, end - start, []
        *state_sums, stopped = life.sums.tolist()
        for state_ns in state_sums:
            states.append(min(max(state_ns, 0), remaining))
            excess += abs(state_ns - states[-1])
            remaining -= states[-1]
        blocked, runnable, kernel = states
        to_sleep, preempted = life.switches.tolist()
        return ThreadTimes(
            tid,
            life.tgid,
            self._name(life),
            start,
            end,
            blocked,
            runnable,
            kernel,
            remaining,
            to_sleep,
            preempted,
            stopped,
            life.status,
            excess,
        )

    def _name(self, life: _Life) -> str:
        """The last name that the thread was given; until then it has the name of its creator."""
        seen = set()
        while life.name is None and life.creator in self._lives and life.creator not in seen:
            seen.add(life.creator)
            life = self._lives[life.creator]
        return life.name or ""


class ThreadTable(ReportPart):
    """The report's `threads`."""

    NEEDS = (ThreadStates,)

    def finish(self, results: Results) -> dict[str, Any]:
        base = results.recording.base_ns
        return {"threads": [_entry(thread, base) for thread in results[ThreadStates]]}


def _entry(thread: ThreadTimes, base: int) -> dict[str, Any]:
    return {
        "tid": thread.tid,
        "tgid": thread.tgid,
        "name": thread.name,
        "start_ns": thread.start_ns - base,
        "end_ns": thread.end_ns - base,
        "blocked_ns": thread.blocked_ns,
        "stopped_ns": thread.stopped_ns,
        "runnable_ns": thread.runnable_ns,
        "kernel_ns": thread.kernel_ns,
        "user_ns": thread.user_ns,
        "cpu_ns": thread.kernel_ns + thread.user_ns,
        "switches": thread.switches,
        "preemptions": thread.preemptions,
        "killed_by": killer(thread.status),
    }
