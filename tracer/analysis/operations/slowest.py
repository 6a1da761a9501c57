"""The slowest operations, each explained: in each phase what its thread did, who woke it, who had the CPU meanwhile,
and what the sender of its data did. Facts only: their sentences are report/wording's.

The recording is read again around each of them; docs/model.md says what the phases and the states of threads are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.analysis.threads.timeline import NEVER, Timeline, TimelineBatch
from tracer.kernel import syscalls
from tracer.recording.batch import Read, RecordBatch, joined
from tracer.recording.fields import Readinesses, SwitchesIn, Wakings
from tracer.recording.records import Kind, empty
from tracer.terms import PHASE_SPANS

LEAST_SHARE = 0.05  # of an operation's time: what took less is not told
MOST_REASONS = 6
IDLE = 0  # the thread of an idle CPU


@dataclass(frozen=True)
class NoData:
    """Nothing had come. asleep, runnable: of that time the thread was asleep, or waited for a CPU (ns); call: the one
    in which it slept longest; asked: receives that found nothing."""

    ns: int
    asleep: int
    runnable: int
    call: str
    asked: int


@dataclass(frozen=True)
class Sent:
    """The thread on whose CPU the data came (IDLE: by an interrupt); of the wait, how long it slept, waited for a CPU
    and had one (ns), where it was traced."""

    ns: int
    tid: int
    traced: bool
    asleep: int
    runnable: int


@dataclass(frozen=True)
class WokenLate:
    """From readiness until the thread was woken. waker: who woke it."""

    ns: int
    waker: int


@dataclass(frozen=True)
class HandedOver:
    """From readiness until the thread that was told (teller) knew: another one received."""

    ns: int
    teller: int


@dataclass(frozen=True)
class NoCpu:
    """The thread could run, and had no CPU. holder: who had the CPU just before the thread got it (IDLE: nobody);
    phase: in which."""

    ns: int
    holder: int
    phase: str


@dataclass(frozen=True)
class AsleepIn:
    """The thread slept although its data was there. waker: who ended the last such sleep (NOT_SEEN: nobody seen)."""

    ns: int
    call: str
    waker: int
    phase: str


@dataclass(frozen=True)
class InCall:
    """On a CPU inside a call."""

    ns: int
    call: str
    phase: str


@dataclass(frozen=True)
class Computed:
    """On a CPU in no call."""

    ns: int
    phase: str


@dataclass(frozen=True)
class Copied:
    """The copy itself, on a CPU."""

    ns: int
    bytes: int


NOT_SEEN = -1
Why = NoData | Sent | WokenLate | HandedOver | NoCpu | AsleepIn | InCall | Computed | Copied


@dataclass(frozen=True)
class Slow:
    """One operation: its index, its phases (ns) and where the time went, in the order of time."""

    index: int
    phases: dict[str, int]
    why: list[Why]


class Slowest(Step[None, list[Slow]]):
    """The slowest operations, by done − ask, the slowest first; as many as were asked for."""

    NEEDS = (OperationsInWindow, ThreadStates)
    ON_REQUEST: ClassVar[str] = "slowest"

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Does nothing: the recording is read again when the slowest are known."""

    def finish(self, results: Results) -> list[Slow]:
        operations, recording = results[OperationsInWindow], results.recording
        traced = {thread.tid for thread in results[ThreadStates]}
        took = operations.done - operations.ask
        rows = np.argsort(-took, kind="stable")[: recording.asked.get("slowest", 0)]
        return [_explained(operations, row, recording.read, traced) for row in rows.tolist()]


def _explained(operations: Operations, row: int, read: Read, traced: set[int]) -> Slow:
    operation = next(operations.rows(slice(row, row + 1)))
    since = min(operation["raw_ask"], operation["ask"])
    records = joined([RecordBatch.of(empty()), *read(since, operation["done"])])
    phases = {name: operation[end] - operation[begin] for name, (begin, end) in PHASE_SPANS.items()}
    phases["wait"] += operation["inside"]
    phases["copy"] -= operation["inside"]
    least = LEAST_SHARE * sum(phases.values())
    story = _Story(operation, records, traced)
    why = [fact for fact in story.facts(phases) if fact.ns >= least or isinstance(fact, Sent)]
    return Slow(row, phases, _longest(why))


