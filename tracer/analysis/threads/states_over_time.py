"""What each thread did when: blocked, runnable, in the kernel or in user mode, as changes of state; for who draws it.

Each change is kept while there are no more than MOST. Beyond, each cell of time has the state that took most of it: the
memory that this needs does not depend on how long the recording is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.steps.window import Window
from tracer.analysis.tables.intervals import Intervals
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.analysis.threads.timeline import OffCpu, TimelineBatch, TimelineStep, no_off_cpu
from tracer.recording.batch import RecordBatch, rows_by
from tracer.terms import STATES

MOST = 1_000_000  # calls and times off the CPU that are kept each by itself
MOST_THREADS, CELLS = 128, 4096
BLOCKED, RUNNABLE, KERNEL, USER = range(len(STATES))


class StatesOverTime(ReportPart):
    """The report's `states_over_time`, on request."""

    NEEDS = (TimelineStep, ThreadStates)
    ON_REQUEST = "states_over_time"

    def __init__(self) -> None:
        self._kept: dict[int, list[_Piece]] | None = {}  # None: there were too many
        self._cells: dict[int, _Cells] = {}
        self._count = 0  # calls and times off the CPU
        self._span: Window | None = None

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._span = self._span or _span(state)
        timeline = state[TimelineStep]
        self._add(timeline, timeline.absences)

    def finish(self, results: Results) -> dict[str, Any]:
        unended, times = results[TimelineStep].absences, results[ThreadStates]
        self._add(None, unended)
        base = results.recording.base_ns
        shown = sorted(times, key=lambda thread: thread.kernel_ns + thread.user_ns)[::-1]
        shown = shown[:MOST_THREADS]
        span = Window(
            min((thread.start_ns for thread in times), default=base),
            max((thread.end_ns for thread in times), default=base),
        )
        cells = self._span or span
        return {
            "states_over_time": {
                "begin_ns": span.begin - base,
                "end_ns": span.end - base,
                "exact": self._kept is not None,
                "cell_ns": 0 if self._kept is not None else (cells.end - cells.begin) // CELLS,
                "changes": self._count,
                "threads": [self._course(thread, base) for thread in shown],
                "more_threads": len(times) - len(shown),
            }
        }

    def _add(self, timeline: TimelineBatch | None, absences: OffCpu) -> None:
        """A batch's calls and times off the CPU."""
        away = rows_by(absences.tid)
        called = rows_by(timeline.tid) if timeline else {}
        self._count += len(absences) + (len(timeline.tid) if timeline else 0)
        for tid in away.keys() | called.keys():
            off = absences.take(away[tid]) if tid in away else no_off_cpu()
            rows = called.get(tid, np.empty(0, np.int64))
            start, end = (timeline.start, timeline.end) if timeline else (rows, rows)
            piece = _Piece(off, start[rows], end[rows])
            self._keep(tid, piece)

    def _keep(self, tid: int, piece: _Piece) -> None:
        if self._kept is not None:
            self._kept.setdefault(tid, []).append(piece)
            if self._count > MOST:
                kept, self._kept = self._kept, None
                for thread, pieces in kept.items():
                    for earlier in pieces:
                        self._in_cells(thread, earlier)
            return
        self._in_cells(tid, piece)

    def _in_cells(self, tid: int, piece: _Piece) -> None:
        if self._span is None or (tid not in self._cells and len(self._cells) >= MOST_THREADS):
            return
        self._cells.setdefault(tid, _Cells(self._span)).add(piece)

    def _course(self, thread: ThreadTimes, base: int) -> dict[str, Any]:
        life = Window(thread.start_ns, thread.end_ns)
        if self._kept is None:
            cells = self._cells.get(thread.tid)
            times, states = cells.changes(life) if cells else _nothing(life)
        else:
            times, states = _changes(self._kept.get(thread.tid, []), life)
        return {
            "tid": thread.tid,
            "tgid": thread.tgid,
            "name": thread.name,
            "end_ns": thread.end_ns - base,
            "at_ns": (times - base).tolist(),
            "states": states.tolist(),
        }


