"""Who waited for whom on a futex(2), how long, and whether that was mutual exclusion or synchronisation.

A thread that has waited for a mutex has it then, and wakes somebody when it gives it back. One that has waited for an
event, at a condition or a semaphore, was woken by another and wakes nobody there.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.tables.asof import at, following
from tracer.analysis.threads.timeline import TimelineBatch
from tracer.kernel import syscalls

MOST = 16  # words that are listed, those that were waited for longest
_WAITS = (
    0,
    6,
    9,
    11,
    13,
)  # FUTEX_WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2 of <linux/futex.h>
_WAKES = (
    1,
    3,
    4,
    5,
    7,
    10,
    12,
)  # FUTEX_WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, UNLOCK_PI, WAKE_BITSET, CMP_REQUEUE_PI
_COMMAND, _PRIVATE = 0x7F, 0x80


class Locks:
    """Feed batches in time order; with `window` (ns), calls that ended inside it."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window or (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        self._futex = syscalls.numbers()["futex"]
        self._kept = [
            np.empty((8, 0), np.int64)
        ]  # word, tid, operation, result, entry, woken, exit, asleep

    def feed(self, part: TimelineBatch, descriptors: Descriptors) -> None:
        """A batch's part of the timeline."""
        calls = part.calls
        calls = calls.take(
            (calls.nr == self._futex)
            & (calls.end >= self._window[0])
            & (calls.end <= self._window[1])
        )
        if not len(calls):
            return
        operation = calls.arg.astype(np.int64)
        tgid = np.where(operation & _PRIVATE, descriptors.process_of(calls.tid, calls.end), 0)
        word = tgid << 32 | calls.fd.astype(np.int64) & 0xFFFFFFFF
        self._kept.append(
            np.array(
                [
                    word,
                    calls.tid,
                    operation & _COMMAND,
                    calls.result,
                    calls.start,
                    calls.woken,
                    calls.end,
                    calls.slept,
                ],
                np.int64,
            )
        )

    def finish(self) -> list[dict]:
        """The report's `locks`: one entry a futex word that somebody slept on, those waited for longest first."""
        kept = np.concatenate(self._kept, axis=1)
        waits = kept[:, np.isin(kept[2], _WAITS) & (kept[5] > 0)]
        wakes = kept[:, np.isin(kept[2], _WAKES)]
        waker = following(wakes[0], wakes[6], waits[0], waits[5])
        told = (waker >= 0) & (at(wakes[4], waker) <= waits[5])
        by = np.where(told, at(wakes[1], waker), 0)
        words, index = np.unique(waits[0], return_inverse=True)
        total = np.zeros(len(words), np.int64)
        np.add.at(total, index, waits[7])
        longest = words[np.argsort(-total, kind="stable")[:MOST]]
        return [
            _entry(
                word, waits[:, waits[0] == word], by[waits[0] == word], wakes[:, wakes[0] == word]
            )
            for word in longest.tolist()
        ]


def _entry(word: int, waits: np.ndarray, by: np.ndarray, wakes: np.ndarray) -> dict:
    waiters, wakers = set(waits[1][by > 0].tolist()), set(wakes[1].tolist())
    kind = "unclear"
    if waiters:
        kind = (
            "mutual exclusion"
            if waiters <= wakers
            else "synchronisation"
            if not waiters & wakers
            else "unclear"
        )
    pairs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for waiter, waker, ns in zip(waits[1].tolist(), by.tolist(), waits[7].tolist(), strict=True):
        pairs[waiter, waker].append(ns)
    return {
        "address": f"…{word & 0xFFFFFFFF:08x}",
        "process": word >> 32 or None,
        "kind": kind,
        "waits": waits.shape[1],
        "wakes": wakes.shape[1],
        "waited_ns": int(waits[7].sum()),
        "longest_ns": int(waits[7].max()),
        "between": [
            {
                "waiter": waiter,
                "waker": waker or None,
                "count": len(its),
                "waited_ns": sum(its),
                "longest_ns": max(its),
            }
            for (waiter, waker), its in sorted(pairs.items(), key=lambda item: -sum(item[1]))
        ],
    }
