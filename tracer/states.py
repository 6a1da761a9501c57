"""Where each thread's time went: blocked, runnable, in the kernel, in user mode; from sched_switch, sched_waking and
the calls' entries and exits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.records import Kind, text_of


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


_KINDS = (Kind.SWITCH_OUT, Kind.SWITCH_IN, Kind.WAKING, Kind.CALL, Kind.OPEN, Kind.THREAD, Kind.START, Kind.EXIT,
          Kind.NAME)
_NEVER = np.iinfo(np.int64).max


class ThreadStates:
    """Adds up every traced thread's states batch by batch; with `window` (ns), only what lies inside it."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window
        self._lives: dict[int, _Life] = {}
        self._end = 0

    def feed(self, records: np.ndarray) -> None:
        """RECORD[n] in time order, not older than what was fed before."""
        if not len(records):
            return
        self._end = int(records["time"][-1])
        rows = records[np.isin(records["kind"], _KINDS)]
        rows = rows[np.argsort(rows["tid"], kind="stable")]
        for mine in np.split(rows, np.flatnonzero(np.diff(rows["tid"])) + 1):
            if len(mine):
                tid = int(mine["tid"][0])
                self._lives.setdefault(tid, _Life()).feed(mine, self._window)

    def finish(self) -> list[ThreadTimes]:
        """The threads in the order in which they began."""
        times = [life.finish(tid, self._end, self._window) for tid, life in self._lives.items()]
        return sorted((time for time in times if time), key=lambda time: time.start_ns)


def thread_times(records: np.ndarray, window: tuple[int, int] | None = None) -> list[ThreadTimes]:
    """ThreadStates of one batch that is all there is."""
    states = ThreadStates(window)
    states.feed(records)
    return states.finish()


class _Life:
    """One thread. What is still undecided is held: at the exit of a call the thread is on a CPU and in no call, so
    all before the last one is settled."""

    def __init__(self) -> None:
        self._born: int | None = None
        self._died: int | None = None
        self._tgid = 0
        self._name = ""
        self._held: np.ndarray | None = None
        self._sums = np.zeros(3, np.int64)  # blocked, runnable, kernel

    def feed(self, mine: np.ndarray, window: tuple[int, int] | None) -> None:
        kinds = mine["kind"]
        for row in mine[(kinds == Kind.THREAD) | (kinds == Kind.START)]:
            if self._born is None:
                self._born, self._tgid = int(row["time"]), int(row["result"])
        for row in mine[kinds == Kind.EXIT][-1:]:
            self._died = int(row["time"])
        for row in mine[kinds == Kind.NAME][-1:]:
            self._name = text_of(row["start"], row["result"])
        if self._held is not None and len(self._held):
            mine = np.concatenate([self._held, mine])
        calls = np.flatnonzero(mine["kind"] == Kind.CALL)
        settled = calls[-1] + 1 if len(calls) else 0
        if settled and self._born is not None:
            self._sums += _divide(mine[:settled], *self._span(int(mine["time"][settled - 1]), window))
        self._held = mine[settled:].copy()

    def finish(self, tid: int, end_of_trace: int, window: tuple[int, int] | None) -> ThreadTimes | None:
        if self._born is None:
            return None
        start, end = self._span(end_of_trace, window)
        if end <= start:
            return None
        blocked, runnable, kernel = (self._sums + _divide(self._held, start, end)).tolist()
        return ThreadTimes(tid, self._tgid, self._name, start, end, blocked, runnable, kernel,
                           end - start - blocked - runnable - kernel)

    def _span(self, end: int, window: tuple[int, int] | None) -> tuple[int, int]:
        start, end = self._born, end if self._died is None else min(end, self._died)
        return (max(start, window[0]), min(end, window[1])) if window else (start, end)


def _divide(mine: np.ndarray, start: int, end: int) -> tuple[int, int, int]:
    """(blocked, runnable, kernel) ns of one thread between start and end."""
    outs, woken, ins, could_run = _absences(mine, end)
    blocked_until = np.where(could_run, outs, np.minimum(woken, ins))
    blocked = _clipped(outs, blocked_until, start, end)
    runnable = _clipped(blocked_until, ins, start, end)
    calls = mine[np.isin(mine["kind"], (Kind.CALL, Kind.OPEN))]
    entries, exits = calls["start"], calls["time"]
    inside = np.zeros(len(outs), bool)
    if len(calls) and len(outs):
        nearest = np.searchsorted(entries, outs, "right") - 1
        inside = (nearest >= 0) & (outs < exits[np.maximum(nearest, 0)])
    away = _clipped(outs[inside], ins[inside], start, end)
    return blocked, runnable, _clipped(entries, exits, start, end) - away


def _absences(mine: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each time off the CPU: (switched out, woken, switched in, whether it could have run all the while).

    A waking that came before the switch-out it concerns makes that absence runnable.
    """
    # a new thread waits for a CPU from its birth on (sched_wakeup_new is no sched_waking)
    switches = mine[np.isin(mine["kind"], (Kind.SWITCH_OUT, Kind.SWITCH_IN, Kind.THREAD))]
    is_out = switches["kind"] != Kind.SWITCH_IN
    at = np.flatnonzero(is_out)
    outs = switches["time"][at]
    following = np.append(switches["time"], end)
    ins = following[np.minimum(at + 1, len(switches))]
    could_run = (switches["arg"][at] == 0) | (switches["fd"][at] == 1) | (switches["kind"][at] == Kind.THREAD)
    wakings = mine["time"][mine["kind"] == Kind.WAKING]
    slot = np.searchsorted(wakings, outs, "left")
    woken = np.append(wakings, _NEVER)[slot]
    came_in = np.concatenate([[0], ins[:-1]]) if len(ins) else ins
    early = (slot > 0) & (np.concatenate([[0], wakings])[slot] > came_in) & (woken >= ins)
    return outs, woken, ins, could_run | early


def _clipped(begins: np.ndarray, ends: np.ndarray, start: int, end: int) -> int:
    """The sum of the intervals' parts that lie between start and end."""
    return int(np.maximum(0, np.minimum(ends, end) - np.maximum(begins, start)).sum())
