"""Whose each system call was, and on which file: the process and the file behind the descriptor, as of the call."""

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

SEND = (
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "sendfile",
)
ACCEPT, CONNECT = ("accept", "accept4"), ("connect",)
WAIT = tuple(name for members in syscalls.CLASSES.values() for name in members)
_LOOKED_UP = number_set(
    syscalls.class_numbers((*syscalls.RECEIVE, *SEND, *ACCEPT, *CONNECT, *WAIT))
)


class CallFile(NamedTuple):
    """Of each of a batch's calls (int64[n]); 0 where unknown, and of calls that use no descriptor and did not sleep."""

    tgid: np.ndarray
    inode: np.ndarray
    mode: np.ndarray


class CallFiles(Step[CallFile, None]):
    """Looks up a batch's calls, once for all steps that ask."""

    # What a process inherited is asked of its parent as of the fork, which may lie before the batch: how much is known
    # of that hangs on what was forgotten by then. So this comes after the operations.
    NEEDS = (TimelineStep, Identity, OperationsInWindow)

    def feed(self, batch: RecordBatch, state: State) -> CallFile:
        calls, identity = state[TimelineStep].calls, state[Identity]
        at = np.flatnonzero(_LOOKED_UP[calls.nr] | (calls.slept > 0))
        files = CallFile(*np.zeros((3, len(calls)), np.int64))
        files.tgid[at] = identity.process_of(calls.tid[at], calls.end[at])
        files.inode[at], files.mode[at] = identity.file(files.tgid[at], calls.fd[at], calls.end[at])
        return files

    def finish(self, results: Results) -> None:
        """Nothing beyond the batches."""
