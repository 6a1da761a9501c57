"""What the timeline is: each thread's times off the CPU, and its calls with equal failing ones as one; one record after
the other, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tracer.recording.records import Kind

CALLS = (Kind.CALL, Kind.OPEN)
BEGINS = (Kind.SWITCH_OUT, Kind.THREAD)  # a switch away; a thread is born, and waits for a CPU
ENDS = (*BEGINS, Kind.SWITCH_IN, Kind.EXIT)
STOPPED = 0x4 | 0x8  # __TASK_STOPPED, __TASK_TRACED
BREAKS = (Kind.SWITCH_OUT, Kind.SIGNAL_DELIVER)


class Away(NamedTuple):
    """A time off the CPU (ns); woken: None where it was not, within it."""

    tid: int
    out: int
    woken: int | None
    back: int
    could_run: bool
    stopped: bool  # by a signal or a tracer
    shown: bool  # a switch back


class Call(NamedTuple):
    """Equal calls in a row; start, last_start: the first and the last one's entry; end: the last one's exit (ns)."""

    tid: int
    nr: int
    fd: int
    result: int
    start: int
    last_start: int
    end: int
    repeats: int


def by_thread(records: np.ndarray) -> Iterable[list[np.void]]:
    """Each thread's records (RECORD), in order of time."""
    threads: dict[int, list[np.void]] = defaultdict(list)
    for row in records:
        threads[int(row["tid"])].append(row)
    return [threads[tid] for tid in sorted(threads)]


def times_away(records: np.ndarray, until: int) -> tuple[list[Away], list[Away]]:
    """(the times off the CPU that ended: by the next switch, by the thread's end, or by the exit of a call, from which
    only a thread that has a CPU returns; those that had not when the trace ended, `until`, as if they did then)."""
    ended: list[Away] = []
    unended: list[Away] = []
    for rows in by_thread(records):
        for place, row in enumerate(rows):
            if row["kind"] in BEGINS:
                ends = any(its["kind"] in ENDS for its in rows[place + 1 :])
                (ended if ends else unended).append(_away(rows, place, until))
    return ended, unended


def _away(rows: list[np.void], place: int, until: int) -> Away:
    """The one that begins with this row of a thread's."""
    row = rows[place]
    switches = [its for its in rows[place + 1 :] if its["kind"] in (*ENDS, Kind.WAKING)]
    earlier = [its for its in rows[:place] if its["kind"] in (*ENDS, Kind.WAKING)]
    woken = int(switches[0]["time"]) if switches and switches[0]["kind"] == Kind.WAKING else None
    early = woken is None and bool(earlier) and earlier[-1]["kind"] == Kind.WAKING
    end = next((its for its in switches if its["kind"] in ENDS), None)
    back, shown = (until, True) if end is None else (int(end["time"]), end["kind"] != BEGINS[0])
    calls = [its for its in rows[place + 1 :] if its["kind"] == Kind.CALL and its["time"] < back]
    if calls:
        back, shown = int(calls[0]["time"]), False
    could_run = row["kind"] == Kind.THREAD or _preempted(row) or early
    stopped = not could_run and bool(row["arg"] & STOPPED)
    return Away(int(row["tid"]), int(row["time"]), woken, back, could_run, stopped, shown)


def _preempted(row: np.void) -> bool:
    """A switch away of a thread that could have run on: its state is 0 (TASK_RUNNING), or fd says preempted."""
    return bool(row["arg"] == 0 or row["fd"] == 1)


def blocked(away: Away) -> int:
    """How long of the time it could not have run (ns)."""
    if away.could_run:
        return 0
    return (away.back if away.woken is None else min(away.woken, away.back)) - away.out


def folded(records: np.ndarray) -> list[Call]:
    """The calls that returned. One that failed as the same call before it did is the same again, unless the thread was
    switched away or got a signal in between."""
    calls: list[Call] = []
    for rows in by_thread(records):
        last: tuple[int, ...] | None = None  # the run that a call may go on
        for row in rows:
            if row["kind"] in BREAKS:
                last = None
            if row["kind"] not in CALLS:
                continue
            what = tuple(int(row[name]) for name in ("nr", "fd", "result", "kind"))
            start, end = int(row["start"]), int(row["time"])
            if what == last and row["result"] < 0:
                run = calls.pop()
                calls.append(run._replace(last_start=start, end=end, repeats=run.repeats + 1))
            else:
                nr, fd, result, _ = what
                calls.append(Call(int(row["tid"]), nr, fd, result, start, start, end, 1))
            last = what
        if rows and any(row["kind"] == Kind.OPEN for row in rows):
            still_open = {int(row["time"]) for row in rows if row["kind"] == Kind.OPEN}
            tid = int(rows[0]["tid"])
            calls = [its for its in calls if its.tid != tid or its.end not in still_open]
    return calls
