"""Each thread's timeline, batch by batch: system calls with what happened inside them, and times off the CPU.

A batch takes one pass of array operations; before it the rows of each thread are brought together. The rows of a call
or a time off the CPU that has not ended are carried over to the next batch: where batches are cut changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.messages import Messages, messages_of
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch, Scratch, joined
from tracer.recording.records import Kind, empty

NEVER = np.iinfo(np.int64).max
RESTART_BLOCK = -516  # ERESTART_RESTARTBLOCK: the call goes on as restart_syscall
_PREVIOUS = 0  # stands for the kind of a call that an earlier batch has dealt with

_CALLS = number_set((Kind.CALL, Kind.OPEN))
_SWITCHES = number_set((Kind.SWITCH_OUT, Kind.SWITCH_IN, Kind.WAKING, Kind.THREAD, Kind.EXIT))
_RUNS = number_set((Kind.SWITCH_IN, Kind.EXIT))  # a thread has a CPU when it makes these records
_LESSONS = number_set((Kind.DESCRIPTOR, Kind.ARGS))
_BREAKS = number_set((Kind.SWITCH_OUT, Kind.SIGNAL_DELIVER))  # end a run of equal failing calls
_WANTED = _CALLS | _SWITCHES | _LESSONS | _BREAKS | number_set((Kind.COPY, Kind.MESSAGES))


@dataclass(slots=True)
class OffCpu(Table):
    """Times off the CPU, from `out` to `back` (ns). woken: when the thread was woken (ns, NEVER: it was not).
    could_run: the thread waited for a CPU all the while (it was preempted, woken before it left the CPU, or new).
    stopped: it did not wait for anything of its own: a signal or a tracer (ptrace) had stopped it."""

    tid: np.ndarray
    out: np.ndarray
    woken: np.ndarray
    back: np.ndarray
    could_run: np.ndarray
    stopped: np.ndarray

    @property
    def blocked_until(self) -> np.ndarray:
        """When the thread could run again (ns): it was blocked from `out` until then, runnable from then to `back`."""
        return np.where(self.could_run, self.out, np.minimum(self.woken, self.back))


@dataclass(slots=True)
class Calls(Table):
    """System calls, those of a thread together and in order. A row stands for `count` equal failing calls one after
    another; else count is 1. Times are ns, 0 where there is none.

    start, last_start: entry of the first and of the last of them; end: exit of the last. out, woken, back: the last
    time that the thread slept inside and was woken; last_in: when the thread was last switched in inside; slept: the
    time asleep inside, in all; copy: the first skb_copy_datagram_iovec inside.
    """

    tid: np.ndarray
    nr: np.ndarray
    fd: np.ndarray
    result: np.ndarray
    arg: np.ndarray
    start: np.ndarray
    last_start: np.ndarray
    end: np.ndarray
    count: np.ndarray
    out: np.ndarray
    woken: np.ndarray
    back: np.ndarray
    last_in: np.ndarray
    slept: np.ndarray
    copy: np.ndarray


@dataclass(slots=True)
class CallDetails(Table):
    """Of each ARGS or DESCRIPTOR record the system call that it describes: the thread's last call before it (nr −1:
    none)."""

    nr: np.ndarray
    fd: np.ndarray
    start: np.ndarray
    result: np.ndarray
    arg: np.ndarray


@dataclass(slots=True)
class TimelineBatch:
    """What one batch brought.

    tid, start, end: every call that ended in the batch, and every call still open at the end of the trace. inside:
    times off the CPU between the end of the thread's call before and the end of a call; of: the index of that call. A
    time off the CPU with out >= start was inside the call. absences: the times off the CPU that ended in this batch.
    calls: the calls that ended, equal failing ones as one row; messages: those of them whose messages were told.
    lesson_records: the ARGS and DESCRIPTOR records; lessons: the call that each of them describes.
    """

    tid: np.ndarray
    start: np.ndarray
    end: np.ndarray
    inside: OffCpu
    of: np.ndarray
    absences: OffCpu
    calls: Calls
    messages: Messages
    lesson_records: RecordBatch
    lessons: CallDetails


def by_thread(tids: np.ndarray) -> np.ndarray | slice:
    """The order that brings the rows of each thread together, by ascending ID (tids: uint32[n]); the rows of a thread
    keep their order. IDs are numbered first, since numpy sorts 16 bits by radix sort, if the sort is stable."""
    if not len(tids) or (tids == tids[0]).all():
        return slice(None)
    seen = np.zeros(int(tids.max()) + 1, bool)
    seen[tids] = True
    ids = np.flatnonzero(seen)
    code = np.empty(len(seen), np.uint16 if len(ids) <= 1 << 16 else np.uint32)
    code[ids] = np.arange(len(ids))
    return np.argsort(code[tids], kind="stable")


class Unended(NamedTuple):
    """Times off the CPU that had not ended at the end of the trace, cut there.

    in_call: bool[n], whether the thread was inside a call that was still open then.
    unseen_switches: how many times off the CPU in the whole trace lack the record of the switch back.
    """

    absences: OffCpu
    in_call: np.ndarray
    unseen_switches: int


class Timeline:
    """Feed batches in time order; each gives a TimelineBatch."""

    def __init__(self) -> None:
        self._carried = RecordBatch.of(empty())
        self._scratch = Scratch()
        self._pending = no_off_cpu()  # ended; the call they were in has not
        self._open: dict[int, int] = {}  # thread → entry of the call still open at the trace's end
        self._unseen = 0  # times off the CPU without the record of the switch back

    def feed(self, batch: RecordBatch) -> TimelineBatch:
        """A batch in time order, not older than what was fed before."""
        rows = self._with_carried(batch)
        is_call = _CALLS[rows.kind]
        calls = fields.Calls(rows, np.flatnonzero(is_call))
        next_call = np.cumsum(is_call)  # for a row that is no call: the index of the call after it
        switches = _Switches(rows)
        absences, out_rows, no_return = switches.absences()
        self._unseen += int((no_return | _end_with_calls(absences, rows, out_rows)).sum())
        call_tids = calls.tid
        inside, call_index = self._attach(absences, next_call[out_rows], call_tids)
        copies, copies_left = _copies(rows, calls, next_call)
        messages, messages_left = messages_of(rows, calls, next_call)
        self._note_open(rows)
        carried = switches.left() | copies_left | messages_left | _last_calls(rows, is_call)
        self._carried = rows.take(carried & ~_exited(rows))
        self._carried.kind[_CALLS[self._carried.kind]] = _PREVIOUS
        return TimelineBatch(
            call_tids,
            calls.start,
            calls.time,
            inside,
            call_index,
            absences,
            _folded(calls, inside, call_index, copies),
            messages,
            *_lessons(rows, is_call),
        )

    def finish(self, end: int) -> Unended:
        """The times off the CPU that had not ended at `end` (ns)."""
        rows = self._carried
        still_open = [
            self._open.get(tid) == start
            for tid, start in zip(rows.tid.tolist(), rows.start.tolist(), strict=True)
        ]
        rows = rows.take(~((rows.kind == _PREVIOUS) & np.array(still_open, bool)))
        closing = rows.take((rows.kind == Kind.SWITCH_OUT) | (rows.kind == Kind.THREAD))
        closing.time[:] = end
        closing.kind[:] = Kind.SWITCH_IN
        both = joined([rows, closing])
        both = both.take(by_thread(both.tid))
        absences, out_rows, _ = _Switches(both).absences()
        self._unseen += int(_end_with_calls(absences, both, out_rows).sum())
        opened = np.array([self._open.get(tid, NEVER) for tid in absences.tid.tolist()], np.int64)
        return Unended(absences, absences.out >= opened, self._unseen)

    def _with_carried(self, batch: RecordBatch) -> RecordBatch:
        """The rows carried over from the batch before and the rows that a timeline needs, those of each thread
        together."""
        wanted = _WANTED[batch.kind]
        rows = self._scratch.hold(self._carried, batch if wanted.all() else batch.take(wanted))
        return rows.take(by_thread(rows.tid))

    def _note_open(self, rows: RecordBatch) -> None:
        calls = fields.Calls(rows, rows.kind == Kind.OPEN)
        self._open |= zip(calls.tid.tolist(), calls.start.tolist(), strict=True)

    def _attach(
        self, ended: OffCpu, next_call: np.ndarray, call_tids: np.ndarray
    ) -> tuple[OffCpu, np.ndarray]:
        """Times off the CPU, each with the index of the call of the thread that ended next; where none has ended yet,
        the time off the CPU stays pending."""
        absences = self._pending.joined(ended) if len(self._pending) else ended
        call_index = np.concatenate([np.searchsorted(call_tids, self._pending.tid), next_call])
        attached = np.zeros(len(absences), bool)
        known = call_index < len(call_tids)
        attached[known] = call_tids[call_index[known]] == absences.tid[known]
        self._pending = absences.take(~attached)
        return absences.where(attached), call_index[attached]


class TimelineStep(Step[TimelineBatch, Unended]):
    """The timeline as the first step of the pass."""

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._end = 0

    def feed(self, batch: RecordBatch, state: State) -> TimelineBatch:
        if len(batch):
            self._end = int(batch.time[-1])
        return self._timeline.feed(batch)

    def finish(self, results: Results) -> Unended:
        return self._timeline.finish(self._end)


class _Switches:
    """The rows of a batch that bound times off the CPU: switches, wakings, births and ends; those of each thread
    together, in order of time. A time off the CPU begins with a switch away or a birth, and ends with the thread's next
    row that is no waking: at the latest with the thread's end."""

    def __init__(self, rows: RecordBatch) -> None:
        self._rows = rows
        self._switch_rows = np.flatnonzero(_SWITCHES[rows.kind])
        self._kind, self._time, self._tid = (
            column[self._switch_rows] for column in (rows.kind, rows.time, rows.tid)
        )
        self._is_waking = self._kind == Kind.WAKING
        self._next_is_same = self._tid[1:] == self._tid[:-1]  # the same thread has the next row

    def absences(self) -> tuple[OffCpu, np.ndarray, np.ndarray]:
        """(times off the CPU that ended, the row with which each began, whether each ended with the next switch away:
        then the record of the switch back is missing)."""
        first, last = self._ended()
        out_rows = self._switch_rows[first]
        woken = self._woken(first)
        born, outs = self._kind[first] == Kind.THREAD, fields.SwitchesOut(self._rows, out_rows)
        could_run = outs.preempted | born | self._woken_early(first, woken)
        stopped = outs.stopped & ~could_run
        absences = OffCpu(
            self._tid[first], self._time[first], woken, self._time[last], could_run, stopped
        )
        return absences, out_rows, self._kind[last] == Kind.SWITCH_OUT

    def left(self) -> np.ndarray:
        """bool for each row of the batch: whether the next batch needs it. The next batch needs, of each thread, the
        rows after the last switch; that switch too if it is a switch away, with a waking just before it."""
        needed = np.zeros(len(self._rows), bool)
        if not len(self._switch_rows):
            return needed
        group_end = np.append(np.flatnonzero(~self._next_is_same), len(self._switch_rows) - 1)
        group_start = np.concatenate([[0], group_end[:-1] + 1])
        places = np.where(self._is_waking, -1, np.arange(len(self._switch_rows)))
        last = np.maximum.accumulate(places)[group_end]
        away = (last >= group_start) & ~_RUNS[self._kind[np.maximum(last, 0)]]
        since = np.where(last < group_start, group_start, last + 1 - away)
        since -= away & (since > group_start) & self._is_waking[np.maximum(since - 1, 0)]
        needed[self._switch_rows[_ranges(since, group_end + 1 - since)]] = True
        return needed

    def _ended(self) -> tuple[np.ndarray, np.ndarray]:
        """(beginning, end) of each time off the CPU that ended: indices into the switches."""
        switch = np.flatnonzero(~self._is_waking)
        begins = ~_RUNS[self._kind[switch[:-1]]]
        pair = np.flatnonzero(begins & (self._tid[switch[1:]] == self._tid[switch[:-1]]))
        return switch[pair], switch[pair + 1]

    def _woken(self, first: np.ndarray) -> np.ndarray:
        """When the first waking after each beginning came (ns), NEVER where none came before the end."""
        following = np.minimum(first + 1, len(self._switch_rows) - 1)
        woken = self._is_waking[following] & (following > first)
        return np.where(woken, self._time[following], NEVER)

    def _woken_early(self, first: np.ndarray, woken: np.ndarray) -> np.ndarray:
        """Whether the waking came just before the switch away: a thread marks itself as asleep before it leaves the
        CPU, and can be woken in between."""
        preceding = np.maximum(first - 1, 0)
        same = self._next_is_same[np.minimum(preceding, len(self._next_is_same) - 1)]
        early: np.ndarray = (woken == NEVER) & (first > 0) & self._is_waking[preceding] & same
        return early


