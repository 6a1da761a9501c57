"""Records as columns: eight arrays of one length, which the analysis reads faster than the fields of an array of
records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tracer.recording.records import RECORD

NAMES: tuple[str, ...] = RECORD.names or ()  # numpy's types: a dtype may have no fields


class RecordBatch:
    """n records: time, start (int64, ns), result (int64), tid (uint32), kind, nr (uint16), fd (int32), arg (uint32)."""

    __slots__ = (*NAMES, "_present")
    time: np.ndarray
    start: np.ndarray
    result: np.ndarray
    tid: np.ndarray
    kind: np.ndarray
    nr: np.ndarray
    fd: np.ndarray
    arg: np.ndarray

    def __init__(self, *arrays: np.ndarray) -> None:
        for name, array in zip(NAMES, arrays, strict=True):
            setattr(self, name, array)
        self._present: int | None = (
            None  # bit i: there are records of kind i; when it was asked for
        )

    def has(self, kind: int) -> bool:
        """Whether there are records of this kind (below 64). The first call notes all kinds: most batches lack most."""
        if self._present is None:
            bits = np.left_shift(np.uint64(1), self.kind, dtype=np.uint64)
            self._present = int(np.bitwise_or.reduce(bits))
        return bool(self._present >> kind & 1)

    @classmethod
    def of(cls, records: np.ndarray) -> RecordBatch:
        """A batch of an array RECORD[n]."""
        return cls(*(np.ascontiguousarray(records[name]) for name in NAMES))

    def put(self, place: int, records: np.ndarray) -> None:
        """Writes RECORD[n], or anything with its fields, over the rows from `place` on."""
        for name in NAMES:
            getattr(self, name)[place : place + len(records)] = records[name]

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: np.ndarray | slice) -> RecordBatch:
        """The rows that an index, a mask or a slice selects."""
        return RecordBatch(*(getattr(self, name)[rows] for name in NAMES))

    def records(self) -> np.ndarray:
        """The rows as an array RECORD[n]."""
        records = np.empty(len(self), RECORD)
        for name in NAMES:
            records[name] = getattr(self, name)
        return records


Read = Callable[[int | None, int | None], Iterable[RecordBatch]]
"""Gives records from a time to a time (ns, None: no limit), in time order and in batches."""


def sized(count: int) -> RecordBatch:
    """Room for `count` records."""
    return RecordBatch(*(np.empty(count, RECORD[name]) for name in NAMES))


def joined(batches: Sequence[RecordBatch]) -> RecordBatch:
    """The batches as one, in their order."""
    if not batches:
        return sized(0)
    return RecordBatch(
        *(np.concatenate([getattr(batch, name) for batch in batches]) for name in NAMES)
    )


def rows_by(keys: np.ndarray) -> dict[int, np.ndarray]:
    """Key → the rows (int64, ascending) that have it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    return (
        dict(zip(ordered[first].tolist(), np.split(order, first[1:]), strict=True))
        if len(keys)
        else {}
    )


class Scratch:
    """Room for joined columns that is used again and again: fresh memory costs a page fault every 4 KiB, which was a
    tenth of the analysis."""

    def __init__(self) -> None:
        self._room = RecordBatch.of(np.empty(0, RECORD))

    def hold(self, first: RecordBatch, second: RecordBatch) -> RecordBatch:
        """Both batches as one, `first` first; valid until the next call."""
        size = len(first) + len(second)
        if len(self._room) < size:
            self._room = RecordBatch.of(np.empty(size + size // 4, RECORD))
        for name in NAMES:
            room = getattr(self._room, name)
            room[: len(first)] = getattr(first, name)
            room[len(first) : size] = getattr(second, name)
        return self._room.take(slice(size))
