"""Wake-ups in select, poll and epoll_wait, and how many were in vain: the thundering herd (epoll(7)).

A thread woken in vain goes back to sleep inside the call, or returns and finds that another thread was quicker: until
it waits again it tries to receive, send or accept, and all that it tries finds nothing. What was told of is not
recorded: where anything was there, on whichever descriptor, the wake-up was for that.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.steps.window import Window
from tracer.analysis.tables.asof import preceding
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import NEVER, Calls, TimelineBatch, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

_TRIES = number_set(
    syscalls.class_numbers((*syscalls.RECEIVE, *syscalls.SEND, "accept", "accept4", "connect"))
)


@dataclass
class _Count:
    """Of one waiting call (select, poll or epoll_wait): how often it returned a descriptor, and the wake-ups inside
    it."""

    returned: int = 0
    woken: int = 0
    slept_again: int = 0
    found_nothing: int = 0
    threads: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Turns(Table):
    """What a thread did from one wait to the next. code: which waiting call that was, 0: none yet; told: whether it
    said that something is ready; end: its return (ns); wakes: how often the thread was woken inside; tried: whether it
    then received, sent or accepted; got: whether any of that found something."""

    tid: np.ndarray
    code: np.ndarray
    told: np.ndarray
    end: np.ndarray
    wakes: np.ndarray
    tried: np.ndarray
    got: np.ndarray


class SpuriousWakeups(ReportPart):
    """The report's `wakeups`: one entry for each call in which threads were woken, of calls that ended inside the
    window."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        # by number of the call: 0 of no concern, 1 a receive, send or accept, from 2 on a waiting call
        self._class = _TRIES.astype(np.int64)
        self._names = ["", "", *syscalls.CLASSES]
        for code, members in enumerate(syscalls.CLASSES.values(), 2):
            self._class[syscalls.class_numbers(members)] = code
        self._begun = _Turns(*(np.empty(0, np.int64) for _ in range(7)))
        self._counts = {code: _Count() for code in range(2, len(self._names))}

    def feed(self, batch: RecordBatch, state: State) -> None:
        timeline = state[TimelineStep]
        calls = timeline.calls.where(self._class[timeline.calls.nr] > 0)
        turns = self._turns(calls, self._wakes(calls, timeline))
        last = np.append(turns.tid[1:] != turns.tid[:-1], True)[: len(turns)]
        self._begun = turns.take(last)  # what the thread does next is in a later batch
        self._count(turns.take(~last), state.window)

    def finish(self, results: Results) -> dict[str, Any]:
        self._count(self._begun, results.recording.window)  # no wait came after these
        wakeups = [
            {
                "call": self._names[code],
                "threads": len(count.threads),
                "returned": count.returned,
                "woken": count.woken,
                "slept_again": count.slept_again,
                "found_nothing": count.found_nothing,
            }
            for code, count in self._counts.items()
            if count.woken
        ]
        return {"wakeups": wakeups}

    def _wakes(self, calls: Calls, timeline: TimelineBatch) -> np.ndarray:
        """How often each call's thread was woken inside it."""
        wakes = np.zeros(len(calls), np.int64)
        waiting = np.flatnonzero(self._class[calls.nr] > 1)
        inside = (timeline.inside.woken != NEVER) & (
            timeline.inside.out >= timeline.start[timeline.of]
        )
        if not len(waiting) or not inside.any():
            return wakes
        ends, tids = timeline.end[timeline.of[inside]], timeline.inside.tid[inside].astype(np.int64)
        call = preceding(calls.tid[waiting].astype(np.int64), calls.end[waiting], tids, ends)
        call = call[(call >= 0) & (calls.end[waiting[call]] == ends)]
        np.add.at(wakes, waiting[call], 1)
        return wakes

    def _turns(self, calls: Calls, wakes: np.ndarray) -> _Turns:
        """The turns that these calls make, after those that have begun already; a thread's together, in order."""
        code = self._class[calls.nr]
        tries = code == 1
        got = tries & (calls.result >= 0)
        rows = self._begun.joined(
            _Turns(
                calls.tid.astype(np.int64),
                np.where(tries, 0, code),
                ~tries & (calls.result > 0),
                calls.end,
                wakes,
                got | tries & (calls.result == -errno.EAGAIN),
                got,
            )
        )
        rows = rows.take(np.argsort(rows.tid, kind="stable"))
        if not len(rows):
            return rows
        first = np.flatnonzero((rows.code > 0) | np.append(True, rows.tid[1:] != rows.tid[:-1]))
        turns = rows.take(first)
        turns.tried = np.logical_or.reduceat(rows.tried, first)
        turns.got = np.logical_or.reduceat(rows.got, first)
        return turns

    def _count(self, turns: _Turns, window: Window) -> None:
        """Counts the waits of these turns that returned a descriptor."""
        turns = turns.where((turns.told > 0) & window.holds(turns.end))
        in_vain = (turns.wakes > 0) & (turns.tried > 0) & (turns.got == 0)
        for kind, count in self._counts.items():
            of_kind = turns.code == kind
            if of_kind.any():
                wakes = turns.wakes[of_kind]
                count.returned += int(of_kind.sum())
                count.woken += int(wakes.sum())
                count.slept_again += int(np.maximum(wakes - 1, 0).sum())
                count.found_nothing += int((in_vain & of_kind).sum())
                count.threads |= set(np.unique(turns.tid[of_kind]).tolist())
