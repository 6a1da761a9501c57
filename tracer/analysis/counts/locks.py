"""Who waited for whom on a futex(2), how long, and whether that was mutual exclusion or synchronisation.

A thread that has waited for a mutex has it then, and wakes somebody when it gives it back. One that has waited for an
event, at a condition or a semaphore, was woken by another and wakes nobody there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.tables.asof import at, following
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

MOST = 16  # words that are listed, those that were waited for longest
# FUTEX_WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2 of <linux/futex.h>
_WAITS = (0, 6, 9, 11, 13)
# FUTEX_WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, UNLOCK_PI, WAKE_BITSET, CMP_REQUEUE_PI
_WAKES = (1, 3, 4, 5, 7, 10, 12)
_COMMAND, _PRIVATE = 0x7F, 0x80


@dataclass(slots=True)
class _FutexCalls(Table):
    """Calls of futex, int64[n]. word: the process and the address; start, end: ns; woken: when the caller was last
    woken inside (ns, 0: it did not sleep); slept: ns asleep."""

    word: np.ndarray
    tid: np.ndarray
    command: np.ndarray
    result: np.ndarray
    start: np.ndarray
    woken: np.ndarray
    end: np.ndarray
    slept: np.ndarray


class Locks(ReportPart):
    """The report's `locks`: one entry a futex word that somebody slept on, those waited for longest first; of calls
    that ended inside the window."""

    NEEDS = (TimelineStep, Identity)

    def __init__(self) -> None:
        self._futex = syscalls.numbers()["futex"]
        self._kept: list[_FutexCalls] = []

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls = state[TimelineStep].calls
        calls = calls.take((calls.nr == self._futex) & state.window.holds(calls.end))
        if not len(calls):
            return
        operation = calls.arg.astype(np.int64)
        tgid = state[Identity].process_of(calls.tid, calls.end)
        process = np.where(operation & _PRIVATE, tgid, 0)
        self._kept.append(
            _FutexCalls(
                process << 32 | calls.fd.astype(np.int64) & 0xFFFFFFFF,
                calls.tid.astype(np.int64),
                operation & _COMMAND,
                calls.result,
                calls.start,
                calls.woken,
                calls.end,
                calls.slept,
            )
        )

    def finish(self, results: Results) -> dict[str, Any]:
        return {"locks": _locks(_joined(self._kept))}


def _joined(parts: list[_FutexCalls]) -> _FutexCalls:
    """All parts as one table."""
    names = _FutexCalls.__slots__
    if not parts:
        return _FutexCalls(*(np.empty(0, np.int64) for _ in names))
    return _FutexCalls(*(np.concatenate([getattr(its, name) for its in parts]) for name in names))


def _locks(calls: _FutexCalls) -> list[dict[str, Any]]:
    waits = calls.take(np.isin(calls.command, _WAITS) & (calls.woken > 0))
    wakes = calls.take(np.isin(calls.command, _WAKES))
    by = _wakers(waits, wakes)
    words, index = np.unique(waits.word, return_inverse=True)
    total = np.zeros(len(words), np.int64)
    np.add.at(total, index, waits.slept)
    longest = words[np.argsort(-total, kind="stable")[:MOST]]
    return [_entry(word, waits, by, wakes) for word in longest.tolist()]


def _wakers(waits: _FutexCalls, wakes: _FutexCalls) -> np.ndarray:
    """The thread that woke each one: its call on that word was under way when the waiter was woken. 0: nobody's was."""
    waker = following(wakes.word, wakes.end, waits.word, waits.woken)
    told = (waker >= 0) & (at(wakes.start, waker) <= waits.woken)
    return np.where(told, at(wakes.tid, waker), 0)


def _kind(waiters: set[int], wakers: set[int]) -> str:
    """waiters: threads that were woken by another; wakers: threads that called to wake somebody."""
    if waiters and waiters <= wakers:
        return "mutual exclusion"
    return "synchronisation" if waiters and not waiters & wakers else "unclear"


def _entry(word: int, waits: _FutexCalls, by: np.ndarray, wakes: _FutexCalls) -> dict[str, Any]:
    """One word's; by: int64[n], the thread that woke each one of `waits`."""
    mine = waits.word == word
    waits, by, wakes = waits.take(mine), by[mine], wakes.take(wakes.word == word)
    pairs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for waiter, waker, ns in zip(
        waits.tid.tolist(), by.tolist(), waits.slept.tolist(), strict=True
    ):
        pairs[waiter, waker].append(ns)
    return {
        "address": f"…{word & 0xFFFFFFFF:08x}",
        "process": word >> 32 or None,
        "kind": _kind(set(waits.tid[by > 0].tolist()), set(wakes.tid.tolist())),
        "waits": len(waits),
        "wakes": len(wakes),
        "waited_ns": int(waits.slept.sum()),
        "longest_ns": int(waits.slept.max()),
        "between": [
            {
                "waiter": waiter,
                "waker": waker or None,
                "count": len(slept),
                "waited_ns": sum(slept),
                "longest_ns": max(slept),
            }
            for (waiter, waker), slept in sorted(pairs.items(), key=lambda item: -sum(item[1]))
        ],
    }
