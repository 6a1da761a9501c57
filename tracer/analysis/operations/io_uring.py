"""io_uring: requests and their completions → completed reads, whoever made the copy (io_uring(7)).

A request is completed inside the call that submits it, as task work of the thread that asked, by a kernel worker, or by
the device. A multishot request is completed again and again.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.open_files import S_IFMT
from tracer.analysis.operations.kernel_requests import (
    CompletedReads,
    Files,
    KernelRequests,
    Submissions,
    of_process,
)
from tracer.analysis.operations.preference import ESTIMATED, SEEN, Boundary, Row, best, first
from tracer.analysis.operations.table import (
    DEVICE,
    INLINE,
    MULTISHOT,
    POLL_ARMED,
    SQPOLL,
    UNKNOWN,
    WORKER,
)
from tracer.analysis.operations.uring_requests import (
    Completions,
    completions_of,
    pollers,
    request_of,
    submissions_of,
    with_registered_files,
)
from tracer.analysis.tables.asof import at, following, preceding
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import NEVER, Calls
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

READS = (1, 4, 10, 22, 27, 49, 58)
"""IORING_OP_ READV, READ_FIXED, RECVMSG, READ, RECV, READ_MULTISHOT, RECV_ZC"""
# The completion may be posted by the asking thread all the same (IORING_SETUP_DEFER_TASKRUN).
_COPIED_BEFORE = (WORKER, DEVICE)
_READABLE = (stat.S_IFSOCK, stat.S_IFIFO, stat.S_IFREG, stat.S_IFBLK)


@dataclass(slots=True)
class _Sleep(Table):
    """The last time off the CPU of each completing thread before it completed: when it was back (ns, 0: it was not away
    since the asking); whether it slept then, when it fell asleep, and when it was woken (ns)."""

    back: np.ndarray
    slept: np.ndarray
    out: np.ndarray
    woken: np.ndarray


@dataclass(slots=True)
class _Reads:
    """n completed reads, by request, then time.

    asked, done     the request and the completion of each
    again           whether the request was completed before (multishot)
    enter, inside   row of `enters` that ended first after the submission; whether it made the submission
    armed, worked   when the request had last been found without data, or been given to a worker (ns, 0: never)
    enters, submissions, batch: all there are of calls to io_uring_enter, of requests, and of their records
    pollers         the kernel threads that submit by themselves
    """

    asked: Submissions
    done: Completions
    again: np.ndarray
    enter: np.ndarray
    inside: np.ndarray
    armed: np.ndarray
    worked: np.ndarray
    enters: Calls
    submissions: Submissions
    pollers: np.ndarray
    batch: RecordBatch
    files: Files


def reads(requests: KernelRequests) -> CompletedReads:
    """The reads that io_uring completed, with data."""
    found = _matched(requests)
    asked, done, count = found.asked, found.done, len(found.asked)
    kind, ask = _completion_kind(found), _ask(found)
    sleep = _last_sleep(requests, done, ask)
    entered = _entered(found)
    since = np.maximum(np.maximum(ask, sleep.back), entered)
    start = _copy_start(requests, found, kind, since)
    finish = _done(found)
    return CompletedReads(
        tid=asked.tid,
        tgid=asked.tgid,
        receiver_tid=np.where(done.tid != asked.tid, done.tid, 0),
        fd=asked.fd,
        inode=asked.inode,
        bytes=done.result,
        nr=np.full(count, syscalls.numbers()["io_uring_enter"]),
        completion_kind=kind,
        ask=ask,
        ready=_ready_unseen(found, kind, ask, sleep),
        told=np.where(sleep.slept, sleep.back, start.time),
        copy_start=start.time,
        copy_seen=~start.estimated,
        copy_end=done.time,
        done=finish.time,
        done_seen=~finish.estimated,
        slept=np.where(sleep.slept, sleep.back - sleep.out, 0),
        # a request that had to be polled found the socket empty
        empty_at=np.where((found.armed > 0) & ~found.again, found.armed, UNKNOWN),
        stream=asked.stream,
        is_file=asked.is_file,
        in_call=(entered > 0) & (done.tid == asked.tid) & ~np.isin(kind, _COPIED_BEFORE),
    )


def _completion_kind(found: _Reads) -> np.ndarray:
    """How each was carried out (COMPLETION_KINDS): the first of these that holds. A device reads files alone, and of
    what a kernel thread submits those alone that bypass the cache (O_DIRECT): else that thread copies."""
    worked, armed, asked = found.worked, found.armed, found.asked
    direct = asked.is_file & (asked.open_flags & os.O_DIRECT != 0)
    polled = np.isin(asked.tid, found.pollers) & ~direct
    in_call = found.inside & (found.done.time <= at(found.enters.end, found.enter))
    return np.select(
        [
            found.again | found.done.goes_on,
            (worked > 0) & (worked >= armed),
            armed > 0,
            polled,
            in_call | ((asked.mode != 0) & ~asked.is_file),
        ],
        [MULTISHOT, WORKER, POLL_ARMED, SQPOLL, INLINE],
        DEVICE,
    )


def _ask(found: _Reads) -> np.ndarray:
    """The program first wants the data (ns): the completion before, of a multishot request; the entry of the call that
    submitted; else the submission."""
    return first(
        Row(found.again, np.roll(found.done.time, 1)),
        Row(found.inside, at(found.enters.start, found.enter)),
        otherwise=found.asked.time,
    )


def _ready_unseen(found: _Reads, kind: np.ndarray, ask: np.ndarray, sleep: _Sleep) -> np.ndarray:
    """The data can be read, where no sk_data_ready is seen (ns): a file's when it was complete, if not in the call
    itself; a sleeper's when it was woken; else ask."""
    is_file = found.asked.is_file
    return first(
        Row(is_file & (kind != INLINE), found.done.time),
        Row(~is_file & sleep.slept, sleep.woken),
        otherwise=ask,
    )


