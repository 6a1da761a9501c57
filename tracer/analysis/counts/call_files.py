"""The process of each system call and the file behind its descriptor, as of the call's entry."""

from __future__ import annotations

import errno
from typing import NamedTuple

import numpy as np

from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

SEND = syscalls.SEND
ACCEPT, CONNECT = ("accept", "accept4"), ("connect",)
WAIT = tuple(name for members in syscalls.CLASSES.values() for name in members)
_LOOKED_UP = number_set(
    syscalls.class_numbers(
        (
            *(*syscalls.RECEIVE, *SEND, *syscalls.SECOND, *ACCEPT, *CONNECT, *WAIT),
            *(*syscalls.QUEUE_RECEIVE, *syscalls.QUEUE_SEND),
        )
    )
)


class CallFile(NamedTuple):
    """For each call of a batch (int64[n]): process, number of the file (identity: of sockets the inode), i_mode,
    f_flags and FileKind, 0 where unknown, and for calls that use no descriptor and did not sleep; life of the
    descriptor where a later look may say more, else 0."""

    tgid: np.ndarray
    number: np.ndarray
    mode: np.ndarray
    life: np.ndarray
    flags: np.ndarray
    kind: np.ndarray


class CallFiles(Step[CallFile, None]):
    """Looks up the calls of a batch, once for all steps that need them."""

    NEEDS = (TimelineStep, Identity)

    def feed(self, batch: RecordBatch, state: State) -> CallFile:
        calls, identity = state[TimelineStep].calls, state[Identity]
        rows = np.flatnonzero(_LOOKED_UP[calls.nr] | (calls.slept > 0))
        files = CallFile(*np.zeros((6, len(calls)), np.int64))
        files.tgid[rows] = identity.process_of(calls.tid[rows], calls.end[rows])
        rows = rows[calls.result[rows] != -errno.EBADF]  # else there was no file
        known = identity.files(calls.tid[rows], calls.fd[rows], calls.start[rows], files.tgid[rows])
        files.number[rows], files.mode[rows] = known.number, known.mode
        files.flags[rows], files.kind[rows] = known.flags, known.kind
        files.life[rows] = np.where(known.settled, 0, known.life)
        return files

    def finish(self, results: Results) -> None:
        """Nothing beyond the batches."""