def _ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """starts[0], starts[0] + 1, … (counts[0] of them), then the same from starts[1] on, and so forth."""
    offsets = starts - np.concatenate([[0], np.cumsum(counts)[:-1]])
    numbers: np.ndarray = np.repeat(offsets, counts)
    return numbers + np.arange(len(numbers))


def no_calls() -> Calls:
    """A table without rows."""
    dtypes = (np.uint32, np.int32, np.int32, np.int64, np.uint32, *[np.int64] * 10)
    return Calls(*(np.empty(0, dtype) for dtype in dtypes))


def no_off_cpu() -> OffCpu:
    """A table without rows."""
    out, woken, back = (np.empty(0, np.int64) for _ in range(3))
    return OffCpu(np.empty(0, np.uint32), out, woken, back, np.empty(0, bool), np.empty(0, bool))


def _end_with_calls(absences: OffCpu, rows: RecordBatch, out_rows: np.ndarray) -> np.ndarray:
    """Ends times off the CPU, in place, at the exit of the thread's next call at the latest: a thread that returns from
    a call has a CPU. Gives bool[n]: which times off the CPU were cut.

    That is needed where a kernel shows a switch away and not the switch back, and counts nothing as missed: rare, seen
    on a 6.18 that never shows switches from the threads of process 1 to others (ftrace and perf lack them too)."""
    # of the calls of earlier batches only the last is left
    is_call = _CALLS[rows.kind] | (rows.kind == _PREVIOUS)
    call_rows = np.flatnonzero(is_call & (rows.kind != Kind.OPEN))
    next_call = np.searchsorted(call_rows, out_rows)
    known = next_call < len(call_rows)
    known[known] = rows.tid[call_rows[next_call[known]]] == absences.tid[known]
    known[known] = rows.time[call_rows[next_call[known]]] < absences.back[known]
    absences.back[known] = rows.time[call_rows[next_call[known]]]
    return known


