"""The one authority on which thread, process, descriptor and file a number means at a time. Everything else asks here.

Lives of threads and processes are told apart before any other step sees a batch (`lives`). Descriptors are known from
when they were looked at until they are looked at again; lifetimes of descriptor tables and descriptors go into
`Descriptors`, and change nothing for those who ask.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.identity.filenames import FdNames
from tracer.analysis.identity.lives import Lives
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import TimelineStep
from tracer.recording.batch import Read, RecordBatch

T = TypeVar("T", bound=Table)


class Identity(Step["Identity", "Identity"]):
    """A step that gives itself: questions may be about any time since the batch before, in order of time."""

    NEEDS = (TimelineStep,)

    def __init__(self) -> None:
        self.descriptors = Descriptors()
        self._lives = Lives()
        self._names: FdNames | None = None

    def with_lives(self, batch: RecordBatch) -> RecordBatch:
        """A batch with lives in the place of IDs, for this step and all others. Each batch comes here first."""
        return self._lives.feed(batch)

    def feed(self, batch: RecordBatch, state: State) -> Identity:
        self.descriptors.feed(batch, state[TimelineStep])
        self._names = self._names or FdNames(state.recording.facts)
        self._names.feed(batch)
        return self

    def finish(self, results: Results) -> Identity:
        return self

    def forget_before(self, time: int) -> None:
        """Drops what only questions about times before this (ns) need."""
        self.descriptors.forget_before(time)

    # of a time

    def process_of(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The process (int64[n]) of each thread at each time (ns); the thread's own ID where nothing is known."""
        return self.descriptors.process_of(tids, times)

    def file(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(inode, i_mode) of the file behind each process's descriptor at each time (ns), 0 where unknown."""
        _, inode, mode = self.descriptors.described(tgids, fds, times)
        return inode, mode

    # of the whole recording

    def first_file(self, tgids: np.ndarray, fds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(inode, i_mode) of the file behind each process's descriptor before anything was learnt of it: of the first
        that was, where that was open already; else 0."""
        return self.descriptors.before(tgids, fds)

    def name(self, tgid: int, fd: int, inode: int) -> str | None:
        """What a descriptor with that inode was called, whenever that was; inode 0: what it was called last. fd −1:
        any of the process's."""
        return self._names.ever(tgid, fd, inode) if self._names else None

    @property
    def leaders(self) -> dict[int, int]:
        """Process → the life of its leader, where that is a second one, after another thread's execve."""
        return self._lives.leaders

    # lives and IDs

    def read_again(self, read: Read) -> Read:
        """`read`, with lives in the place of IDs; for after the last batch was fed."""
        return self._lives.again(read)

    def shown(self, value: Any) -> Any:
        """A part of the report (dicts, lists, values), with IDs in the place of lives."""
        return self._lives.numbers.shown(value)

    def with_ids(self, table: T, names: tuple[str, ...]) -> T:
        """A table with IDs in the place of lives in these columns."""
        return self._lives.numbers.with_ids(table, names)
