"""Where each thread's time went: blocked, runnable, in the kernel, in user mode; from its absences and its calls."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tracer.analysis.threads.timeline import OffCpu, TimelineBatch
from tracer.recording.batch import RecordBatch, table_of
from tracer.recording.records import Kind, text_of
from tracer.terms import STATES

_LIVES = table_of((Kind.THREAD, Kind.START, Kind.EXIT, Kind.NAME))
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


class ThreadStates:
    """Adds up every traced thread's states batch by batch; with `window` (ns), only what lies inside it."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window or (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        self._lives: dict[int, _Life] = {}
        self._end = 0

    def feed(self, batch: RecordBatch, part: TimelineBatch) -> None:
        """A batch in time order, not older than what was fed before, and its part of the timeline."""
        if not len(batch):
            return
        self._end = int(batch.time[-1])
        self._births(batch)
        self._away(part.absences)
        self._switches(batch)
        inside = part.inside.out >= part.start[part.of]
        away = part.inside.take(inside)
        self._add("kernel", part.tid, part.start, part.end)
        self._add("kernel", away.tid, away.out, away.back, sign=-1)

    def finish(self, unended: OffCpu, inside: np.ndarray) -> list[ThreadTimes]:
        """The threads in the order in which they began; `unended`: absences held to end with the trace, and whether
        `inside` a call still open then (Timeline.finish)."""
        self._away(unended)
        away = unended.take(inside)
        self._add("kernel", away.tid, away.out, away.back, sign=-1)
        times = [self._times(tid, life) for tid, life in self._lives.items()]
        return sorted((its for its in times if its), key=lambda its: its.start_ns)

    @property
    def end(self) -> int:
        """When the last record was made (ns)."""
        return self._end

    def _away(self, absences: OffCpu) -> None:
        blocked_until = np.where(
            absences.could_run, absences.out, np.minimum(absences.woken, absences.back)
        )
        self._add("blocked", absences.tid, absences.out, blocked_until)
        self._add("runnable", absences.tid, blocked_until, absences.back)

    def _switches(self, batch: RecordBatch) -> None:
        """Counts switches away inside the window, as getrusage(2) does."""
        low, high = self._window
        outs = batch.take(
            (batch.kind == Kind.SWITCH_OUT) & (batch.time >= low) & (batch.time <= high)
        )
        kept = (outs.arg == 0) | (
            outs.fd == 1
        )  # could still run, or was preempted on its way to sleep
        for which in (0, 1):
            tids, counts = np.unique(outs.tid[kept == bool(which)], return_counts=True)
            for tid, count in zip(tids.tolist(), counts.tolist(), strict=True):
                self._lives.setdefault(tid, _Life()).switches[which] += count

    def _add(
        self, state: str, tids: np.ndarray, begins: np.ndarray, ends: np.ndarray, sign: int = 1
    ) -> None:
        """Intervals of threads (one thread's together), the parts of them that lie inside the window."""
        if not len(tids):
            return
        first = np.flatnonzero(np.append(True, tids[1:] != tids[:-1]))
        lives = [self._lives.setdefault(tid, _Life()) for tid in tids[first].tolist()]
        low, high = self._window
        born = np.repeat(
            [max(low, life.born or low) for life in lives], np.diff(np.append(first, len(tids)))
        )
        lengths = np.maximum(0, np.minimum(ends, high) - np.maximum(begins, born))
        which = _SUMMED.index(state)
        for life, total in zip(lives, np.add.reduceat(lengths, first).tolist(), strict=True):
            life.sums[which] += sign * total

    def _births(self, batch: RecordBatch) -> None:
        rows = batch.take(np.flatnonzero(_LIVES[batch.kind]))
        for kind, time, start, result, tid, fd in zip(
            *(
                getattr(rows, name).tolist()
                for name in ("kind", "time", "start", "result", "tid", "fd")
            ),
            strict=True,
        ):
            life = self._lives.setdefault(tid, _Life())
            if kind == Kind.EXIT:
                life.died = time
            elif kind == Kind.NAME:
                life.name = text_of(start, result)
            elif life.born is None:
                life.born, life.tgid, life.creator = time, result, fd

    def _times(self, tid: int, life: _Life) -> ThreadTimes | None:
        if life.born is None:
            return None
        start = max(life.born, self._window[0])
        end = min(self._end if life.died is None else life.died, self._window[1])
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
