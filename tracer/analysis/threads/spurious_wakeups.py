"""Wake-ups in select, poll and epoll_wait, and how many were for nothing: the thundering herd (epoll(7)).

A thread woken for nothing goes back to sleep without returning, or returns and finds that another was quicker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.asof import preceding
from tracer.analysis.threads.timeline import NEVER, Calls, TimelineBatch, no_calls
from tracer.kernel import syscalls

EAGAIN = 11
_ACCEPTS = ("accept", "accept4")


@dataclass
class _Count:
    returned: int = 0
    woken: int = 0
    slept_again: int = 0
    found_nothing: int = 0


class SpuriousWakeups:
    """Feed batches in time order; with `window` (ns), calls that ended inside it."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window or (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        self._class = np.zeros(
            1024, np.int64
        )  # 0: of no concern, 1: takes what is there, from 2 on: a waiting call
        self._class[syscalls.class_numbers((*syscalls.RECEIVE, *_ACCEPTS))] = 1
        self._names = ["", "", *syscalls.CLASSES]
        for code, members in enumerate(syscalls.CLASSES.values(), 2):
            self._class[syscalls.class_numbers(members)] = code
        self._held, self._held_wakes = no_calls(), np.empty(0, np.int64)
        self._counts = {code: _Count() for code in range(2, len(self._names))}
        self._threads: dict[int, set[int]] = {code: set() for code in self._counts}

    def feed(self, part: TimelineBatch) -> None:
        """A batch's part of the timeline."""
        calls = part.calls
        known = (calls.nr >= 0) & (calls.nr < len(self._class))
        calls = calls.where(known & (self._class[np.where(known, calls.nr, 0)] > 0))
        wakes = self._wakes(calls, part)
        if len(self._held):
            calls, wakes = self._held.joined(calls), np.concatenate([self._held_wakes, wakes])
            order = np.argsort(calls.tid, kind="stable")
            calls, wakes = calls.take(order), wakes[order]
        code = self._class[calls.nr]
        last = np.append(calls.tid[1:] != calls.tid[:-1], True)[: len(calls)]
        self._count(calls, wakes, code, last)
        held = last & (code > 1)  # what became of it is in a later batch
        self._held, self._held_wakes = calls.take(held), wakes[held]

    def _wakes(self, calls: Calls, part: TimelineBatch) -> np.ndarray:
        """How often each call's thread was woken inside it."""
        wakes = np.zeros(len(calls), np.int64)
        waiting = np.flatnonzero(self._class[calls.nr] > 1)
        inside = (part.inside.woken != NEVER) & (part.inside.out >= part.start[part.of])
        if not len(waiting) or not inside.any():
            return wakes
        ends, tids = part.end[part.of[inside]], part.inside.tid[inside].astype(np.int64)
        its = preceding(calls.tid[waiting].astype(np.int64), calls.end[waiting], tids, ends)
        its = its[(its >= 0) & (calls.end[waiting[its]] == ends)]
        np.add.at(wakes, waiting[its], 1)
        return wakes

    def _count(self, calls: Calls, wakes: np.ndarray, code: np.ndarray, last: np.ndarray) -> None:
        """What is decided: a call that returned a descriptor, with the call after it."""
        follows = np.append(calls.tid[1:] == calls.tid[:-1], False)[: len(code)]
        next_code = np.where(follows, np.append(code[1:], 0)[: len(code)], 0)
        next_result = np.append(calls.result[1:], 0)[: len(code)]
        counted = (
            (code > 1)
            & ~last
            & (calls.result > 0)
            & (calls.end >= self._window[0])
            & (calls.end <= self._window[1])
        )
        nothing = counted & (wakes > 0) & (next_code == 1) & (next_result == -EAGAIN)
        for kind, count in self._counts.items():
            mine = counted & (code == kind)
            if mine.any():
                count.returned += int(mine.sum())
                count.woken += int(wakes[mine].sum())
                count.slept_again += int(np.maximum(wakes[mine] - 1, 0).sum())
                count.found_nothing += int((nothing & mine).sum())
                self._threads[kind] |= set(np.unique(calls.tid[mine]).tolist())

    def finish(self) -> list[dict]:
        """The report's `wakeups`: one entry for each call in which threads were woken."""
        held, self._held = self._held, no_calls()  # nothing came after them
        code = self._class[held.nr]
        self._count(held, self._held_wakes, code, np.zeros(len(held), bool))
        return [
            {
                "call": self._names[code],
                "threads": len(self._threads[code]),
                "returned": its.returned,
                "woken": its.woken,
                "slept_again": its.slept_again,
                "found_nothing": its.found_nothing,
            }
            for code, its in self._counts.items()
            if its.woken
        ]
