"""Wake-ups in select, poll and epoll_wait, and how many were in vain: the thundering herd (epoll(7)).

A thread woken in vain goes back to sleep inside the call, or returns and finds that another thread was quicker.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.steps.window import Window
from tracer.analysis.tables.asof import preceding
from tracer.analysis.threads.timeline import NEVER, Calls, TimelineBatch, TimelineStep, no_calls
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

_ACCEPTS = ("accept", "accept4")


@dataclass
class _Count:
    """Of one waiting call (select, poll or epoll_wait): how often it returned a descriptor, and the wake-ups inside
    it."""

    returned: int = 0
    woken: int = 0
    slept_again: int = 0
    found_nothing: int = 0
    threads: set[int] = field(default_factory=set)


class SpuriousWakeups(ReportPart):
    """The report's `wakeups`: one entry for each call in which threads were woken, of calls that ended inside the
    window."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        # by number of the call: 0 of no concern, 1 a receive or an accept, from 2 on a waiting call
        self._class = np.zeros(1 << 16, np.int64)
        self._class[syscalls.class_numbers((*syscalls.RECEIVE, *_ACCEPTS))] = 1
        self._names = ["", "", *syscalls.CLASSES]
        for code, members in enumerate(syscalls.CLASSES.values(), 2):
            self._class[syscalls.class_numbers(members)] = code
        self._held, self._held_wakes = no_calls(), np.empty(0, np.int64)
        self._counts = {code: _Count() for code in range(2, len(self._names))}

    def feed(self, batch: RecordBatch, state: State) -> None:
        timeline = state[TimelineStep]
        calls = timeline.calls.where(self._class[timeline.calls.nr] > 0)
        wakes = self._wakes(calls, timeline)
        if len(self._held):
            calls, wakes = self._held.joined(calls), np.concatenate([self._held_wakes, wakes])
            order = np.argsort(calls.tid, kind="stable")
            calls, wakes = calls.take(order), wakes[order]
        code = self._class[calls.nr]
        last = np.append(calls.tid[1:] != calls.tid[:-1], True)[: len(calls)]
        self._count(calls, wakes, code, last, state.window)
        held = last & (code > 1)  # the thread's next call is in a later batch
        self._held, self._held_wakes = calls.take(held), wakes[held]

    def finish(self, results: Results) -> dict[str, Any]:
        held, self._held = self._held, no_calls()  # no call came after these
        in_vain = np.zeros(len(held), bool)
        code = self._class[held.nr]
        self._count(held, self._held_wakes, code, in_vain, results.recording.window)
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

    def _count(
        self, calls: Calls, wakes: np.ndarray, code: np.ndarray, last: np.ndarray, window: Window
    ) -> None:
        """Counts the waiting calls that returned a descriptor, each with the thread's next call: in vain if that found
        nothing (EAGAIN). A thread's `last` call is left out, since its next one is not in this batch."""
        follows = np.append(calls.tid[1:] == calls.tid[:-1], False)[: len(code)]
        next_code = np.where(follows, np.append(code[1:], 0)[: len(code)], 0)
        next_result = np.append(calls.result[1:], 0)[: len(code)]
        counted = (code > 1) & ~last & (calls.result > 0) & window.holds(calls.end)
        in_vain = counted & (wakes > 0) & (next_code == 1) & (next_result == -errno.EAGAIN)
        for kind, count in self._counts.items():
            of_kind = counted & (code == kind)
            if of_kind.any():
                count.returned += int(of_kind.sum())
                count.woken += int(wakes[of_kind].sum())
                count.slept_again += int(np.maximum(wakes[of_kind] - 1, 0).sum())
                count.found_nothing += int((in_vain & of_kind).sum())
                count.threads |= set(np.unique(calls.tid[of_kind]).tolist())
