"""io_uring's requests and completions as their records tell them: which completion is whose, on which file, and which
threads of the kernel submit by themselves (io_uring(7))."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.identity.open_files import kinds_of
from tracer.analysis.operations.kernel_requests import (
    FIXED_FILE,
    Files,
    KernelRequests,
    Submissions,
    of_process,
)
from tracer.analysis.tables.asof import at, following, preceding
from tracer.analysis.tables.table import Table
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

CQE_MORE = 2  # IORING_CQE_F_MORE: the request goes on
CQE_NOTIF = 8  # IORING_CQE_F_NOTIF: of a send without a copy, that its memory is free again
SETUP_SQPOLL = 2  # IORING_SETUP_SQPOLL: a kernel thread submits


@dataclass(slots=True)
class Completions(Table):
    """Completions: when (ns), on which thread of which process, of which request, with how many bytes (or a negative
    errno), whether the request goes on, and whether it only says that memory is free again."""

    time: np.ndarray
    tid: np.ndarray
    tgid: np.ndarray
    address: np.ndarray
    user_data: np.ndarray
    result: np.ndarray
    goes_on: np.ndarray
    notifies: np.ndarray


def submissions_of(batch: RecordBatch, files: Files) -> Submissions:
    """The requests that were submitted. batch, files: KernelRequests.records()."""
    rows = np.flatnonzero(batch.kind == Kind.URING_SUBMIT)
    records, files = fields.UringRequests(batch, rows), files.take(rows)
    return Submissions(
        time=records.time,
        tid=records.tid,
        tgid=files.tgid,
        address=records.address,
        user_data=records.user_data,
        opcode=records.opcode,
        flags=records.flags,
        fd=records.fd,
        inode=files.inode,
        mode=files.mode,
        open_flags=files.flags,
        kind=files.kind,
        stream=files.stream,
    )


def completions_of(batch: RecordBatch, files: Files) -> Completions:
    """The completions. batch, files: KernelRequests.records()."""
    rows = np.flatnonzero(batch.kind == Kind.URING_COMPLETE)
    records = fields.UringRequests(batch, rows)
    return Completions(
        time=records.time,
        tid=records.tid,
        tgid=files.tgid[rows],
        address=records.address,
        user_data=records.user_data,
        result=records.outcome,
        goes_on=records.flags & CQE_MORE != 0,
        notifies=records.flags & CQE_NOTIF != 0,
    )


def request_of(submissions: Submissions, completions: Completions) -> np.ndarray:
    """The row of each completion's submission, −1 for none: by its address; by the program's own number where the
    kernel does not tell that (before the last completion of a multishot request)."""
    of = preceding(submissions.address, submissions.time, completions.address, completions.time)
    unknown = np.flatnonzero((completions.address == 0) | (of < 0))
    of[unknown] = preceding(
        of_process(submissions.tgid, submissions.user_data),
        submissions.time,
        of_process(completions.tgid[unknown], completions.user_data[unknown]),
        completions.time[unknown],
    )
    return of


def with_registered_files(
    asked: Submissions, submissions: Submissions, batch: RecordBatch
) -> Submissions:
    """Requests with the files of those that named a registered one; these have no descriptor of the process's. A record
    tells the file when the request is complete; an address is used again, so it counts until the next submission."""
    registered = fields.UringFiles.of(batch)
    fixed = asked.flags & FIXED_FILE != 0
    row = following(registered.address, registered.time, asked.address, asked.time)
    again = following(submissions.address, submissions.time, asked.address, asked.time + 1)
    known = fixed & (asked.address != 0) & (row >= 0)
    known &= (again < 0) | (at(registered.time, row) <= at(submissions.time, again))
    asked.inode = np.where(known, at(registered.inode, row), asked.inode)
    asked.mode = np.where(known, at(registered.mode, row).astype(np.int64), asked.mode)
    nothing = np.zeros(len(known), np.int64)
    asked.kind = np.where(known, kinds_of(asked.mode, nothing - 1, nothing), asked.kind)
    asked.fd = np.where(fixed, -1, asked.fd)
    return asked


def pollers(requests: KernelRequests, asked: Submissions) -> np.ndarray:
    """The kernel threads of IORING_SETUP_SQPOLL: they submit, make no call, and belong to a process in which such a
    ring was made, or one that was made before the recording began."""
    batch, files = requests.records()
    rings = fields.UringRings.of(batch)
    tgids = files.tgid[rings.rows]
    polled = rings.flags & SETUP_SQPOLL != 0
    without = np.setdiff1d(tgids, tgids[polled])
    calling = np.concatenate([requests.enters().tid, requests.entered(), rings.tid])
    return np.setdiff1d(asked.tid[~np.isin(asked.tgid, without)], calling)