def _copies(
    rows: RecordBatch, calls: fields.Calls, next_call: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(for each call the time of the first copy inside, ns, 0 where there is none; for each row whether it is a copy
    inside a call that has not ended yet)."""
    left = np.zeros(len(rows), bool)
    # backwards, so that the first copy in a call stays
    copy_rows = np.flatnonzero(rows.kind == Kind.COPY)[::-1]
    call_index = next_call[copy_rows]
    known = call_index < len(calls)
    known[known] = calls.where(call_index[known]).tid == rows.tid[copy_rows[known]]
    left[copy_rows[~known]] = True
    copies, call_index = fields.Copies(rows, copy_rows[known]), call_index[known]
    inside = copies.time >= calls.where(call_index).start
    first = np.zeros(len(calls), np.int64)
    first[call_index[inside]] = copies.time[inside]
    return first, left


def _last_calls(rows: RecordBatch, is_call: np.ndarray) -> np.ndarray:
    """bool for each row: whether it is the last call of a thread."""
    last = np.zeros(len(rows), bool)
    call_rows = np.flatnonzero(is_call | (rows.kind == _PREVIOUS))
    tid = rows.tid[call_rows]
    last[call_rows[np.append(tid[1:] != tid[:-1], True)[: len(call_rows)]]] = True
    return last


def _exited(rows: RecordBatch) -> np.ndarray:
    """bool for each row: whether the thread is gone (an EXIT of the same ID follows)."""
    gone = np.flatnonzero(rows.kind == Kind.EXIT)
    over = np.zeros(len(rows), bool)
    if len(gone):
        following = np.minimum(np.searchsorted(gone, np.arange(len(rows))), len(gone) - 1)
        over = (gone[following] >= np.arange(len(rows))) & (rows.tid[gone[following]] == rows.tid)
    return over


def _folded(
    calls: fields.Calls, inside: OffCpu, call_index: np.ndarray, copies: np.ndarray
) -> Calls:
    """The calls that ended, each run of equal failing ones as one row. inside, call_index: TimelineBatch's `inside` and
    `of`."""
    goes_on = _goes_on(calls)
    first = np.flatnonzero(~goes_on)
    last = np.append(first[1:], len(calls))[: len(first)] - 1
    run = np.cumsum(~goes_on) - 1  # of each call
    within = inside.out >= calls.where(call_index).start
    asleep = _asleep(inside.where(within), run[call_index[within]], len(first))
    begun, ended = calls.where(first), calls.where(last)
    folded = Calls(
        ended.tid,
        ended.number.astype(np.int32),
        ended.fd,
        ended.result,
        ended.argument,
        begun.start,
        ended.start,
        ended.time,
        last - first + 1,
        *asleep,
        copies[last],
    )
    return _restarted(folded.where(ended.kind != Kind.OPEN), calls.batch)


def _goes_on(calls: fields.Calls) -> np.ndarray:
    """bool for each call: whether it repeats the call before: the same thread, call, descriptor and error, and neither
    a switch nor a signal in between."""
    failed = calls.result < 0
    same = np.zeros(len(calls), bool)
    if len(same) < 2:
        return same
    same[1:] = failed[1:] & failed[:-1]
    if not same.any():
        return same
    breaks = np.cumsum(_BREAKS[calls.batch.kind])[calls.rows]
    for values in (calls.tid, calls.number, calls.fd, calls.result, calls.kind, breaks):
        if same.any():
            same[1:] &= values[1:] == values[:-1]
    return same


class _Asleep(NamedTuple):
    """The columns of Calls that say when the thread was off the CPU inside."""

    out: np.ndarray
    woken: np.ndarray
    back: np.ndarray
    last_in: np.ndarray
    slept: np.ndarray


def _asleep(inside: OffCpu, run: np.ndarray, count: int) -> _Asleep:
    """When the threads slept inside `count` calls; inside: the times off the CPU; run: the index of the call that each
    was in."""
    out, woken, back, last_in, slept = (np.zeros(count, np.int64) for _ in range(5))
    last_in[run] = inside.back
    was_woken = (inside.woken != NEVER) & ~inside.stopped
    sleeps, slept_in = inside.where(was_woken), run[was_woken]
    out[slept_in], woken[slept_in], back[slept_in] = sleeps.out, sleeps.woken, sleeps.back
    np.add.at(slept, slept_in, sleeps.back - sleeps.out)
    return _Asleep(out, woken, back, last_in, slept)


def _restarted(calls: Calls, rows: RecordBatch) -> Calls:
    """Gives a restart_syscall the number and arguments of the call that it continues, in place."""
    again = np.flatnonzero(calls.nr == syscalls.numbers()["restart_syscall"])
    if not len(again):
        return calls
    previous = fields.Calls(rows, np.flatnonzero(rows.kind == _PREVIOUS))
    earlier = {tid: row for row, tid in enumerate(previous.tid.tolist())}
    for i in again.tolist():  # few, and one may follow another
        if i and calls.tid[i - 1] == calls.tid[i]:
            before = tuple(
                column[i - 1] for column in (calls.nr, calls.fd, calls.arg, calls.result)
            )
        elif (row := earlier.get(int(calls.tid[i]))) is not None:
            columns = (previous.number, previous.fd, previous.argument, previous.result)
            before = tuple(column[row] for column in columns)
        else:
            continue
        *call, result = before
        if result == RESTART_BLOCK:
            calls.nr[i], calls.fd[i], calls.arg[i] = call
    return calls


def _lessons(rows: RecordBatch, is_call: np.ndarray) -> tuple[RecordBatch, CallDetails]:
    """ARGS and DESCRIPTOR records, each with the system call that it describes: the thread's last call before it."""
    lesson_rows = np.flatnonzero(_LESSONS[rows.kind])
    if not len(lesson_rows):
        none = np.empty(0, np.int64)
        return rows.take(lesson_rows), CallDetails(none, none, none, none, none)
    call_rows = np.where(is_call | (rows.kind == _PREVIOUS), np.arange(len(rows)), -1)
    last_call = np.maximum.accumulate(call_rows)[lesson_rows]
    known = last_call >= 0
    known[known] = rows.tid[last_call[known]] == rows.tid[lesson_rows[known]]
    call = fields.Calls(rows, last_call)
    number = np.where(known, call.number.astype(np.int64), -1)
    details = CallDetails(number, call.fd, call.start, call.result, call.argument)
    return rows.take(lesson_rows), details