def _longest(why: list[Why]) -> list[Why]:
    """At most MOST_REASONS, in the order of time."""
    least = sorted((fact.ns for fact in why), reverse=True)[:MOST_REASONS]
    return [fact for fact in why if not least or fact.ns >= least[-1]][:MOST_REASONS]


class _Story:
    """One operation with the records from its ask to its end."""

    def __init__(self, operation: dict[str, int], records: RecordBatch, traced: set[int]) -> None:
        self._operation, self._records, self._traced = operation, records, traced
        self._wakings, self._switches = Wakings.of(records), SwitchesIn.of(records)

    def facts(self, phases: dict[str, int]) -> Iterator[Why]:
        """What the operation's time went into, in the order of time."""
        operation = self._operation
        asker, receiver = operation["tid"], operation["receiver_tid"] or operation["tid"]
        if operation["ready"] > operation["ask"]:
            yield from self._wait(operation["told_tid"] or asker)
        if phases["notice"]:
            yield from self._notice(receiver)
        if operation["copy_end"] > operation["copy_start"]:
            yield from self._copy(receiver)
        if phases["completion"]:
            begin, end = operation["copy_end"], operation["done"]
            yield from self._course(asker).doings(begin, end, "completion")

    def _course(self, tid: int) -> _Course:
        since = min(self._operation["raw_ask"], self._operation["ask"])
        return _Course(tid, self._records, since, self._wakings, self._switches)

    def _wait(self, tid: int) -> Iterator[Why]:
        """Before the data had come: what the thread did, and what the sender did."""
        begin, end = self._operation["ask"], self._operation["ready"]
        asleep, runnable = self._course(tid).off_cpu(begin, end)
        call = asleep.most_common(1)[0][0] if asleep else ""
        yield NoData(
            end - begin,
            sum(asleep.values()),
            sum(runnable.values()),
            call,
            self._operation["eagain_count"],
        )
        came = Readinesses.of(self._records)
        own = (came.inode == self._operation["inode"]) & (came.time == self._operation["raw_ready"])
        for sender in came.tid[own][:1].tolist():
            slept, waited = self._course(sender).off_cpu(begin, end)
            traced = sender in self._traced
            yield Sent(end - begin, sender, traced, sum(slept.values()), sum(waited.values()))

    def _notice(self, tid: int) -> Iterator[Why]:
        """While the data lay there: first until the thread was woken, then what it did."""
        begin, end = self._operation["ready"], self._operation["copy_start"]
        course = self._course(tid)
        woken = course.woken_from(begin, end)
        if self._operation["told_tid"]:
            yield HandedOver(self._operation["told"] - begin, self._operation["told_tid"])
            begin = self._operation["told"]
        elif woken is not None:
            time, waker = woken
            yield WokenLate(time - begin, waker)
            begin = time
        yield from course.doings(begin, end, "notice")

    def _copy(self, tid: int) -> Iterator[Why]:
        begin, end = self._operation["copy_start"], self._operation["copy_end"]
        course = self._course(tid)
        asleep, runnable = course.off_cpu(begin, end)
        away = sum(asleep.values()) + sum(runnable.values())
        yield Copied(end - begin - away, max(self._operation["bytes"], 0))
        inside = self._operation["inside"]
        if inside:  # asleep until more came: that is no sleep although data was there
            call = asleep.most_common(1)[0][0] if asleep else ""
            yield NoData(inside, sum(asleep.values()), inside - sum(asleep.values()), call, 0)
        wanted = NoCpu if inside else NoCpu | AsleepIn
        yield from (fact for fact in course.doings(begin, end, "copy") if isinstance(fact, wanted))


