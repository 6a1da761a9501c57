"""What the asking thread did while its data had not come: slept, asked again and again, or was free for other work."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from tracer.operations import POLLED, Operations
from tracer.timeline import Absences, no_absences

MEANWHILE = ("asleep", "asking", "free")


class Waiting:
    """Feed absences in the order in which they ended."""

    def __init__(self) -> None:
        self._absences = [no_absences()]

    def feed(self, absences: Absences) -> None:
        """Those that ended in a batch (Part.absences)."""
        self._absences.append(absences)

    def finish(self, operations: Operations, unended: Absences) -> dict:
        """The report's `waiting` (ns, and operations by MEANWHILE); unended: Timeline.finish's."""
        parts = [*self._absences, unended]
        names = [field.name for field in fields(Absences)]
        absences = Absences(*(np.concatenate([getattr(its, name) for its in parts]) for name in names))
        blocked_until = np.where(absences.could_run, absences.out, np.minimum(absences.woken, absences.back))
        asleep, away = np.zeros((2, len(operations)), np.int64)
        for tid in np.unique(operations.tid).tolist():
            mine, its = operations.tid == tid, absences.tid == tid
            wait = operations.ask[mine], operations.ready[mine]
            asleep[mine] = _within(absences.out[its], blocked_until[its], *wait)
            away[mine] = _within(absences.out[its], absences.back[its], *wait)
        took = operations.ready - operations.ask
        on_cpu, waited = took - away, took > 0
        sleeps = asleep * 2 >= took
        asks = ~sleeps & (operations.way == POLLED)
        kinds = {"asleep": sleeps & waited, "asking": asks & waited, "free": ~sleeps & ~asks & waited}
        return {"total_ns": int(took.sum()), "asleep_ns": int(asleep.sum()),
                "runnable_ns": int((away - asleep).sum()), "cpu_ns": int(on_cpu.sum()),
                "free_ns": int(on_cpu[kinds["free"]].sum()),
                "operations": {name: int(kinds[name].sum()) for name in MEANWHILE}}


def _within(begins: np.ndarray, ends: np.ndarray, since: np.ndarray, until: np.ndarray) -> np.ndarray:
    """How much of each [since, until) lies in the intervals [begins, ends), ordered and apart; ns."""
    if not len(begins):
        return np.zeros(len(since), np.int64)
    before = np.append(0, np.cumsum(ends - begins))

    def until_then(times: np.ndarray) -> np.ndarray:
        place = np.searchsorted(begins, times, "right")
        last = np.maximum(place - 1, 0)
        return before[last] + np.where(place > 0, np.minimum(times, ends[last]) - begins[last], 0)

    return until_then(until) - until_then(since)
