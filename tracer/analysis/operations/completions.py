"""io_uring and Linux native AIO: requests and their completions → operations, whoever made the copy (io_uring(7),
io_submit(2)).

A request is asked for in one call, done by the kernel when it likes, and noticed in another call or in none. So all of
them are put together at the end of the trace, by array operations over what was kept of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.operations.readiness import UNKNOWN
from tracer.analysis.tables.asof import at, following, preceding
from tracer.analysis.tables.table import Table, names_of
from tracer.analysis.threads.timeline import (
    NEVER,
    Calls,
    OffCpu,
    TimelineBatch,
    no_calls,
    no_off_cpu,
)
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import Kind, empty

# How a request was carried out, or its completion told of.
COMPLETION_KINDS = (
    "",
    "inline",
    "poll-armed",
    "worker",
    "device",
    "multishot",
    "in io_submit",
    "after io_submit",
    "signal",
    "thread",
    "suspend",
)
(
    INLINE,
    POLL_ARMED,
    WORKER,
    DEVICE,
    MULTISHOT,
    IN_SUBMIT,
    AFTER_SUBMIT,
    BY_SIGNAL,
    BY_THREAD,
    BY_SUSPEND,
) = range(1, 11)

URING_READS = (
    1,
    4,
    10,
    22,
    27,
    49,
    58,
)  # IORING_OP_ READV, READ_FIXED, RECVMSG, READ, RECV, READ_MULTISHOT, RECV_ZC
URING_POLL_ADD = 6
AIO_READS = (0, 7)  # IOCB_CMD_ PREAD, PREADV
AIO_POLL = 5
CQE_MORE = 2  # IORING_CQE_F_MORE: the request goes on
SETUP_SQPOLL = 2  # IORING_SETUP_SQPOLL: a kernel thread submits
FIXED_FILE = 1
O_DIRECT = 0o40000
S_IFMT, S_IFSOCK, S_IFIFO, S_IFREG, S_IFBLK = 0o170000, 0o140000, 0o010000, 0o100000, 0o060000
_READABLE = (S_IFSOCK, S_IFIFO, S_IFREG, S_IFBLK)
_FIRST, _LAST = Kind.URING_SUBMIT, Kind.AIO_EVENT
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads process IDs over the keys


@dataclass(slots=True)
class _Rows(Table):
    """Records of requests with what is known of them: their process, and of a submission's descriptor."""

    kind: np.ndarray
    time: np.ndarray
    tid: np.ndarray
    tgid: np.ndarray
    key: np.ndarray  # the request's address
    data: np.ndarray  # io_uring: user_data; native AIO: bytes
    nr: np.ndarray
    fd: np.ndarray
    arg: np.ndarray
    inode: np.ndarray
    mode: np.ndarray
    flags: np.ndarray
    stream: np.ndarray


@dataclass(slots=True)
class CompletedReads(Table):
    """Completed reads. Boundaries as seen (ns; copy_start 0: not seen), `empty_at` when the socket was empty (or
    UNKNOWN); done_seen: whether the call that told was seen."""

    tid: np.ndarray
    tgid: np.ndarray
    receiver_tid: np.ndarray
    fd: np.ndarray
    inode: np.ndarray
    bytes: np.ndarray
    nr: np.ndarray
    completion_kind: np.ndarray
    ask: np.ndarray
    ready: np.ndarray
    told: np.ndarray
    copy_start: np.ndarray
    copy_seen: np.ndarray
    copy_end: np.ndarray
    done: np.ndarray
    done_seen: np.ndarray
    slept: np.ndarray
    empty_at: np.ndarray
    stream: np.ndarray


