"""Counts of what happened, batch by batch: system calls by number with their errors and times, signals."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict

import numpy as np

from tracer import syscalls
from tracer.columns import Columns
from tracer.records import Kind
from tracer.stats import Distribution

_RT_SIGRETURN = syscalls.numbers()["rt_sigreturn"]  # its result is the interrupted code's register, no error
_MOST_ERRNO = 4095
_TRACE_SIGNAL_DELIVERED = 0  # the result of a signal that was neither ignored nor merged (trace/events/signal.h)


class Tallies:
    """Calls and signals; with `window` (ns), those that ended inside it."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window
        self._times: dict[int, Distribution] = defaultdict(Distribution)
        self._errors: dict[int, Counter[int]] = defaultdict(Counter)
        self._generated: Counter[int] = Counter()
        self._delivered: Counter[int] = Counter()

    def feed(self, batch: Columns) -> None:
        """A batch in time order."""
        if self._window:
            first, last = np.searchsorted(batch.time, self._window, "left")
            batch = batch.take(slice(first, last))
        calls = batch.kind == Kind.CALL
        nr = batch.nr[calls]
        self._count_calls(nr, batch.result[calls], batch.time[calls] - batch.start[calls])
        made = np.flatnonzero(batch.kind == Kind.SIGNAL_GENERATE)
        made = made[batch.result[made] == _TRACE_SIGNAL_DELIVERED]
        self._generated.update(batch.fd[made].tolist())
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
                self._errors[number].update(dict(zip((-codes).tolist(), counts[codes].tolist(), strict=True)))

    def calls(self) -> list[dict]:
        """By name, those that took longest in all first."""
        result = []
        for number, times in self._times.items():
            summary = times.summary()
            errors = {syscalls.error_name(code): count for code, count in self._errors[number].items()}
            result.append({"name": syscalls.name_of(number), "calls": summary.pop("count"), "errors": errors,
                           **summary})
        return sorted(result, key=lambda call: -call["total_ns"])

    def signals(self) -> list[dict]:
        """By name, in the order of their numbers."""
        return [{"name": signal_name(number), "generated": self._generated[number],
                 "delivered": self._delivered[number]} for number in sorted(self._generated | self._delivered)]


def signal_name(number: int) -> str:
    """SIGIO, SIGRTMIN+3, … as signal(7) names them."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN{number - signal.SIGRTMIN:+d}"
