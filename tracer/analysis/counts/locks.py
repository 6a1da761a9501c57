"""Which thread waited for which on a futex(2), how long, and whether that was mutual exclusion or synchronisation.

A futex says who sleeps and who wakes, not what for. That a lock is waited for is known where the word has an owner: by
FUTEX_LOCK_PI, whose word is the owner's thread ID (futex(2)), and by glibc's mutexes, which note their owner beside the
word (lock_owners). Else only the direction is known. Who waited at one side of a semaphore wakes nobody there:
synchronisation. Where all who wait wake others there too, it may be another library's lock, a barrier or a condition
variable by which threads take turns: two-way waiting.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.counts.lock_owners import Owners
from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.tables.asof import at, following
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

MOST = 16  # futex words are listed, those with the longest waits
# FUTEX_WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2 of <linux/futex.h>
_WAITS = (0, 6, 9, 11, 13)
# FUTEX_WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, UNLOCK_PI, WAKE_BITSET, CMP_REQUEUE_PI
_WAKES = (1, 3, 4, 5, 7, 10, 12)
_LOCKS = (6, 13)  # FUTEX_LOCK_PI, LOCK_PI2
_COMMAND, _PRIVATE = 0x7F, 0x80
_MOST_WAITS = 0.5  # more than that share of a word's waits must have an owner


@dataclass(slots=True)
class _FutexCalls(Table):
    """Calls of futex, int64[n]. word: process and address as one number; start, end: entry and exit (ns); woken: when
    the caller was last woken inside (ns, 0: it did not sleep); waited: time off the CPU asleep, and until it had a CPU
    again (ns); slept: the part of it before the waking (ns; after a sleep that was not the call's last, all of it)."""

    word: np.ndarray
    tid: np.ndarray
    command: np.ndarray
    result: np.ndarray
    start: np.ndarray
    woken: np.ndarray
    end: np.ndarray
    waited: np.ndarray
    slept: np.ndarray


class Locks(ReportPart):
    """The report's `locks`: one entry for each futex word on which a thread slept, the longest waits first; calls that
    ended inside the window."""

    NEEDS = (TimelineStep, Identity)

    def __init__(self) -> None:
        self._futex = syscalls.numbers()["futex"]
        self._kept: list[_FutexCalls] = []
        self._owners = Owners()

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._owners.feed(batch)
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
                # a waking may come just before the switch that it concerns
                calls.slept - (calls.back - np.maximum(calls.woken, calls.out)),
            )
        )

    def finish(self, results: Results) -> dict[str, Any]:
        return {"locks": _locks(_joined(self._kept), self._owners)}


def _joined(pieces: list[_FutexCalls]) -> _FutexCalls:
    """All pieces as one table."""
    names = _FutexCalls.__slots__
    if not pieces:
        return _FutexCalls(*(np.empty(0, np.int64) for _ in names))
    return _FutexCalls(
        *(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names)
    )


def _locks(calls: _FutexCalls, owners: Owners) -> list[dict[str, Any]]:
    waits = calls.take(np.isin(calls.command, _WAITS) & (calls.woken > 0))
    wakes = calls.take(np.isin(calls.command, _WAKES))
    waker_tids = _wakers(waits, wakes)
    owned = np.isin(waits.command, _LOCKS) | owners.owned(waits.tid, waits.start, waits.word >> 32)
    words, index = np.unique(waits.word, return_inverse=True)
    waited_ns = np.zeros(len(words), np.int64)
    np.add.at(waited_ns, index, waits.waited)
    longest = words[np.argsort(-waited_ns, kind="stable")[:MOST]]
    return [_entry(word, waits, waker_tids, owned, wakes) for word in longest.tolist()]


def _wakers(waits: _FutexCalls, wakes: _FutexCalls) -> np.ndarray:
    """The thread that woke each waiter: its call on that word was under way when the waiter was woken. 0: there was
    none."""
    waker = following(wakes.word, wakes.end, waits.word, waits.woken)
    was_waking = (waker >= 0) & (at(wakes.start, waker) <= waits.woken)
    return np.where(was_waking, at(wakes.tid, waker), 0)


def _kind(waiters: set[int], wakers: set[int], owned: float) -> str:
    """waiters: threads that another woke; wakers: threads that called futex to wake others; owned: the share of the
    waits that began while another thread owned the word."""
    if owned > _MOST_WAITS:
        return "mutual exclusion"
    if waiters and waiters <= wakers:
        return "two-way waiting"
    return "synchronisation" if waiters and not waiters & wakers else "unclear"


def _entry(
    word: int,
    waits: _FutexCalls,
    waker_tids: np.ndarray,
    owned: np.ndarray,
    wakes: _FutexCalls,
) -> dict[str, Any]:
    """The report's entry of one word; waker_tids: int64[n], the thread that woke each of `waits`; owned: bool[n],
    whether another thread owned the word then. Who has waited for a mutex of glibc's calls futex to give it back
    (nptl/lowlevellock.h: the word is 2 then); where none did, what was read beside the word was no owner."""
    on_word = waits.word == word
    waits, waker_tids, owned = waits.take(on_word), waker_tids[on_word], owned[on_word]
    wakes = wakes.take(wakes.word == word)
    waiters, wakers = set(waits.tid[waker_tids > 0].tolist()), set(wakes.tid.tolist())
    if waiters and not waiters & wakers:
        owned = owned & np.isin(waits.command, _LOCKS)
    pairs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for waiter, waker, ns in zip(
        waits.tid.tolist(), waker_tids.tolist(), waits.waited.tolist(), strict=True
    ):
        pairs[waiter, waker].append(ns)
    return {
        "address": f"…{word & 0xFFFFFFFF:08x}",
        "process": word >> 32 or None,
        "kind": _kind(waiters, wakers, float(owned.mean())),
        "waits": len(waits),
        "owned": int(owned.sum()),
        "wakes": len(wakes),
        "waited_ns": int(waits.waited.sum()),
        "slept_ns": int(waits.slept.sum()),
        "longest_ns": int(waits.waited.max()),
        "between": [
            {
                "waiter": waiter,
                "waker": waker or None,
                "count": len(waited),
                "waited_ns": sum(waited),
                "longest_ns": max(waited),
            }
            for (waiter, waker), waited in sorted(pairs.items(), key=lambda item: -sum(item[1]))
        ],
    }
