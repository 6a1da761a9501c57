"""One recording, with what the judges of claims need: the report, and sums over any times; no kernel interface."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tracer.analysis.tables.intervals import Intervals
from tracer.analysis.threads.timeline import Calls, OffCpu, Timeline
from tracer.kernel import syscalls
from tracer.recording.batch import Read, RecordBatch, joined
from tracer.recording.fields import LibraryCalls, Signals
from tracer.recording.records import LIBRARY_NAMES, empty
from tracer.report import build
from tracer.report.contract import Expected, Facts, Operation, Report, Thread


class TraceView:
    """One recording; `read` and `facts` as for report.build."""

    def __init__(self, read: Read, facts: Facts) -> None:
        self._read, self._facts = read, facts

    @cached_property
    def report(self) -> Report:
        """The whole report (docs/json.md), its operations as a list."""
        report = build.build(self._read, self._facts)
        return report | {"operations": list(report["operations"])}

    @property
    def operations(self) -> Sequence[Operation]:
        """The operations of the report."""
        return self.report["operations"]

    def sees(self, feature: str) -> bool:
        """Whether the probes saw this (a key of the report's `features`) on the kernel that was recorded."""
        return not self.report["features"].get(feature, "").startswith("not seen")

    @property
    def messages(self) -> int:
        """The number of messages that the program noted as received, or of rounds that it made."""
        return self.expected["messages"]

    @property
    def expected(self) -> Expected:
        """What the program noted of its own work."""
        expected = self.report["expected"]
        assert expected, "programs of scenarios/ leave notes, and only they are looked at"
        return expected

    @cached_property
    def asker(self) -> int:
        """The ID of the thread that asked for most of the data."""
        tids = [operation["tid"] for operation in self.operations]
        return max(set(tids), key=tids.count)

    @cached_property
    def window(self) -> tuple[int, int]:
        """(begin, end) of the measured time, ns of CLOCK_MONOTONIC."""
        base = self.report["base_ns"]
        begin, end = self.report["window_ns"] or (0, self._facts["end_ns"] - base)
        return base + begin, base + end

    @property
    def calls(self) -> Calls:
        """All calls inside the window, those of a thread together and in order; equal failing ones as one with a
        count."""
        return self._timeline[1]

    @property
    def set_up(self) -> Calls:
        """All calls before the window, in the same form."""
        return self._timeline[0]

    @cached_property
    def _timeline(self) -> tuple[Calls, Calls, OffCpu]:
        """(calls before and inside the window, times off the CPU)."""
        everything = joined([RecordBatch.of(empty()), *self._read(None, None)])
        timeline = Timeline()
        brought = timeline.feed(everything)
        begin, end = self.window
        before = brought.calls.take(brought.calls.end < begin)
        inside = brought.calls.take((brought.calls.start >= begin) & (brought.calls.end <= end))
        away = brought.absences.joined(timeline.finish(int(everything.time[-1]))[0])
        return before, inside, away

    def threads_beside(self, tid: int) -> list[Thread]:
        """The report's entries of all threads in the process of a thread."""
        threads = self.report["threads"]
        tgid = next(thread["tgid"] for thread in threads if thread["tid"] == tid)
        return [thread for thread in threads if thread["tgid"] == tgid]

    @cached_property
    def deliveries(self) -> Signals:
        """Signals delivered to a handler inside the window, in time order."""
        signals = Signals.of(joined([RecordBatch.of(empty()), *self._read(*self.window)]))
        return signals.where(~signals.made & signals.handled)

    def library_calls(self, name: str) -> LibraryCalls:
        """The calls of a function of the C library inside the window, in time order."""
        library = LibraryCalls.of(joined([RecordBatch.of(empty()), *self._read(*self.window)]))
        numbers = [number for number, its in LIBRARY_NAMES.items() if its == name]
        return library.where(np.isin(library.function, numbers))

    # sums over times

    def waits(self) -> np.ndarray:
        """For each operation (ask, ready), ns of CLOCK_MONOTONIC: int64[n, 2]."""
        base = self.report["base_ns"]
        times = [
            (base + operation["ask_ns"], base + operation["ready_ns"])
            for operation in self.operations
        ]
        return np.array(times, np.int64).reshape(-1, 2)

    def blocked(self, tid: int, spans: np.ndarray) -> int:
        """How long (ns) a thread was asleep inside `spans`, int64[n, 2] in order and without overlap."""
        return _overlap(spans, self._away(tid).out, self._away(tid).blocked_until)

    def runnable(self, tid: int, spans: np.ndarray) -> int:
        """How long (ns) a thread waited for a CPU inside `spans`."""
        return _overlap(spans, self._away(tid).blocked_until, self._away(tid).back)

    def on_cpu(self, tid: int, spans: np.ndarray) -> int:
        """How long (ns) a thread had a CPU inside `spans`."""
        return length(spans) - _overlap(spans, self._away(tid).out, self._away(tid).back)

    def _away(self, tid: int) -> OffCpu:
        away = self._timeline[2]
        return away.take(away.tid == tid)

    # counts

    def of_class(self, *names: str) -> Calls:
        """The calls with these names or of these classes (select, poll, epoll_wait)."""
        return of_class(self.calls, *names)

    def receives(self, tid: int) -> Calls:
        """The receives of a thread that brought data."""
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
    """The calls with these names or of these classes."""
    members = tuple(member for name in names for member in syscalls.CLASSES.get(name, (name,)))
    return calls.take(np.isin(calls.nr, syscalls.class_numbers(members)))


def length(spans: np.ndarray) -> int:
    """The length of all spans, int64[n, 2], in all."""
    return int((spans[:, 1] - spans[:, 0]).sum())


def _overlap(spans: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> int:
    """How much of `spans` lies between `begins` and `ends` (ns)."""
    return int(Intervals(begins, ends).within(spans[:, 0], spans[:, 1]).sum())


def common(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The spans, int64[n, 2], that lie in both lists of spans."""
    begin = np.maximum(one[:, None, 0], other[None, :, 0]).ravel()
    end = np.minimum(one[:, None, 1], other[None, :, 1]).ravel()
    both: np.ndarray = np.stack([begin, end], axis=1)[begin < end]
    return both[np.argsort(both[:, 0])]
