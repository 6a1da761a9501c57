"""Wake-ups in select, poll and epoll_wait, and how many were for nothing: the thundering herd (epoll(7)).

A thread woken for nothing goes back to sleep without returning, or returns and finds that another was quicker.
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
    """Of one waiting call: how often it returned a descriptor, and the wake-ups inside."""

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
        # by call: 0 of no concern, 1 takes what is there, from 2 on a waiting call
        self._class = np.zeros(1 << 16, np.int64)
        self._class[syscalls.class_numbers((*syscalls.RECEIVE, *_ACCEPTS))] = 1
        self._names = ["", "", *syscalls.CLASSES]
        for code, members in enumerate(syscalls.CLASSES.values(), 2):
            self._class[syscalls.class_numbers(members)] = code
        self._held, self._held_wakes = no_calls(), np.empty(0, np.int64)
        self._counts = {code: _Count() for code in range(2, len(self._names))}

    def feed(self, batch: RecordBatch, state: State) -> None:
        part = state[TimelineStep]
        calls = part.calls.where(self._class[part.calls.nr] > 0)
        wakes = self._wakes(calls, part)
        if len(self._held):
            calls, wakes = self._held.joined(calls), np.concatenate([self._held_wakes, wakes])
            order = np.argsort(calls.tid, kind="stable")
            calls, wakes = calls.take(order), wakes[order]
        code = self._class[calls.nr]
        last = np.append(calls.tid[1:] != calls.tid[:-1], True)[: len(calls)]
        self._count(calls, wakes, code, last, state.window)
        held = last & (code > 1)  # the call after it is in a later batch
        self._held, self._held_wakes = calls.take(held), wakes[held]

    def finish(self, results: Results) -> dict[str, Any]:
        held, self._held = self._held, no_calls()  # nothing came after them
        nothing = np.zeros(len(held), bool)
        code = self._class[held.nr]
        self._count(held, self._held_wakes, code, nothing, results.recording.window)
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

    def _wakes(self, calls: Calls, part: TimelineBatch) -> np.ndarray:
        """How often each call's thread was woken inside it."""
        wakes = np.zeros(len(calls), np.int64)
        waiting = np.flatnonzero(self._class[calls.nr] > 1)
        inside = (part.inside.woken != NEVER) & (part.inside.out >= part.start[part.of])
        if not len(waiting) or not inside.any():
            return wakes
        ends, tids = part.end[part.of[inside]], part.inside.tid[inside].astype(np.int64)
        call = preceding(calls.tid[waiting].astype(np.int64), calls.end[waiting], tids, ends)
        call = call[(call >= 0) & (calls.end[waiting[call]] == ends)]
        np.add.at(wakes, waiting[call], 1)
        return wakes

    def _count(
        self, calls: Calls, wakes: np.ndarray, code: np.ndarray, last: np.ndarray, window: Window
    ) -> None:
        """Counts the calls that returned a descriptor, each with the call after it; not a thread's `last`."""
        follows = np.append(calls.tid[1:] == calls.tid[:-1], False)[: len(code)]
        next_code = np.where(follows, np.append(code[1:], 0)[: len(code)], 0)
        next_result = np.append(calls.result[1:], 0)[: len(code)]
        counted = (code > 1) & ~last & (calls.result > 0) & window.holds(calls.end)
        nothing = counted & (wakes > 0) & (next_code == 1) & (next_result == -errno.EAGAIN)
        for kind, count in self._counts.items():
            mine = counted & (code == kind)
            if mine.any():
                count.returned += int(mine.sum())
                count.woken += int(wakes[mine].sum())
                count.slept_again += int(np.maximum(wakes[mine] - 1, 0).sum())
                count.found_nothing += int((nothing & mine).sum())
                count.threads |= set(np.unique(calls.tid[mine]).tolist())
