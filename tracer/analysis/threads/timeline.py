"""Each thread's own story, batch by batch: its system calls with what happened inside them, and its times off the CPU.

One pass of array operations over a batch, whose rows are first brought together by thread. What a thread has begun and
not ended is carried over to the next batch, so that where a batch is cut changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.table import Table
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch, Scratch, joined
from tracer.recording.records import Kind, empty

NEVER = np.iinfo(np.int64).max
RESTART_BLOCK = -516  # ERESTART_RESTARTBLOCK: the call goes on as restart_syscall
_PREVIOUS = 0  # stands for the kind of a call that an earlier batch has dealt with


def _kinds(*kinds: int) -> np.ndarray:
    """Whether a kind is one of these, by its number."""
    table = np.zeros(max(Kind) + 1, bool)
    table[list(kinds)] = True
    return table


_CALLS = _kinds(Kind.CALL, Kind.OPEN)
_SWITCHES = _kinds(Kind.SWITCH_OUT, Kind.SWITCH_IN, Kind.WAKING, Kind.THREAD, Kind.EXIT)
_RUNS = _kinds(Kind.SWITCH_IN, Kind.EXIT)  # what only a thread that has a CPU does
_LESSONS = _kinds(Kind.DESCRIPTOR, Kind.ARGS)
_BREAKS = _kinds(Kind.SWITCH_OUT, Kind.SIGNAL_DELIVER)
_WANTED = _CALLS | _SWITCHES | _LESSONS | _BREAKS | _kinds(Kind.COPY, Kind.EXIT)


@dataclass(slots=True)
class OffCpu(Table):
    """Times off the CPU, ns: from `out`, woken at `woken` (NEVER: by nobody), to `back`. could_run: it waited for a
    CPU all the while (preempted, woken before it was off, or new)."""

    tid: np.ndarray
    out: np.ndarray
    woken: np.ndarray
    back: np.ndarray
    could_run: np.ndarray


@dataclass(slots=True)
class Calls(Table):
    """System calls, a thread's together and in their order; equal failing ones in a row are one with a count.

    start: the first one's entry; last_start: the last one's; end: the last one's exit; ns. out, woken, back: the last
    time that it slept inside and was woken (0: it did not); last_in: when it was last switched in while inside (0);
    slept: ns asleep inside, in all; copy: the first skb_copy_datagram_iovec inside (0).
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
    """Records that explain the call before them: row (of the batch's `lesson_records`), and that call (nr, fd, start,
    result); nr is -1 where there is none."""

    nr: np.ndarray
    fd: np.ndarray
    start: np.ndarray
    result: np.ndarray


@dataclass(slots=True)
class TimelineBatch:
    """What one batch brought.

    tid, start, end: every call that ended in it, and those still open at the end of the trace. inside: absences since
    each one's predecessor, `of` being the call's index; those with out >= start were inside the call. absences: those
    that ended in this batch. calls: folded, without open ones. lesson_records (DESCRIPTOR and ARGS) with lessons.
    """

    tid: np.ndarray
    start: np.ndarray
    end: np.ndarray
    inside: OffCpu
    of: np.ndarray
    absences: OffCpu
    calls: Calls
    lesson_records: RecordBatch
    lessons: CallDetails


def by_thread(tids: np.ndarray) -> np.ndarray | slice:
    """The order that brings each thread's rows (uint32[n]) together, threads ascending, without changing their own
    order. Ids are numbered first, since numpy's stable sort of 16 bits is a radix sort."""
    if not len(tids) or (tids == tids[0]).all():
        return slice(None)
    seen = np.zeros(int(tids.max()) + 1, bool)
    seen[tids] = True
    ids = np.flatnonzero(seen)
    code = np.empty(len(seen), np.uint16 if len(ids) <= 1 << 16 else np.uint32)
    code[ids] = np.arange(len(ids))
    return np.argsort(code[tids], kind="stable")


