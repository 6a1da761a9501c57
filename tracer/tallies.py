"""Counts of what happened, batch by batch: system calls by number with their errors and times, signals."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict

import numpy as np

from tracer import syscalls
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

    def feed(self, records: np.ndarray) -> None:
        """RECORD[n] in time order."""
        if self._window:
            first, last = np.searchsorted(records["time"], self._window, "left")
            records = records[first:last]
        kinds = records["kind"]
        calls = records[kinds == Kind.CALL]
        for number in np.unique(calls["nr"]).tolist():
            mine = calls[calls["nr"] == number]
            self._times[number].add(mine["time"] - mine["start"])
            failed = mine["result"][(mine["result"] < 0) & (mine["result"] >= -_MOST_ERRNO)]
            if len(failed) and number != _RT_SIGRETURN:
                codes, counts = np.unique(failed, return_counts=True)
                self._errors[number].update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
        made = records[kinds == Kind.SIGNAL_GENERATE]
        self._generated.update(made["fd"][made["result"] == _TRACE_SIGNAL_DELIVERED].tolist())
        self._delivered.update(records["fd"][kinds == Kind.SIGNAL_DELIVER].tolist())

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