def _copy_start(
    requests: KernelRequests, found: _Reads, kind: np.ndarray, since: np.ndarray
) -> Boundary:
    """The kernel begins to copy: the tracepoint in the completing thread; estimated as the completion of a file that
    was not read in the call itself, or as the earliest that it can have been. since: ask, back on a CPU, or the entry
    of the call that completed it (ns)."""
    done, copies = found.done, requests.copies()
    tid = done.tid.astype(np.int64)
    earlier = preceding(tid, done.time, tid, done.time - 1)  # it was busy with that one until then
    since = np.maximum(since, np.where(earlier >= 0, at(done.time, earlier), 0))
    copy = following(copies.tid.astype(np.int64), copies.time, tid, since)
    return best(
        Row((copy >= 0) & (at(copies.time, copy) <= done.time), at(copies.time, copy), SEEN),
        Row(found.asked.is_file & (kind != INLINE), done.time, ESTIMATED),
        otherwise=np.maximum(since, found.asked.time),
        estimated=ESTIMATED,
    )


def _entered(found: _Reads) -> np.ndarray:
    """The entry of the io_uring_enter in which the completing thread was then (ns), 0 where it was in none."""
    enters, done = found.enters, found.done
    around = following(enters.tid, enters.end, done.tid.astype(np.int64), done.time)
    start = at(enters.start, around)
    return np.where((around >= 0) & (start <= done.time), start, 0)


