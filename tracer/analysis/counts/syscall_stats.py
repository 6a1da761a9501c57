"""Counts of what happened, batch by batch: system calls by number with their errors and times, signals."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict

import numpy as np

from tracer.analysis.tables.distribution import Distribution
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

_SIGWAIT = syscalls.numbers()["rt_sigtimedwait"]
_RT_SIGRETURN = syscalls.numbers()[
    "rt_sigreturn"
]  # its result is the interrupted code's register, no error
_MOST_ERRNO = 4095
# The result of a signal's generation (include/trace/events/signal.h, TRACE_SIGNAL_*).
_SENT, _IGNORED, _MERGED, _OVERFLOWED = range(4)


class SyscallStats:
    """Calls and signals; with `window` (ns), those that ended inside it."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window
        self._times: dict[int, Distribution] = defaultdict(Distribution)
        self._errors: dict[int, Counter[int]] = defaultdict(Counter)
        self._generated: dict[int, Counter[int]] = defaultdict(Counter)  # by result
        self._delivered: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()

    def feed(self, batch: RecordBatch) -> None:
        """A batch in time order."""
        if self._window:
            first, last = np.searchsorted(batch.time, self._window, "left")
            batch = batch.take(slice(first, last))
        calls = batch.kind == Kind.CALL
        nr = batch.nr[calls]
        taken = batch.result[calls][nr == _SIGWAIT]
        self._taken.update(taken[taken > 0].tolist())
        self._count_calls(nr, batch.result[calls], batch.time[calls] - batch.start[calls])
        made = np.flatnonzero(batch.kind == Kind.SIGNAL_GENERATE)
        for result in (_SENT, _MERGED, _OVERFLOWED):
            self._generated[result].update(batch.fd[made[batch.result[made] == result]].tolist())
        self._delivered.update(batch.fd[batch.kind == Kind.SIGNAL_DELIVER].tolist())

    def _count_calls(self, nr: np.ndarray, result: np.ndarray, took: np.ndarray) -> None:
        if not len(nr):
            return
        if (nr != nr[0]).any():
            order = np.argsort(nr, kind="stable")  # of 16 bits: a radix sort
            nr, result, took = nr[order], result[order], took[order]
        edges = np.concatenate([[0], np.flatnonzero(nr[1:] != nr[:-1]) + 1, [len(nr)]])
        for first, last in zip(edges.tolist(), edges[1:].tolist()):
            number = int(nr[first])
            self._times[number].add(took[first:last])
            results = result[first:last]
            failed = -results[(results < 0) & (results >= -_MOST_ERRNO)]
            if len(failed) and number != _RT_SIGRETURN:
                counts = np.bincount(failed)
                codes = np.flatnonzero(counts)
                self._errors[number].update(
                    dict(zip((-codes).tolist(), counts[codes].tolist(), strict=True))
                )

    def calls(self) -> list[dict]:
        """By name, those that took longest in all first."""
        result = []
        for number, times in self._times.items():
            summary = times.summary()
            errors = {
                syscalls.error_name(code): count for code, count in self._errors[number].items()
            }
            result.append(
                {
                    "name": syscalls.name_of(number),
                    "calls": summary.pop("count"),
                    "errors": errors,
                    **summary,
                }
            )
        return sorted(result, key=lambda call: -call["total_ns"])

    def signals(self) -> list[dict]:
        """By name, in the order of their numbers."""
        seen = set(self._delivered) | set(self._taken)
        seen |= {number for made in self._generated.values() for number in made}
        return [
            {
                "name": signal_name(number),
                "generated": self._generated[_SENT][number],
                "delivered": self._delivered[number],
                "taken": self._taken[number],
                "merged": self._generated[_MERGED][number],
                "overflowed": self._generated[_OVERFLOWED][number],
            }
            for number in sorted(seen)
        ]


def signal_name(number: int) -> str:
    """SIGIO, SIGRTMIN+3, … as signal(7) names them."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN{number - signal.SIGRTMIN:+d}"
