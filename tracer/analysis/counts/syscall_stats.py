"""Counts, batch by batch: system calls by number, with errors and times, and signals."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from tracer.analysis.steps.step import ReportPart, Results, State
from tracer.analysis.tables.distribution import Distribution
from tracer.kernel import syscalls
from tracer.kernel.signal_names import signal_name
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Calls, LibraryCalls, Signals, UnenteredCalls
from tracer.recording.records import LIBRARY_NAMES, Kind

_SIGWAIT = syscalls.numbers()["rt_sigtimedwait"]
# the result of rt_sigreturn is a register of the interrupted code, no error
_RT_SIGRETURN = syscalls.numbers()["rt_sigreturn"]
_TIMES = ("total_ns", "min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns")
_NOT_TIMED: dict[str, Any] = {**dict.fromkeys(_TIMES, 0), "hist": {}}
_Number: TypeAlias = tuple[int, int]
"""A record's `nr`, and its `arg` where that holds the number (else 0)."""
# The result of a signal's generation (include/trace/events/signal.h, TRACE_SIGNAL_*).
_SENT, _IGNORED, _MERGED, _OVERFLOWED = range(4)


class SyscallStats(ReportPart):
    """The report's `syscalls` and `signals`: calls that ended and signals that came inside the window."""

    def __init__(self) -> None:
        self._times: dict[_Number, Distribution] = defaultdict(Distribution)
        self._errors: dict[_Number, Counter[int]] = defaultdict(Counter)
        self._unentered: Counter[_Number] = Counter()
        self._trapped: Counter[_Number] = Counter()
        self._library: Counter[int] = Counter()
        self._generated: dict[int, Counter[int]] = defaultdict(Counter)  # by outcome
        self._delivered: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()

    def feed(self, batch: RecordBatch, state: State) -> None:
        library = LibraryCalls.of(batch)
        inside = state.window.holds(library.time)
        self._library.update(library.function[inside].tolist())
        first = np.searchsorted(batch.time, state.window.begin, "left")
        last = np.searchsorted(batch.time, state.window.end, "right")
        batch = batch.take(slice(first, last))
        calls = Calls(batch, batch.kind == Kind.CALL)
        number, result = calls.number, calls.result
        taken = result[number == _SIGWAIT]
        self._taken.update(taken[taken > 0].tolist())
        self._count_calls(number, result, calls.time - calls.start, calls.argument)
        self._count_unentered(UnenteredCalls.of(batch))
        self._count_signals(Signals.of(batch))

    def finish(self, results: Results) -> dict[str, Any]:
        return {"syscalls": self._calls() + self._library_calls(), "signals": self._signals()}

    def _count_signals(self, signals: Signals) -> None:
        number, made = signals.number, signals.made
        outcome = np.where(made, signals.outcome, -1)
        for sent in (_SENT, _MERGED, _OVERFLOWED):
            self._generated[sent].update(number[outcome == sent].tolist())
        self._delivered.update(number[~made].tolist())

    def _count_calls(
        self, nr: np.ndarray, result: np.ndarray, took_ns: np.ndarray, arg: np.ndarray
    ) -> None:
        for number, rows in _by_number(nr, arg):
            self._times[number].add(took_ns[rows])
            self._count_errors(number, result[rows])

    def _count_unentered(self, calls: UnenteredCalls) -> None:
        result, trapped = calls.result, calls.trapped
        for number, rows in _by_number(calls.number, calls.argument):
            by_signal = trapped[rows]
            self._unentered[number] += len(by_signal)
            self._trapped[number] += int(by_signal.sum())
            self._count_errors(number, result[rows][~by_signal])

    def _count_errors(self, number: _Number, results: np.ndarray) -> None:
        failed = -results[(results < 0) & (results >= -syscalls.MOST_ERRNO)]
        if len(failed) and number != (_RT_SIGRETURN, 0):
            counts = np.bincount(failed)
            codes = np.flatnonzero(counts)
            self._errors[number].update(
                dict(zip((-codes).tolist(), counts[codes].tolist(), strict=True))
            )

    def _calls(self) -> list[dict[str, Any]]:
        """One entry for each system call, the one that took longest in all first."""
        return sorted(
            (self._row(number) for number in self._times.keys() | self._unentered.keys()),
            key=lambda call: (-call["total_ns"], call["name"]),
        )

    def _row(self, number: _Number) -> dict[str, Any]:
        """The entry of one system call."""
        call, times = syscalls.Call.of(*number), self._times.get(number)
        summary = times.summary() if times else {"count": 0, **_NOT_TIMED}
        errors = {syscalls.error_name(code): count for code, count in self._errors[number].items()}
        row: dict[str, Any] = {"name": call.name}
        if call.abi != syscalls.X86_64 and call.name_in_abi:
            row["abi_name"] = call.name_in_abi
        return row | {
            "calls": summary.pop("count") + self._unentered[number],
            "errors": errors,
            "unentered": self._unentered[number],
            "trapped": self._trapped[number],
            **summary,
        }

    def _library_calls(self) -> list[dict[str, Any]]:
        """One entry for each function of the C library that is traced; its calls have no durations."""
        return [
            {
                "name": LIBRARY_NAMES.get(number, f"library_{number}"),
                "library": True,
                "calls": count,
                "errors": {},
                "unentered": 0,
                "trapped": 0,
                **_NOT_TIMED,
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


def _by_number(nr: np.ndarray, arg: np.ndarray) -> Iterator[tuple[_Number, np.ndarray | slice]]:
    """(which call, its rows) for each call among the records with these `nr` and `arg`."""
    if not len(nr):
        return
    order: np.ndarray | None = None
    if (nr != nr[0]).any():
        order = np.argsort(nr, kind="stable")  # of 16 bits: a radix sort
        nr = nr[order]
    edges = np.concatenate([[0], np.flatnonzero(nr[1:] != nr[:-1]) + 1, [len(nr)]])
    for first, last in itertools.pairwise(edges.tolist()):
        number = int(nr[first])
        rows = slice(first, last) if order is None else order[first:last]
        if number & syscalls.WHOLE != syscalls.WHOLE:
            yield (number, 0), rows
            continue
        places = np.arange(first, last) if isinstance(rows, slice) else rows
        for whole in np.unique(arg[places]).tolist():
            yield (number, whole), places[arg[places] == whole]
