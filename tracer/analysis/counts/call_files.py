"""The process of each system call and the file behind its descriptor, as of the call's end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
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
    """For each call of a batch (int64[n]): process, inode and i_mode; 0 where unknown, and for calls that use no
    descriptor and did not sleep."""

    tgid: np.ndarray
    inode: np.ndarray
    mode: np.ndarray


class CallFiles(Step[CallFile, None]):
    """Looks up the calls of a batch, once for all steps that need them."""

    # An inherited descriptor is looked up in the parent as of the fork, which may lie before the batch: the answer
    # depends on what Identity has forgotten by then. The operations make it forget, so this step comes after them.
    NEEDS = (TimelineStep, Identity, OperationsInWindow)

    def feed(self, batch: RecordBatch, state: State) -> CallFile:
        calls, identity = state[TimelineStep].calls, state[Identity]
        rows = np.flatnonzero(_LOOKED_UP[calls.nr] | (calls.slept > 0))
        files = CallFile(*np.zeros((3, len(calls)), np.int64))
        files.tgid[rows] = identity.process_of(calls.tid[rows], calls.end[rows])
        files.inode[rows], files.mode[rows] = identity.file(
            files.tgid[rows], calls.fd[rows], calls.end[rows]
        )
        return files

    def finish(self, results: Results) -> None:
        """Nothing beyond the batches."""