class Completions:
    """Feed batches in time order; `io_uring` and `native` then give what was completed."""

    def __init__(self) -> None:
        numbers = syscalls.numbers()
        self._enter, self._submit = numbers["io_uring_enter"], numbers["io_submit"]
        self._getevents = [numbers["io_getevents"], numbers["io_pgetevents"]]
        self._rows: list[_Rows] = []
        self._calls: list[Calls] = []
        self._absences: list[OffCpu] = []
        self._copies: list[RecordBatch] = []
        self._tids = np.empty(0, np.int64)
        self.telling = np.zeros(
            1024, bool
        )  # calls, by number, that tell of readiness, since that was asked for

    def feed(self, batch: RecordBatch, part: TimelineBatch, descriptors: Descriptors) -> None:
        """A batch in time order, its part of the timeline, and the descriptors as they are up to its end."""
        mine = np.flatnonzero((batch.kind >= _FIRST) & (batch.kind <= _LAST))
        if len(mine):
            self._keep(batch.take(mine), descriptors)
        if not len(self._tids):
            return
        calls = part.calls
        self._calls.append(
            calls.take(np.isin(calls.nr, [self._enter, self._submit, *self._getevents]))
        )
        absences = part.absences
        self._absences.append(absences.take(np.isin(absences.tid, self._tids)))
        self._copies.append(batch.take((batch.kind == Kind.COPY) & np.isin(batch.tid, self._tids)))

    def io_uring(self) -> CompletedReads:
        """The reads that io_uring completed."""
        rows = self._all()
        submits = rows.where(rows.kind == Kind.URING_SUBMIT)
        completes = rows.where(rows.kind == Kind.URING_COMPLETE)
        of = preceding(submits.key, submits.time, completes.key, completes.time)
        by_data = np.flatnonzero(
            (completes.key == 0) | (of < 0)
        )  # of a multishot request before its last
        of[by_data] = preceding(
            _mixed(submits.tgid, submits.data),
            submits.time,
            _mixed(completes.tgid[by_data], completes.data[by_data]),
            completes.time[by_data],
        )
        known = of >= 0
        known[known] = np.isin(submits.nr[of[known]], URING_READS)
        known &= completes.fd > 0  # there it holds the result
        order = np.lexsort((completes.time[known], of[known]))
        done, of = completes.take(known).take(order), of[known][order]
        asked = submits.take(of)
        files = rows.where(rows.kind == Kind.URING_FILE)
        registered = preceding(files.key, files.time, done.key, done.time)
        fixed = (registered >= 0) & (asked.arg & FIXED_FILE != 0)
        asked.inode, asked.mode = (
            (
                np.where(fixed, its, own)
                for its, own in (
                    (files.data[registered], asked.inode),
                    (files.arg[registered].astype(np.int64), asked.mode),
                )
            )
            if len(files)
            else (asked.inode, asked.mode)
        )
        asked.fd = np.where(
            asked.arg & FIXED_FILE != 0, -1, asked.fd
        )  # an index, of a table of the ring's own
        readable = (asked.mode == 0) | np.isin(asked.mode & S_IFMT, _READABLE)
        return self._completed(done.take(readable), asked.take(readable), of[readable], rows)

    def _completed(self, done: _Rows, asked: _Rows, of: np.ndarray, rows: _Rows) -> CompletedReads:
        """The completions `done` of submissions `asked` (`of`: which one, ascending)."""
        calls, absences = self._calls_of(self._enter), self._sleeps()
        again = np.append(False, of[1:] == of[:-1])[: len(of)]
        multishot = again | (done.arg & CQE_MORE != 0)
        tid = asked.tid.astype(np.int64)
        enter = following(calls.tid, calls.end, tid, asked.time)
        inside = (enter >= 0) & (at(calls.start, enter) <= asked.time)
        ask = np.where(inside, at(calls.start, enter), asked.time)
        ask = np.where(again, np.append(0, done.time[:-1])[: len(of)], ask)
        polled, worked = (
            self._since(rows, kind, asked, done) for kind in (Kind.URING_POLL, Kind.URING_WORK)
        )
        completion_kind = np.select(
            [
                multishot,
                (worked > 0) & (worked >= polled),
                polled > 0,
                inside & (done.time <= at(calls.end, enter)),
            ],
            [MULTISHOT, WORKER, POLL_ARMED, INLINE],
            DEVICE,
        )
        waits = calls.where(calls.arg > 0)
        wait = np.where(
            np.isin(
                asked.tid, self._pollers(rows)
            ),  # a kernel thread asked: whoever of the process waits
            following(self._processes(rows, waits), waits.end, asked.tgid, done.time),
            following(waits.tid, waits.end, tid, done.time),
        )
        # a thread that goes to wait has not seen the completion; if it has asked for more since, it may have
        submitted = rows.where(rows.kind == Kind.URING_SUBMIT)
        next_ask = following(submitted.tid.astype(np.int64), submitted.time, tid, done.time)
        more = (next_ask >= 0) & (at(submitted.time, next_ask) < at(waits.end, wait))
        waited = (wait >= 0) & ((at(waits.start, wait) <= done.time) | ~more)
        sleep = preceding(absences.tid, absences.back, done.tid.astype(np.int64), done.time)
        in_time = (sleep >= 0) & (at(absences.back, sleep) >= ask)
        back = np.where(in_time, at(absences.back, sleep), 0)
        slept = in_time & (at(absences.woken, sleep) != NEVER) & (at(absences.out, sleep) >= ask)
        before = np.maximum(ask, back)
        earlier = preceding(
            done.tid.astype(np.int64), done.time, done.tid.astype(np.int64), done.time - 1
        )
        before = np.maximum(before, np.where(earlier >= 0, at(done.time, earlier), 0))
        copies = joined([RecordBatch.of(empty()), *self._copies])
        copy = following(
            copies.tid.astype(np.int64), copies.time, done.tid.astype(np.int64), before
        )
        copied = (copy >= 0) & (at(copies.time, copy) <= done.time)
        is_file = np.isin(asked.mode & S_IFMT, (S_IFREG, S_IFBLK))
        start = np.where(
            copied,
            at(copies.time, copy),
            np.where(
                is_file & (completion_kind != INLINE), done.time, np.maximum(before, asked.time)
            ),
        )
        ready = np.where(
            is_file,
            np.where(completion_kind == INLINE, ask, done.time),
            np.where(slept, at(absences.woken, sleep), ask),
        )
        finish = np.where(waited, at(waits.end, wait), done.time)
        empty_at = np.where((polled > 0) & ~again, polled, UNKNOWN)
        return CompletedReads(
            asked.tid,
            asked.tgid,
            np.where(done.tid != asked.tid, done.tid, 0),
            asked.fd,
            asked.inode,
            done.fd,
            np.full(len(of), self._enter),
            completion_kind,
            ask,
            ready,
            np.where(slept, back, start),
            start,
            copied,
            done.time,
            finish,
            waited,
            np.where(slept, back - at(absences.out, sleep), 0),
            empty_at,
            asked.stream,
        )

    def native(self) -> CompletedReads:
        """The reads that io_getevents(2) brought."""
        rows = self._all()
        submits, events = (
            rows.where(rows.kind == Kind.AIO_SUBMIT),
            rows.where(rows.kind == Kind.AIO_EVENT),
        )
        of = preceding(
            _mixed(submits.tgid, submits.key),
            submits.time,
            _mixed(events.tgid, events.key),
            events.time,
        )
        known = of >= 0
        known[known] = np.isin(submits.nr[of[known]], AIO_READS)
        known &= events.data > 0  # there it holds the result
        events, asked = events.take(known), submits.take(of[known])
        calls, brought = self._calls_of(self._submit), self._calls_of(*self._getevents)
        submit = following(calls.tid, calls.end, asked.tid.astype(np.int64), asked.time)
        bring = preceding(brought.tid, brought.end, events.tid.astype(np.int64), events.time)
        both = (submit >= 0) & (bring >= 0)
        events, asked, call, wait = (
            its.take(which)
            for its, which in (
                (events, both),
                (asked, both),
                (calls, submit[both]),
                (brought, bring[both]),
            )
        )
        is_file = np.isin(asked.mode & S_IFMT, (S_IFREG, S_IFBLK))
        later = is_file & (asked.flags & O_DIRECT != 0)
        woken = np.where(wait.woken > 0, wait.woken, np.maximum(call.end, wait.start))
        copy_end = np.where(later, np.minimum(woken, wait.end), call.end)
        slept = (call.woken > 0) & ~later
        start = np.where(
            later,
            copy_end,
            np.where(call.copy > 0, call.copy, np.maximum(call.start, call.last_in)),
        )
        ready = np.where(later, copy_end, np.where(slept, call.woken, call.start))
        return CompletedReads(
            asked.tid,
            asked.tgid,
            np.zeros(len(asked), np.int64),
            asked.fd,
            np.where(is_file, 0, asked.inode),
            events.data,
            np.full(len(asked), self._submit),
            np.where(later, AFTER_SUBMIT, IN_SUBMIT),
            call.start,
            ready,
            np.where(slept, call.back, start),
            start,
            ~later & (call.copy > 0),
            copy_end,
            wait.end,
            np.ones(len(asked), bool),
            np.where(later, 0, call.slept),
            np.where(slept, call.out, UNKNOWN),
            asked.stream,
        )

    # what was kept of the trace

    def _keep(self, batch: RecordBatch, descriptors: Descriptors) -> None:
        tgid = descriptors.process_of(batch.tid, batch.time)
        named = (batch.kind == Kind.URING_SUBMIT) & (batch.arg & FIXED_FILE == 0) | (
            batch.kind == Kind.AIO_SUBMIT
        )
        fd = np.where(named, batch.fd, -1)
        facts, stream = descriptors.facts(tgid, fd, batch.time)
        self._rows.append(
            _Rows(
                batch.kind,
                batch.time,
                batch.tid,
                tgid,
                batch.start,
                batch.result,
                batch.nr,
                batch.fd,
                batch.arg,
                facts[:, 0],
                facts[:, 1],
                facts[:, 2],
                stream,
            )
        )
        self._tids = np.union1d(self._tids, batch.tid)
        for kind, number, calls in (
            (Kind.AIO_SUBMIT, AIO_POLL, self._getevents),
            (Kind.URING_SUBMIT, URING_POLL_ADD, [self._enter]),
        ):
            self.telling[calls] |= ((batch.kind == kind) & (batch.nr == number)).any()

    def _all(self) -> _Rows:
        if len(self._rows) != 1:
            none = RecordBatch.of(empty())
            number = np.empty(0, np.int64)
            nothing = _Rows(
                none.kind,
                none.time,
                none.tid,
                number,
                number,
                number,
                none.nr,
                none.fd,
                none.arg,
                number,
                number,
                number,
                np.empty(0, bool),
            )
            self._rows = [_together([nothing, *self._rows])]
        return self._rows[0]

    def _calls_of(self, *numbers: int) -> Calls:
        self._calls = [_together([no_calls(), *self._calls])]
        calls = self._calls[0]
        calls = calls.take(np.isin(calls.nr, numbers))
        calls.tid = calls.tid.astype(np.int64)
        return calls

    def _sleeps(self) -> OffCpu:
        self._absences = [_together([no_off_cpu(), *self._absences])]
        return self._absences[0]

    @staticmethod
    def _since(rows: _Rows, kind: Kind, asked: _Rows, done: _Rows) -> np.ndarray:
        """When a request had last such a record between its submission and its completion (ns), 0 for never."""
        seen = rows.where(rows.kind == kind)
        by_data = (seen.key == 0).all()  # 5.10 knows no addresses there
        keys, wanted = (_mixed(its.tgid, its.data) if by_data else its.key for its in (seen, asked))
        last = preceding(keys, seen.time, wanted, done.time)
        time = np.where(last >= 0, at(seen.time, last), 0)
        return np.where(time >= asked.time, time, 0)

    @staticmethod
    def _pollers(rows: _Rows) -> np.ndarray:
        """Threads that submit without a call of their own: those of IORING_SETUP_SQPOLL."""
        rings = rows.where((rows.kind == Kind.URING_RING) & (rows.arg & SETUP_SQPOLL != 0))
        submits = rows.where(rows.kind == Kind.URING_SUBMIT)
        mine = np.isin(submits.tgid, rings.tgid)
        return np.setdiff1d(submits.tid[mine], rings.tid)

    @staticmethod
    def _processes(rows: _Rows, calls: Calls) -> np.ndarray:
        """The process of each call's thread, as the requests tell it; the thread itself where they do not."""
        tids, first = np.unique(rows.tid, return_index=True)
        place = np.minimum(np.searchsorted(tids, calls.tid), max(len(tids) - 1, 0))
        return (
            np.where(tids[place] == calls.tid, rows.tgid[first[place]], calls.tid)
            if len(tids)
            else calls.tid
        )


def _together(parts: list) -> Table:
    """Tables of one kind, one after the other."""
    return type(parts[0])(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in names_of(type(parts[0]))
        )
    )


def _mixed(tgids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Process and value as one key."""
    return (tgids.astype(np.uint64) * _GOLDEN ^ values.astype(np.int64).view(np.uint64)).view(
        np.int64
    )
