"""Which thread, process, descriptor and file a number means at a time. All other analyses ask here.

Lives of threads and processes are told apart before any other step sees a batch (`lives`). What is known of a
descriptor holds from the time when it was looked at until it is looked at again (`descriptors`).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.identity.filenames import FdNames
from tracer.analysis.identity.lives import Lives
from tracer.analysis.identity.open_files import S_IFMT, OpenFiles, kinds_of
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import TimelineStep
from tracer.recording.batch import Read, RecordBatch

T = TypeVar("T", bound=Table)


class Identity(Step["Identity", "Identity"]):
    """A step whose result is the step itself: later steps may ask about any time since the batch before, in order of
    time."""

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
        """Drops what is needed only to answer questions about earlier times (ns)."""
        self.descriptors.forget_before(time)

    # at a time

    def process_of(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The process (int64[n]) of each thread at each time (ns); the thread's own ID where nothing is known."""
        return self.descriptors.process_of(tids, times)

    def file(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(inode, i_mode) of the file behind each process's descriptor at each time (ns), 0 where unknown."""
        _, inode, mode = self.descriptors.described(tgids, fds, times)
        return inode, mode

    def open_files(self, tids: np.ndarray, fds: np.ndarray, times: np.ndarray) -> OpenFiles:
        """The open file behind the descriptor of each thread at each time (ns): its kind, which one it is, and its
        peer. A time is that of a call's entry: then the kernel looks the descriptor up."""
        inode, mode = self.file(self.process_of(tids, times), fds, times)
        number = np.where((inode != 0) & (mode & S_IFMT != 0), inode, -1)
        return OpenFiles(kinds_of(mode), number, np.full(len(tids), -1))

    # in the whole recording

    def first_file(self, tgids: np.ndarray, fds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(inode, i_mode) of the file behind each process's descriptor before anything was learnt of it: of the first
        that was, where that was open already; else 0."""
        return self.descriptors.before(tgids, fds)

    def name(self, tgid: int, fd: int, inode: int) -> str | None:
        """The name of a descriptor when it had that inode, at any time; inode 0: the last name; fd −1: of any
        descriptor of the process."""
        return self._names.ever(tgid, fd, inode) if self._names else None

    @property
    def leaders(self) -> dict[int, int]:
        """Process → the number of the leader's life, where the leader has a second life since another thread's
        execve."""
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
