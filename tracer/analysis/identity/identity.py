"""Which thread, process, descriptor and file a number means at a time. All other analyses ask here.

Lives of threads and processes are told apart before any other step sees a batch (`lives`). A descriptor has lives too:
what is known of one holds from the call that opened it to the one that closed it (`descriptor_lives`).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors, Files
from tracer.analysis.identity.file_names import FileNames
from tracer.analysis.identity.lives import Lives
from tracer.analysis.identity.open_files import OpenFiles
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
        self._names: FileNames | None = None

    def with_lives(self, batch: RecordBatch) -> RecordBatch:
        """A batch with lives in the place of IDs, for this step and all others. Each batch comes here first."""
        return self._lives.feed(batch)

    def feed(self, batch: RecordBatch, state: State) -> Identity:
        self.descriptors.feed(batch, state[TimelineStep])
        self._names = self._names or FileNames(state.recording.facts, self.descriptors)
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

    def files(
        self,
        tids: np.ndarray,
        fds: np.ndarray,
        times: np.ndarray,
        tgids: np.ndarray | None = None,
    ) -> Files:
        """The file behind the descriptor of each thread at each time (ns). A time is that of a call's entry: then the
        kernel looks the descriptor up. tgids: the threads' processes, where the caller has them."""
        return self.descriptors.files(tids, fds, times, tgids)

    def open_files(self, tids: np.ndarray, fds: np.ndarray, times: np.ndarray) -> OpenFiles:
        """The open file behind the descriptor of each thread at each time (ns, as above): its kind, which one it is,
        and its peer."""
        return self.descriptors.open_files(tids, fds, times)

    # in the whole recording

    def files_of_lives(self, lives: np.ndarray) -> Files:
        """The files of lives of descriptors (Files.life) as far as they are known by now: a look tells of the whole
        life."""
        return self.descriptors.of_lives(lives)

    def inode_of(self, number: int) -> int:
        """The inode of a file (Files.number)."""
        return self.descriptors.numbers.inode_of(number)

    def name(self, tgid: int, fd: int, number: int) -> str | None:
        """The name of a process's descriptor while it was this file; fd −1: of any descriptor."""
        return self._names.name(tgid, fd, number) if self._names else None

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
