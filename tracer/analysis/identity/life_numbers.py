"""Numbers of lives. The kernel reuses the IDs of threads and processes. The number of the first life with an ID is the
ID itself; later lives have numbers from FIRST on. The analysis sees these numbers only, the report has the IDs."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.table import Table
from tracer.recording import fields
from tracer.recording.batch import RecordBatch

FIRST = 1 << 22  # no ID is as large (PID_MAX_LIMIT, include/linux/threads.h)
T = TypeVar("T", bound=Table)

# The report's keys that hold IDs.
_KEYS = ("tid", "tgid", "helper_tid", "tids", "waiter", "waker", "sender", "process")
_THREAD_COLUMNS = {name: number_set(kinds) for name, kinds in fields.THREAD_COLUMNS.items()}
_PROCESS_COLUMNS = {name: number_set(kinds) for name, kinds in fields.PROCESS_COLUMNS.items()}


class LifeNumbers:
    """The life that an ID stood for at a time, as the ID of a thread and as that of a process; and the ID of a life."""

    def __init__(self) -> None:
        self._ids: list[int] = []  # number − FIRST → ID
        self._threads, self._processes = _AtTimes(), _AtTimes()

    def __len__(self) -> int:
        """How many lives have a number that is not their ID."""
        return len(self._ids)

    def new(self, time: int, tid: int) -> int:
        """The number of a life that begins at this time (ns) with this ID."""
        number = FIRST + len(self._ids)
        self._ids.append(tid)
        self._threads.new.append((tid, time, number))
        return number

    def also_of_process(self, time: int, tid: int, number: int) -> None:
        """From this time on (ns) the ID stands for that life as a process too."""
        self._processes.new.append((tid, time, number))

    def settle(self) -> None:
        """Lets `numbered` know the lives that are new since the last call."""
        self._threads.settle()
        self._processes.settle()

    def numbered(self, batch: RecordBatch) -> RecordBatch:
        """The batch with lives in the place of IDs; the same batch if no ID was used twice."""
        if not self._ids:
            return batch
        numbered = batch.take(slice(None))
        numbered.tid = self._threads.at(batch.tid, batch.time)
        for columns, lives in (
            (_THREAD_COLUMNS, self._threads),
            (_PROCESS_COLUMNS, self._processes),
        ):
            for name, kinds in columns.items():
                rows, column = np.flatnonzero(kinds[batch.kind]), getattr(numbered, name).copy()
                column[rows] = lives.at(column[rows], batch.time[rows])
                setattr(numbered, name, column)
        return numbered

    def shown(self, value: Any) -> Any:
        """A part of the report, with IDs in the place of lives."""
        if not self._ids:
            return value
        if isinstance(value, list):
            return [self.shown(element) for element in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self._id(element) if key in _KEYS else self.shown(element)
            for key, element in value.items()
        }

    def with_ids(self, table: T, names: tuple[str, ...]) -> T:
        """A table with IDs in the place of lives in these columns."""
        if not self._ids:
            return table
        ids, shown = np.array(self._ids), table.take(slice(None))
        for name in names:
            column = getattr(table, name).copy()
            later = (column >= FIRST) & (column < FIRST + len(ids))
            column[later] = ids[column[later].astype(np.int64) - FIRST]
            setattr(shown, name, column)
        return shown

    def _id(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._id(element) for element in value]
        if isinstance(value, int) and 0 <= value - FIRST < len(self._ids):
            return self._ids[value - FIRST]
        return value


class _AtTimes:
    """The number of the life that an ID stood for at a time."""

    def __init__(self) -> None:
        self.new: list[tuple[int, int, int]] = []  # ID, since when (ns), number
        self._table = AsOf(1)
        self._again = np.zeros(FIRST, bool)  # IDs that had more than one life

    def settle(self) -> None:
        """Moves `new` into the table."""
        if self.new:
            ids, since, number = np.array(self.new, np.int64).T
            self._table.add(ids, since, number)
            self._again[np.minimum(ids, FIRST - 1)] = True
            self.new.clear()

    def at(self, ids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The lives' numbers (of the IDs' dtype) at these times (ns)."""
        rows = np.flatnonzero(self._again[np.clip(ids, 0, FIRST - 1)])
        if not len(rows):
            return ids
        known, values = self._table.find(ids[rows].astype(np.int64), times[rows])
        numbered = ids.copy()
        numbered[rows[known]] = values[known, 0]
        return numbered