class _Course:
    """What one thread did during an operation."""

    def __init__(
        self,
        tid: int,
        records: RecordBatch,
        since: int,
        wakings: Wakings,
        switches: SwitchesIn,
    ) -> None:
        """records: of all threads from `since` on (ns)."""
        own = records.take((records.tid == tid) & (records.kind != Kind.OPEN))
        self._line: TimelineBatch = Timeline().feed(_since_before(own, since))
        self._wakings = wakings.where(wakings.tid == tid)
        self._switches = switches.where(switches.tid == tid)

    def off_cpu(self, begin: int, end: int) -> tuple[Counter[str], Counter[int]]:
        """(call → how long the thread slept in it, who had the CPU → how long the thread waited for one), ns, of the
        time from begin to end."""
        asleep: Counter[str] = Counter()
        runnable: Counter[int] = Counter()
        away = self._line.absences
        away = away.take((away.back > begin) & (away.out < end))
        for out, until, back in zip(
            away.out.tolist(), away.blocked_until.tolist(), away.back.tolist(), strict=True
        ):
            asleep[self._call_at(out)] += _overlap(out, until, begin, end)
            runnable[self._holder(back)] += _overlap(until, back, begin, end)
        return +asleep, +runnable

    def doings(self, begin: int, end: int, phase: str) -> Iterator[Why]:
        """The thread's time from begin to end, by what it did, the longest of each kind."""
        asleep, runnable = self.off_cpu(begin, end)
        for call, ns in asleep.most_common(1):
            yield AsleepIn(ns, call, self._last_waker(begin, end), phase)
        for holder, ns in runnable.most_common(1):
            yield NoCpu(ns, holder, phase)
        called = self._on_cpu_in_calls(begin, end)
        for call, ns in called.most_common(1):
            yield InCall(ns, call, phase)
        rest = end - begin - sum(asleep.values()) - sum(runnable.values()) - sum(called.values())
        if rest > 0:
            yield Computed(rest, phase)

    def woken_from(self, begin: int, end: int) -> tuple[int, int] | None:
        """(when, by whom) the thread was woken from a sleep that it was in at `begin`."""
        away = self._line.absences
        sleeping = away.take((away.out <= begin) & (away.woken >= begin) & (away.woken <= end))
        for woken in sleeping.woken[:1].tolist():
            return woken, self._waker(woken)
        return None

    def _on_cpu_in_calls(self, begin: int, end: int) -> Counter[str]:
        """Call → how long the thread was in it on a CPU (ns)."""
        calls, away = self._line.calls, self._line.inside
        called: Counter[str] = Counter()
        for row in np.flatnonzero((calls.end > begin) & (calls.start < end)).tolist():
            first, last = int(calls.start[row]), int(calls.end[row])
            off = away.take((away.out >= first) & (away.out < last))
            lost = np.minimum(off.back, end) - np.maximum(off.out, begin)
            on_cpu = _overlap(first, last, begin, end) - int(np.maximum(lost, 0).sum())
            called[syscalls.name_of(int(calls.nr[row]))] += max(on_cpu, 0)
        return +called

    def _call_at(self, time: int) -> str:
        """The name of the call that the thread was in at a time; empty: in none that ended."""
        calls = self._line.calls
        for row in np.flatnonzero((calls.start <= time) & (calls.end >= time))[:1].tolist():
            return syscalls.name_of(int(calls.nr[row]))
        return ""

    def _holder(self, back: int) -> int:
        """Who had the CPU that the thread got at `back`."""
        previous = self._switches.previous[self._switches.time == back]
        return int(previous[0]) if len(previous) else NOT_SEEN

    def _waker(self, time: int) -> int:
        waker = self._wakings.waker[self._wakings.time == time]
        return int(waker[0]) if len(waker) else NOT_SEEN

    def _last_waker(self, begin: int, end: int) -> int:
        """Who ended the last sleep between begin and end."""
        away = self._line.absences
        woken = away.woken[(away.woken != NEVER) & (away.woken > begin) & (away.woken <= end)]
        return self._waker(int(woken[-1])) if len(woken) else NOT_SEEN


def _since_before(own: RecordBatch, first: int) -> RecordBatch:
    """A thread's records, with a switch away at `first` (ns) where it had no CPU then: it slept where it is woken next,
    and waited for one where it just gets one."""
    switches = own.kind[np.isin(own.kind, (Kind.SWITCH_OUT, Kind.SWITCH_IN, Kind.WAKING))]
    if not len(switches) or switches[0] == Kind.SWITCH_OUT:
        return own
    away = own.take(np.zeros(1, np.int64))  # a copy
    away.time[:], away.start[:], away.kind[:] = first, 0, Kind.SWITCH_OUT
    away.arg[:], away.fd[:] = int(switches[0] == Kind.WAKING), 0
    return joined([away, own])


def _overlap(begin: int, end: int, since: int, until: int) -> int:
    """How long [begin, end) and [since, until) overlap (ns)."""
    return max(0, min(end, until) - max(begin, since))