class Timeline:
    """Feed batches in time order; each gives a Part."""

    def __init__(self) -> None:
        self._carried = RecordBatch.of(empty())
        self._scratch = Scratch()
        self._pending = no_off_cpu()  # ended, and not yet known whether inside a call
        self._open: dict[
            int, int
        ] = {}  # thread → entry of the call that was open when the trace ended
        self.unseen_switches = (
            0  # absences after which the thread had a CPU, and no switch to it was shown
        )

    def feed(self, batch: RecordBatch) -> TimelineBatch:
        """A batch in time order, not older than what was fed before."""
        wanted = _WANTED[batch.kind]
        rows = self._scratch.hold(self._carried, batch if wanted.all() else batch.take(wanted))
        rows = rows.take(by_thread(rows.tid))
        is_call = _CALLS[rows.kind]
        at = np.flatnonzero(is_call)
        before = np.cumsum(
            is_call
        )  # for a row that is none: the index of the call that ends after it
        absences, rows_of, keep, unseen = self._absences(rows)
        self.unseen_switches += int((unseen | _not_beyond_calls(absences, rows, rows_of)).sum())
        keep |= _last_calls(rows, is_call)
        inside, of = self._attach(absences, before[rows_of], rows.tid[at])
        copy = self._copies(rows, at, before, keep)
        calls = _folded(rows, at, inside, of, copy)
        still_open = rows.kind == Kind.OPEN
        self._open |= zip(
            rows.tid[still_open].tolist(), rows.start[still_open].tolist(), strict=True
        )
        self._carried = rows.take(keep & ~_exited(rows))
        self._carried.kind[_CALLS[self._carried.kind]] = _PREVIOUS
        return TimelineBatch(
            rows.tid[at],
            rows.start[at],
            rows.time[at],
            inside,
            of,
            absences,
            calls,
            *_lessons(rows, is_call),
        )

    def finish(self, end: int) -> tuple[OffCpu, np.ndarray]:
        """(the absences that had not ended at `end` (ns), as if they ended there; whether inside a call still open)."""
        rows = self._carried
        still_open = [
            self._open.get(tid) == start
            for tid, start in zip(rows.tid.tolist(), rows.start.tolist())
        ]
        rows = rows.take(~((rows.kind == _PREVIOUS) & np.array(still_open, bool)))
        closing = rows.take((rows.kind == Kind.SWITCH_OUT) | (rows.kind == Kind.THREAD))
        closing.time[:] = end
        closing.kind[:] = Kind.SWITCH_IN
        both = joined([rows, closing])
        both = both.take(by_thread(both.tid))
        absences, rows_of, *_ = self._absences(both)
        self.unseen_switches += int(_not_beyond_calls(absences, both, rows_of).sum())
        never = np.iinfo(np.int64).max
        opened = np.array([self._open.get(tid, never) for tid in absences.tid.tolist()], np.int64)
        return absences, absences.out >= opened

    def _absences(self, rows: RecordBatch) -> tuple[OffCpu, np.ndarray, np.ndarray, np.ndarray]:
        """(absences that ended, the row of each one's beginning, rows to carry over for those that have not, whether
        each one that ended did so with the next switch away). At the latest they end with the thread."""
        keep = np.zeros(len(rows), bool)
        at = np.flatnonzero(_SWITCHES[rows.kind])
        if not len(at):
            return no_off_cpu(), at, keep, np.empty(0, bool)
        kind, time, tid = rows.kind[at], rows.time[at], rows.tid[at]
        woke = kind == Kind.WAKING
        same = tid[1:] == tid[:-1]
        switch = np.flatnonzero(~woke)
        is_out = ~_RUNS[kind[switch]]
        ended = np.zeros(len(switch), bool)
        ended[:-1] = is_out[:-1] & (tid[switch[1:]] == tid[switch[:-1]])
        place = np.flatnonzero(ended)
        first, last = switch[place], switch[place + 1]
        following = np.minimum(first + 1, len(at) - 1)
        woken = np.where(woke[following] & (following > first), time[following], NEVER)
        preceding = np.maximum(first - 1, 0)
        early = (
            (woken == NEVER)
            & (first > 0)
            & woke[preceding]
            & same[np.minimum(preceding, len(same) - 1)]
        )
        begin = at[first]
        could_run = (
            (rows.arg[begin] == 0) | (rows.fd[begin] == 1) | (kind[first] == Kind.THREAD) | early
        )
        absences = OffCpu(tid[first], time[first], woken, time[last], could_run)
        # to carry: what follows each thread's last switch, that switch if it is away, and a waking just before it
        group_end = np.append(np.flatnonzero(~same), len(at) - 1)
        last_switch = np.maximum.accumulate(np.where(woke, -1, np.arange(len(at))))[group_end]
        group_start = np.concatenate([[0], group_end[:-1] + 1])
        away = (last_switch >= group_start) & ~_RUNS[kind[np.maximum(last_switch, 0)]]
        from_row = np.where(last_switch < group_start, group_start, last_switch + 1 - away)
        from_row -= away & (from_row > group_start) & woke[np.maximum(from_row - 1, 0)]
        counts = group_end + 1 - from_row
        starts = np.repeat(from_row - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        keep[at[starts + np.arange(len(starts))]] = True
        return absences, begin, keep, kind[last] == Kind.SWITCH_OUT

    def _attach(
        self, new: OffCpu, calls_before: np.ndarray, call_tids: np.ndarray
    ) -> tuple[OffCpu, np.ndarray]:
        """Absences with the index of the call that ended next in their thread; the others wait for one."""
        everything = self._pending.joined(new) if len(self._pending) else new
        of = np.concatenate([np.searchsorted(call_tids, self._pending.tid), calls_before])
        found = np.zeros(len(everything), bool)
        inside = of < len(call_tids)
        found[inside] = call_tids[of[inside]] == everything.tid[inside]
        self._pending = everything.take(~found)
        return everything.where(found), of[found]

    @staticmethod
    def _copies(
        rows: RecordBatch, at: np.ndarray, before: np.ndarray, keep: np.ndarray
    ) -> np.ndarray:
        """For each call the first copy inside it, 0 where there is none; marks copies to carry over."""
        copy = np.zeros(len(at), np.int64)
        copies = np.flatnonzero(rows.kind == Kind.COPY)[
            ::-1
        ]  # backwards, so that the first one stays
        of = before[copies]
        inside = of < len(at)
        inside[inside] = rows.tid[at[of[inside]]] == rows.tid[copies[inside]]
        keep[copies[~inside]] = True
        copies, of = copies[inside], of[inside]
        inside = rows.time[copies] >= rows.start[at[of]]
        copy[of[inside]] = rows.time[copies[inside]]
        return copy


def no_calls() -> Calls:
    """A table without rows."""
    dtypes = (np.uint32, np.int32, np.int32, np.int64, np.uint32, *[np.int64] * 10)
    return Calls(*(np.empty(0, dtype) for dtype in dtypes))


def no_off_cpu() -> OffCpu:
    """A table without rows."""
    return OffCpu(
        np.empty(0, np.uint32), *(np.empty(0, np.int64) for _ in range(3)), np.empty(0, bool)
    )


def _not_beyond_calls(absences: OffCpu, rows: RecordBatch, rows_of: np.ndarray) -> np.ndarray:
    """Ends absences with the exit of the call after them, in place: who returns from a call has a CPU. Says for which
    that was needed. Seldom a kernel shows a switch away and not the one back (seen on a 6.18 that never shows who
    switches away from the threads of its process 1: ftrace and perf lack those too), and counts nothing as missed."""
    is_call = _CALLS[rows.kind] | (
        rows.kind == _PREVIOUS
    )  # of an earlier batch's only the last one is left
    at = np.flatnonzero(is_call & (rows.kind != Kind.OPEN))
    call = np.searchsorted(at, rows_of)
    known = call < len(at)
    known[known] = rows.tid[at[call[known]]] == absences.tid[known]
    known[known] = rows.time[at[call[known]]] < absences.back[known]
    absences.back[known] = rows.time[at[call[known]]]
    return known


def _last_calls(rows: RecordBatch, is_call: np.ndarray) -> np.ndarray:
    """Each thread's last call."""
    last = np.zeros(len(rows), bool)
    at = np.flatnonzero(is_call | (rows.kind == _PREVIOUS))
    tid = rows.tid[at]
    last[at[np.append(tid[1:] != tid[:-1], True)[: len(at)]]] = True
    return last


def _exited(rows: RecordBatch) -> np.ndarray:
    """Rows of threads that are gone: those before an EXIT of the same id."""
    gone = np.flatnonzero(rows.kind == Kind.EXIT)
    over = np.zeros(len(rows), bool)
    if len(gone):
        following = np.minimum(np.searchsorted(gone, np.arange(len(rows))), len(gone) - 1)
        over = (gone[following] >= np.arange(len(rows))) & (rows.tid[gone[following]] == rows.tid)
    return over


def _folded(
    rows: RecordBatch, at: np.ndarray, inside: OffCpu, of: np.ndarray, copy: np.ndarray
) -> Calls:
    """Calls with each run of equal failing ones, nothing else happening to their thread in between, as one."""
    failing = rows.result[at] < 0
    same = np.zeros(len(at), bool)
    if len(at) > 1:
        same[1:] = failing[1:] & failing[:-1]
        breaks = np.cumsum(_BREAKS[rows.kind])[at] if same.any() else at
        for values in (
            rows.tid[at],
            rows.nr[at],
            rows.fd[at],
            rows.result[at],
            rows.kind[at],
            breaks,
        ):
            if same.any():
                same[1:] &= values[1:] == values[:-1]
    first = np.flatnonzero(~same)
    last = np.append(first[1:], len(at))[: len(first)] - 1
    at_first, at_last = at[first], at[last]
    run = np.cumsum(~same) - 1
    out, woken, back, last_in, slept, copied = (np.zeros(len(first), np.int64) for _ in range(6))
    within = inside.out >= rows.start[at[of]]
    its, of = inside.where(within), run[of[within]]
    last_in[of] = its.back
    asleep = its.woken != NEVER
    its, of = its.where(asleep), of[asleep]
    out[of], woken[of], back[of] = its.out, its.woken, its.back
    np.add.at(slept, of, its.back - its.out)
    copied[:] = copy[last]
    calls = Calls(
        rows.tid[at_last],
        rows.nr[at_last].astype(np.int32),
        rows.fd[at_last],
        rows.result[at_last],
        rows.arg[at_last],
        rows.start[at_first],
        rows.start[at_last],
        rows.time[at_last],
        last - first + 1,
        out,
        woken,
        back,
        last_in,
        slept,
        copied,
    )
    is_open = rows.kind[at_last] == Kind.OPEN
    return _restarted(calls.where(~is_open), rows)


def _restarted(calls: Calls, rows: RecordBatch) -> Calls:
    """restart_syscall goes on with the call that it restarts, and is taken for it."""
    restart = syscalls.numbers()["restart_syscall"]
    again = np.flatnonzero(calls.nr == restart)
    if not len(again):
        return calls
    earlier = {int(rows.tid[i]): i for i in np.flatnonzero(rows.kind == _PREVIOUS)}
    for i in again.tolist():  # few, and one may follow another
        if i and calls.tid[i - 1] == calls.tid[i]:
            nr, fd, arg, result = (
                getattr(calls, name)[i - 1] for name in ("nr", "fd", "arg", "result")
            )
        elif (row := earlier.get(int(calls.tid[i]))) is not None:
            nr, fd, arg, result = (
                getattr(rows, name)[row] for name in ("nr", "fd", "arg", "result")
            )
        else:
            continue
        if result == RESTART_BLOCK:
            calls.nr[i], calls.fd[i], calls.arg[i] = nr, fd, arg
    return calls


def _lessons(rows: RecordBatch, is_call: np.ndarray) -> tuple[RecordBatch, CallDetails]:
    """DESCRIPTOR and ARGS records, and the call that each explains: the one before it in its thread."""
    at = np.flatnonzero(_LESSONS[rows.kind])
    if not len(at):
        none = np.empty(0, np.int64)
        return rows.take(at), CallDetails(none, none, none, none)
    last_call = np.maximum.accumulate(
        np.where(is_call | (rows.kind == _PREVIOUS), np.arange(len(rows)), -1)
    )[at]
    known = last_call >= 0
    known[known] = rows.tid[last_call[known]] == rows.tid[at[known]]
    nr = np.where(known, rows.nr[last_call].astype(np.int64), -1)
    return rows.take(at), CallDetails(
        nr, rows.fd[last_call], rows.start[last_call], rows.result[last_call]
    )
