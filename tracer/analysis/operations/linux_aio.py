"""Linux native AIO: requests that io_submit(2) took and io_getevents(2) brought → completed reads.

io_submit copies by itself what is there, and on a socket it even sleeps for it. Only a file opened with O_DIRECT is
read after it, by the device.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from tracer.analysis.operations.kernel_requests import (
    CompletedReads,
    KernelRequests,
    Submissions,
    of_process,
)
from tracer.analysis.operations.preference import ESTIMATED, SEEN, Boundary, Row, best, first
from tracer.analysis.operations.table import AFTER_SUBMIT, IN_SUBMIT, UNKNOWN
from tracer.analysis.tables.asof import following, preceding
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.records import Kind

AIO_READS = (0, 7)  # IOCB_CMD_ PREAD, PREADV


@dataclass(slots=True)
class Events(Table):
    """What io_getevents brought: the thread and its process, the time of the record (ns), the control block, the bytes
    (or a negative errno)."""

    time: np.ndarray
    tid: np.ndarray
    tgid: np.ndarray
    block: np.ndarray
    result: np.ndarray


@dataclass(slots=True)
class _Reads:
    """n reads: the request of each, its event, the io_submit that took it, and the io_getevents that brought it."""

    asked: Submissions
    event: Events
    submit: Calls
    getevents: Calls

    @property
    def by_device(self) -> np.ndarray:
        """bool[n], whether the read is done after io_submit."""
        by_device: np.ndarray = self.asked.is_file & (self.asked.open_flags & os.O_DIRECT != 0)
        return by_device

    @property
    def slept(self) -> np.ndarray:
        """bool[n], whether the thread slept in io_submit for the data."""
        slept: np.ndarray = (self.submit.woken > 0) & ~self.by_device
        return slept


def reads(requests: KernelRequests) -> CompletedReads:
    """The reads that io_getevents brought, with data."""
    found = _matched(requests)
    asked, submit = found.asked, found.submit
    copy_end = _copy_end(found)
    start = _copy_start(found, copy_end)
    count = len(asked)
    return CompletedReads(
        tid=asked.tid,
        tgid=asked.tgid,
        receiver_tid=np.zeros(count, np.int64),
        fd=asked.fd,
        inode=asked.inode,
        bytes=found.event.result,
        nr=np.full(count, syscalls.numbers()["io_submit"]),
        completion_kind=np.where(found.by_device, AFTER_SUBMIT, IN_SUBMIT),
        ask=submit.start,
        ready=_ready_unseen(found, copy_end),
        told=np.where(found.slept, submit.back, start.time),
        copy_start=start.time,
        copy_seen=~start.estimated,
        copy_end=copy_end,
        done=found.getevents.end,
        done_seen=np.ones(count, bool),
        slept=np.where(found.by_device, 0, submit.slept),
        empty_at=np.where(found.slept, submit.out, UNKNOWN),
        stream=asked.stream,
        is_file=asked.is_file,
        in_call=~found.by_device,
    )


def _copy_end(found: _Reads) -> np.ndarray:
    """The data is in the program's buffer: io_submit's return; where the device reads, estimated as the waking of who
    waits in io_getevents, or where nobody was woken as soon as that wait began."""
    submit, wait = found.submit, found.getevents
    woken = np.where(wait.woken > 0, wait.woken, np.maximum(submit.end, wait.start))
    return first(Row(found.by_device, np.minimum(woken, wait.end)), otherwise=submit.end)


def _copy_start(found: _Reads, copy_end: np.ndarray) -> Boundary:
    """The kernel begins to copy: the tracepoint inside io_submit; estimated as io_submit's entry or its last switch-in,
    or, where the device reads, as the copy's end."""
    submit = found.submit
    return best(
        Row(found.by_device, copy_end, ESTIMATED),
        Row(submit.copy > 0, submit.copy, SEEN),
        otherwise=np.maximum(submit.start, submit.last_in),
        estimated=ESTIMATED,
    )


def _ready_unseen(found: _Reads, copy_end: np.ndarray) -> np.ndarray:
    """The data can be read, where no sk_data_ready is seen (ns): the device has it when it is copied; who slept in
    io_submit was woken by it; else it was there."""
    return first(
        Row(found.by_device, copy_end),
        Row(found.slept, found.submit.woken),
        otherwise=found.submit.start,
    )


def matched(requests: KernelRequests) -> tuple[Submissions, Events]:
    """The events that io_getevents brought, each with its request."""
    submissions, events = _submissions(requests), _events(requests)
    of = preceding(
        of_process(submissions.tgid, submissions.address),
        submissions.time,
        of_process(events.tgid, events.block),
        events.time,
    )
    return submissions.take(of[of >= 0]), events.take(of >= 0)


def _matched(requests: KernelRequests) -> _Reads:
    """The events with data, each with its request and its calls, where both calls were seen."""
    asked, events = matched(requests)
    known = (events.result > 0) & np.isin(asked.opcode, AIO_READS)
    asked, events = asked.take(known), events.take(known)
    submits, waits = requests.submits(), requests.getevents()
    submit = following(submits.tid, submits.end, asked.tid.astype(np.int64), asked.time)
    wait = preceding(waits.tid, waits.end, events.tid.astype(np.int64), events.time)
    both = (submit >= 0) & (wait >= 0)
    return _Reads(
        asked.take(both), events.take(both), submits.take(submit[both]), waits.take(wait[both])
    )


def _submissions(requests: KernelRequests) -> Submissions:
    """What io_submit took."""
    batch, files = requests.records()
    at = np.flatnonzero(batch.kind == Kind.AIO_SUBMIT)
    records, files = fields.AioRequests(batch, at), files.take(at)
    return Submissions(
        time=records.time,
        tid=records.tid,
        tgid=files.tgid,
        address=records.block,
        user_data=np.zeros(len(at), np.int64),
        opcode=records.opcode,
        flags=np.zeros(len(at), np.int64),
        fd=records.fd,
        inode=files.inode,
        mode=files.mode,
        open_flags=files.flags,
        kind=files.kind,
        stream=files.stream,
    )


def _events(requests: KernelRequests) -> Events:
    """What io_getevents brought."""
    batch, files = requests.records()
    at = np.flatnonzero(batch.kind == Kind.AIO_EVENT)
    records = fields.AioRequests(batch, at)
    return Events(records.time, records.tid, files.tgid[at], records.block, records.result)
