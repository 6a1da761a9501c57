"""Why boundaries of operations were estimated: for each boundary the causes that applied, and to how many."""

from __future__ import annotations

import stat
from collections.abc import Callable
from enum import IntEnum, auto
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.fd_usage import DescriptorUsage, FdUsage
from tracer.analysis.identity.open_files import S_IFMT
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import AFTER_SUBMIT, DEVICE, POSIX_AIO, Operations
from tracer.analysis.steps.step import Results, State, Step
from tracer.recording.batch import RecordBatch
from tracer.terms import BOUNDARIES


class Cause(IntEnum):
    """Why a boundary is not a time that was seen for it."""

    THERE_BEFORE = 0  # data came before it was asked for
    SEEN_LATE = auto()  # sk_data_ready fired after the reader had the data
    NOT_SEEN = auto()  # of a socket
    OF_PIPE = auto()  # whose kernel code has no such event
    OF_FILE = auto()  # likewise
    HELD = auto()  # between its neighbours, which were seen
    INFERRED = auto()  # of a hand-over
    NO_CALL = auto()  # shows the time
    BY_DEVICE = auto()  # which copies unseen
    IN_MEMORY = auto()  # completions are read without a call


class Estimate(NamedTuple):
    """A boundary (of BOUNDARIES), a cause, and the number of operations of which that is true."""

    boundary: str
    cause: Cause
    operations: int


class Estimates(Step[None, list[Estimate]]):
    """The boundaries in their order, and of each the most frequent cause first."""

    NEEDS = (OperationsInWindow, DescriptorUsage)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing: the operations are enough."""

    def finish(self, results: Results) -> list[Estimate]:
        operations = results[OperationsInWindow]
        return estimates(operations, _modes(operations, results[DescriptorUsage]))


def estimates(operations: Operations, modes: np.ndarray) -> list[Estimate]:
    """modes: i_mode of each operation's file (int64[n]), 0 where unknown."""
    found = []
    for bit, boundary in enumerate(BOUNDARIES):
        rows = np.flatnonzero(operations.estimated >> bit & 1)
        if not len(rows):
            continue
        causes = _CAUSES[boundary](operations.take(rows), modes[rows])
        counts = np.bincount(causes, minlength=len(Cause))
        order = np.argsort(-counts, kind="stable").tolist()
        found += [
            Estimate(boundary, Cause(code), int(counts[code])) for code in order if counts[code]
        ]
    return found


def _modes(operations: Operations, used: FdUsage) -> np.ndarray:
    """The i_mode of each operation's file, int64[n], 0 where it is not known."""
    numbers, first = np.unique(used.keys[:, 2], return_index=True)
    if not len(numbers):
        return np.zeros(len(operations), np.int64)
    place = np.minimum(np.searchsorted(numbers, operations.inode), len(numbers) - 1)
    return np.where(numbers[place] == operations.inode, used.mode[first][place], 0)


# Of each boundary a function of the operations that had it estimated, and of their files' modes: a cause for each.


def _of_file(operations: Operations, modes: np.ndarray) -> np.ndarray:
    kind = modes & S_IFMT
    on_disk = (kind == stat.S_IFREG) | (kind == stat.S_IFBLK)
    on_disk |= np.isin(operations.completion_kind, (DEVICE, AFTER_SUBMIT))
    return np.select(
        [kind == stat.S_IFIFO, on_disk], [Cause.OF_PIPE, Cause.OF_FILE], Cause.NOT_SEEN
    )


def _ready(operations: Operations, modes: np.ndarray) -> np.ndarray:
    by_ns = operations.raw_ready - operations.ready
    return np.select(
        [by_ns > 0, by_ns < 0], [Cause.SEEN_LATE, Cause.THERE_BEFORE], _of_file(operations, modes)
    )


def _ask(operations: Operations, modes: np.ndarray) -> np.ndarray:
    held = operations.raw_ask != operations.ask
    return np.select([operations.told_tid > 0, held], [Cause.INFERRED, Cause.HELD], Cause.NO_CALL)


def _told(operations: Operations, modes: np.ndarray) -> np.ndarray:
    return np.where(operations.told_tid > 0, Cause.INFERRED, Cause.HELD)


def _copy_start(operations: Operations, modes: np.ndarray) -> np.ndarray:
    return _of_file(operations, modes)


def _copy_end(operations: Operations, modes: np.ndarray) -> np.ndarray:
    return np.full(len(operations), Cause.BY_DEVICE)


def _done(operations: Operations, modes: np.ndarray) -> np.ndarray:
    return np.where(operations.wait_kind == POSIX_AIO, Cause.NO_CALL, Cause.IN_MEMORY)


_CAUSES: dict[str, Callable[[Operations, np.ndarray], np.ndarray]] = {
    "ask": _ask,
    "ready": _ready,
    "told": _told,
    "copy_start": _copy_start,
    "copy_end": _copy_end,
    "done": _done,
}