def _done(found: _Reads) -> Boundary:
    """The program knows: the return of the io_uring_enter that was waiting then, or that came to wait before more was
    asked for; so of one that submitted nothing, which can only be there for completions (IORING_SETUP_DEFER_TASKRUN).
    Estimated as the completion, where it is read from shared memory without a call."""
    waits = found.enters.where((found.enters.arg > 0) | (found.enters.result == 0))
    tid, done = found.asked.tid.astype(np.int64), found.done.time
    by_process = following(_processes(found, waits), waits.end, found.asked.tgid, done)
    by_thread = following(waits.tid, waits.end, tid, done)
    # a kernel thread asked: whoever of the process waits
    wait = np.where(np.isin(found.asked.tid, found.pollers), by_process, by_thread)
    # a thread that goes to wait has not seen the completion; if it has asked for more since, it may have
    submitted = found.submissions
    next_ask = following(submitted.tid.astype(np.int64), submitted.time, tid, done)
    more = (next_ask >= 0) & (at(submitted.time, next_ask) < at(waits.end, wait))
    waited = (wait >= 0) & ((at(waits.start, wait) <= done) | ~more)
    return best(Row(waited, at(waits.end, wait), SEEN), otherwise=done, estimated=ESTIMATED)


def _last_sleep(requests: KernelRequests, done: Completions, ask: np.ndarray) -> _Sleep:
    """The completing thread's last time off the CPU since the asking (`ask`, ns)."""
    absences = requests.absences()
    last = preceding(absences.tid, absences.back, done.tid.astype(np.int64), done.time)
    since_ask = (last >= 0) & (at(absences.back, last) >= ask)
    woken, out = at(absences.woken, last), at(absences.out, last)
    return _Sleep(
        back=np.where(since_ask, at(absences.back, last), 0),
        slept=since_ask & (woken != NEVER) & (out >= ask),
        out=out,
        woken=woken,
    )


def _matched(requests: KernelRequests) -> _Reads:
    """The completions with data, each with its request and what happened to that in between."""
    batch, files = requests.records()
    requested, completed = submissions_of(batch, files), completions_of(batch, files)
    of = request_of(requested, completed)
    known = (of >= 0) & (completed.result > 0)
    known[known] = np.isin(requested.opcode[of[known]], READS)
    order = np.lexsort((completed.time[known], of[known]))
    done, of = completed.take(known).take(order), of[known][order]
    asked = with_registered_files(requested.take(of), requested, batch)
    readable = (asked.mode == 0) | np.isin(asked.mode & S_IFMT, _READABLE)
    asked, done, of = asked.take(readable), done.take(readable), of[readable]
    enters = requests.enters()
    enter = following(enters.tid, enters.end, asked.tid.astype(np.int64), asked.time)
    return _Reads(
        asked=asked,
        done=done,
        again=np.append(False, of[1:] == of[:-1])[: len(of)],
        enter=enter,
        inside=(enter >= 0) & (at(enters.start, enter) <= asked.time),
        armed=_last_record(Kind.URING_POLL, batch, files, asked, done),
        worked=_last_record(Kind.URING_WORK, batch, files, asked, done),
        enters=enters,
        submissions=requested,
        pollers=pollers(requests, requested),
        batch=batch,
        files=files,
    )


def _last_record(
    kind: Kind, batch: RecordBatch, files: Files, asked: Submissions, done: Completions
) -> np.ndarray:
    """When a request had last such a record between its submission and its completion (ns), 0 for never."""
    rows = np.flatnonzero(batch.kind == kind)
    seen = fields.UringRequests(batch, rows)
    if (seen.address == 0).all():  # Linux 5.10 knows no addresses there
        keys = of_process(files.tgid[rows], seen.user_data)
        wanted = of_process(asked.tgid, asked.user_data)
    else:
        keys, wanted = seen.address, asked.address
    last = preceding(keys, seen.time, wanted, done.time)
    time = np.where(last >= 0, at(seen.time, last), 0)
    return np.where(time >= asked.time, time, 0)


def _processes(found: _Reads, calls: Calls) -> np.ndarray:
    """The process of each call's thread, as the requests tell it; the thread itself where they do not."""
    if not len(found.batch):
        return calls.tid
    tids, first = np.unique(found.batch.tid, return_index=True)
    place = np.minimum(np.searchsorted(tids, calls.tid), len(tids) - 1)
    return np.where(tids[place] == calls.tid, found.files.tgid[first[place]], calls.tid)
