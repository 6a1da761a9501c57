"""Counts, batch by batch: system calls by number, with errors and times, and signals."""

from __future__ import annotations

import itertools
import signal
from collections import Counter, defaultdict
from typing import Any

import numpy as np

from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.tables.distribution import Distribution
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Calls, LibraryCalls, Signals
from tracer.recording.records import LIBRARY_NAMES, Kind

_SIGWAIT = syscalls.numbers()["rt_sigtimedwait"]
# the result of rt_sigreturn is a register of the interrupted code, no error
_RT_SIGRETURN = syscalls.numbers()["rt_sigreturn"]
_NO_TIMES = ("total_ns", "min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns")
# The result of a signal's generation (include/trace/events/signal.h, TRACE_SIGNAL_*).
_SENT, _IGNORED, _MERGED, _OVERFLOWED = range(4)


class SyscallStats(ReportPart):
    """The report's `syscalls` and `signals`: calls that ended and signals that came inside the window."""

    def __init__(self) -> None:
        self._times: dict[int, Distribution] = defaultdict(Distribution)
        self._errors: dict[int, Counter[int]] = defaultdict(Counter)
        self._library: Counter[int] = Counter()
        self._generated: dict[int, Counter[int]] = defaultdict(Counter)  # by outcome
        self._delivered: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()

    def feed(self, batch: RecordBatch, state: State) -> None:
        library = LibraryCalls.of(batch)
        inside = state.window.holds(library.time)
        self._library.update(library.function[inside].tolist())
        first, last = np.searchsorted(batch.time, state.window, "left")
        batch = batch.take(slice(first, last))
        calls = Calls(batch, batch.kind == Kind.CALL)
        number, result = calls.number, calls.result
        taken = result[number == _SIGWAIT]
        self._taken.update(taken[taken > 0].tolist())
        self._count_calls(number, result, calls.time - calls.start)
        self._count_signals(Signals.of(batch))

    def finish(self, results: Results) -> dict[str, Any]:
        return {"syscalls": self._calls() + self._library_calls(), "signals": self._signals()}

    def _count_signals(self, signals: Signals) -> None:
        number, made = signals.number, signals.made
        outcome = np.where(made, signals.outcome, -1)
        for sent in (_SENT, _MERGED, _OVERFLOWED):
            self._generated[sent].update(number[outcome == sent].tolist())
        self._delivered.update(number[~made].tolist())

    def _count_calls(self, nr: np.ndarray, result: np.ndarray, took_ns: np.ndarray) -> None:
        if not len(nr):
            return
        if (nr != nr[0]).any():
            order = np.argsort(nr, kind="stable")  # of 16 bits: a radix sort
            nr, result, took_ns = nr[order], result[order], took_ns[order]
        edges = np.concatenate([[0], np.flatnonzero(nr[1:] != nr[:-1]) + 1, [len(nr)]])
        for first, last in itertools.pairwise(edges.tolist()):
            number = int(nr[first])
            self._times[number].add(took_ns[first:last])
            results = result[first:last]
            failed = -results[(results < 0) & (results >= -syscalls.MOST_ERRNO)]
            if len(failed) and number != _RT_SIGRETURN:
                counts = np.bincount(failed)
                codes = np.flatnonzero(counts)
                self._errors[number].update(
                    dict(zip((-codes).tolist(), counts[codes].tolist(), strict=True))
                )

    def _calls(self) -> list[dict[str, Any]]:
        """One entry for each system call, the one that took longest in all first."""
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

    def _library_calls(self) -> list[dict[str, Any]]:
        """One entry for each function of the C library that is traced; its calls have no durations."""
        return [
            {
                "name": LIBRARY_NAMES.get(number, f"library_{number}"),
                "library": True,
                "calls": count,
                "errors": {},
                **dict.fromkeys(_NO_TIMES, 0),
                "hist": {},
            }
            for number, count in self._library.items()
        ]

    def _signals(self) -> list[dict[str, Any]]:
        """One entry for each signal, by number."""
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
