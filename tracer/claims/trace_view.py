"""What one run recorded, as the claims' judges ask for it: the report, and sums over any times; no kernel interface."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tracer.analysis.threads.timeline import Calls, Timeline
from tracer.kernel import syscalls
from tracer.recording.batch import Read, RecordBatch, joined
from tracer.recording.records import Kind, empty
from tracer.report import build


class Seen:
    """One recording; `read` and `facts` as for report.build."""

    def __init__(self, read: Read, facts: dict) -> None:
        self._read, self._facts = read, facts

    @cached_property
    def report(self) -> dict:
        """The whole report (docs/json.md), its operations as a list."""
        its = build.build(self._read, self._facts)
        return its | {"operations": list(its["operations"])}

    @property
    def operations(self) -> list[dict]:
        """The report's."""
        return self.report["operations"]

    def sees(self, feature: str) -> bool:
        """Whether the probes saw this (a key of the report's `features`) on the kernel that was recorded."""
        return not self.report["features"].get(feature, "").startswith("not seen")

    @property
    def messages(self) -> int:
        """How many the program says it received, or rounds it made."""
        return self.report["expected"]["messages"]

    @cached_property
    def asker(self) -> int:
        """The thread that asked for most of the data: as the kernel has its ID."""
        tids = [op["tid"] for op in self.operations]
        return max(set(tids), key=tids.count)

    @cached_property
    def window(self) -> tuple[int, int]:
        """The measured time, ns of CLOCK_MONOTONIC."""
        base = self.report["base_ns"]
        begin, end = self.report["window_ns"] or (0, self._facts["end_ns"] - base)
        return base + begin, base + end

    @property
    def calls(self) -> Calls:
        """All calls inside the window, a thread's together and in order; equal failing ones as one with a count."""
        return self._timeline[1]

    @property
    def set_up(self) -> Calls:
        """The same before the window."""
        return self._timeline[0]

    @cached_property
    def _timeline(self) -> tuple[Calls, Calls, np.ndarray, np.ndarray]:
        """(calls before and inside the window; of each absence its thread, uint32[n]; when it began, could run again,
        and ended, int64[3, n])."""
        everything = joined([RecordBatch.of(empty()), *self._read(None, None)])
        timeline = Timeline()
        part = timeline.feed(everything)
        begin, end = self.window
        calls = [
            part.calls.take(part.calls.end < begin),
            part.calls.take((part.calls.start >= begin) & (part.calls.end <= end)),
        ]
        away = part.absences.joined(timeline.finish(int(everything.time[-1]))[0])
        until = np.where(away.could_run, away.out, np.minimum(away.woken, away.back))
        return *calls, away.tid, np.stack([away.out, until, away.back])

    def thread(self, tid: int) -> dict | None:
        """The report's entry of one thread."""
        return next((its for its in self.report["threads"] if its["tid"] == tid), None)

    @cached_property
    def deliveries(self) -> RecordBatch:
        """Signals delivered to a handler inside the window, in time order."""
        rows = joined([RecordBatch.of(empty()), *self._read(*self.window)])
        return rows.take((rows.kind == Kind.SIGNAL_DELIVER) & (rows.start == 1))

    # sums over times

    def waits(self) -> np.ndarray:
        """Of each operation the time from asking to readiness, ns of CLOCK_MONOTONIC: int64[n, 2]."""
        base = self.report["base_ns"]
        times = [(base + op["ask_ns"], base + op["ready_ns"]) for op in self.operations]
        return np.array(times, np.int64).reshape(-1, 2)

    def blocked(self, tid: int, spans: np.ndarray) -> int:
        """How long (ns) a thread was asleep inside `spans`, int64[n, 2] in order and apart."""
        return self._away(tid, spans, 0, 1)

    def runnable(self, tid: int, spans: np.ndarray) -> int:
        """How long (ns) it waited for a CPU inside them."""
        return self._away(tid, spans, 1, 2)

    def on_cpu(self, tid: int, spans: np.ndarray) -> int:
        """How long (ns) it had a CPU inside them."""
        return length(spans) - self._away(tid, spans, 0, 2)

    def _away(self, tid: int, spans: np.ndarray, begin: int, end: int) -> int:
        _, _, tids, times = self._timeline
        return overlap(times[[begin, end]][:, tids == tid].T, spans)

    # counts

    def of_class(self, *names: str) -> Calls:
        """Those of `calls` that are of these names or of these classes (select, poll, epoll_wait)."""
        return of_class(self.calls, *names)

    def receives(self, tid: int) -> Calls:
        """Those of a thread that are of the receive family and brought something."""
        calls = self.of_class(*syscalls.RECEIVE)
        return calls.take((calls.tid == tid) & (calls.result > 0))

    @property
    def all_calls(self) -> int:
        """System calls in the window, of all threads."""
        return sum(call["calls"] for call in self.report["syscalls"] if not call.get("library"))

    @property
    def again(self) -> int:
        """Receives that found nothing (EAGAIN)."""
        return sum(
            call["errors"].get("EAGAIN", 0)
            for call in self.report["syscalls"]
            if call["name"] in syscalls.RECEIVE
        )


def of_class(calls: Calls, *names: str) -> Calls:
    """Those of these names or of these classes."""
    members = tuple(member for name in names for member in syscalls.CLASSES.get(name, (name,)))
    return calls.take(np.isin(calls.nr, syscalls.class_numbers(members)))


def length(spans: np.ndarray) -> int:
    """Of int64[n, 2] in all."""
    return int((spans[:, 1] - spans[:, 0]).sum())


def overlap(one: np.ndarray, other: np.ndarray) -> int:
    """How long (ns) two lists of times, int64[n, 2], each in order and apart from one another, have in common."""
    if not len(one) or not len(other):
        return 0
    had = np.append(0, np.cumsum(one[:, 1] - one[:, 0]))

    def until_then(times: np.ndarray) -> np.ndarray:
        place = np.searchsorted(one[:, 0], times, "right")
        last = np.maximum(place - 1, 0)
        return np.where(place > 0, had[last] + np.minimum(times, one[last, 1]) - one[last, 0], 0)

    return int((until_then(other[:, 1]) - until_then(other[:, 0])).sum())


def common(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The times that two such lists have in common, as another one."""
    begin = np.maximum(one[:, None, 0], other[None, :, 0]).ravel()
    end = np.minimum(one[:, None, 1], other[None, :, 1]).ravel()
    found = np.stack([begin, end], axis=1)[begin < end]
    return found[np.argsort(found[:, 0])]