def _span(state: State) -> Window:
    """The window, or where there is none the whole trace."""
    if state.window != Window():
        return state.window
    facts = state.recording.facts
    base = state.recording.base_ns
    return Window(base, max(int(facts.get("end_ns") or 0), base + CELLS))


class _Piece:
    """One thread's times off the CPU and calls (from `starts` to `ends`, ns), in order of time."""

    __slots__ = ("away", "ends", "starts")

    def __init__(self, away: OffCpu, starts: np.ndarray, ends: np.ndarray) -> None:
        self.away, self.starts, self.ends = away, starts, ends


def _nothing(life: Window) -> tuple[np.ndarray, np.ndarray]:
    """A thread that was never off the CPU and made no call."""
    return np.array([life.begin]), np.array([USER])


def _changes(pieces: list[_Piece], life: Window) -> tuple[np.ndarray, np.ndarray]:
    """(when, to which state) a thread changed its state, inside its life; the first is its beginning."""
    if not pieces:
        return _nothing(life)
    starts, ends = (
        np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("starts", "ends")
    )
    out, until, back = (
        np.concatenate([getattr(piece.away, name) for piece in pieces])
        for name in ("out", "blocked_until", "back")
    )
    # at one time the later of these counts
    times = np.concatenate([ends, starts, back, out, until])
    states = np.concatenate(
        [
            np.full(len(ends), USER),
            np.full(len(starts), KERNEL),
            np.where(_inside(back, starts, ends), KERNEL, USER),
            np.full(len(out), BLOCKED),
            np.full(len(until), RUNNABLE),
        ]
    )
    empty = np.concatenate(
        [np.zeros(len(ends) + len(starts) + len(back), bool), until <= out, back <= until]
    )
    times, states = times[~empty], states[~empty]
    order = np.argsort(times, kind="stable")
    return _clipped(times[order], states[order], life)


def _inside(times: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """bool[n]: whether each time lies in one of the calls, or at its beginning."""
    if not len(starts):
        return np.zeros(len(times), bool)
    call = np.searchsorted(starts, times, "right") - 1
    inside: np.ndarray = (call >= 0) & (times < ends[np.maximum(call, 0)])
    return inside


def _clipped(times: np.ndarray, states: np.ndarray, life: Window) -> tuple[np.ndarray, np.ndarray]:
    """The changes inside a life, each time once, and none to the state that was there already."""
    before = np.searchsorted(times, life.begin, "right")
    first = states[before - 1] if before else USER
    inside = slice(before, np.searchsorted(times, life.end, "left"))
    times = np.append(life.begin, times[inside])
    states = np.append(first, states[inside])
    last_of_time = np.append(times[1:] != times[:-1], True)
    times, states = times[last_of_time], states[last_of_time]
    changed = np.append(True, states[1:] != states[:-1])
    return times[changed], states[changed]


class _Cells:
    """How long a thread was blocked, runnable and in calls in each cell of a span (ns)."""

    def __init__(self, span: Window) -> None:
        self._edges = np.linspace(span.begin, span.end, CELLS + 1).astype(np.int64)
        self._sums = np.zeros((3, CELLS), np.int64)

    def add(self, piece: _Piece) -> None:
        """Adds calls and times off the CPU; of the calls the time on the CPU."""
        away = piece.away
        until = away.blocked_until
        called = self._within(piece.starts, piece.ends)
        off = self._within(away.out, away.back)
        within_calls = _inside(away.out, piece.starts, piece.ends)
        off_in_calls = self._within(away.out[within_calls], away.back[within_calls])
        self._sums[BLOCKED] += self._within(away.out, until)
        self._sums[RUNNABLE] += off - self._within(away.out, until)
        self._sums[KERNEL] += called - off_in_calls

    def changes(self, life: Window) -> tuple[np.ndarray, np.ndarray]:
        """(when, to which state), by the state that took most of each cell."""
        user = np.diff(self._edges) - self._sums.sum(axis=0)
        states = np.argmax(np.vstack([self._sums, user]), axis=0)
        return _clipped(self._edges[:-1], states, life)

    def _within(self, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """How much of each cell the intervals fill (ns)."""
        return Intervals(begins, ends).within(self._edges[:-1], self._edges[1:])
