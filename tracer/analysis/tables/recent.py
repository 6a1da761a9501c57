"""The last rows of a table that grows: added batch by batch, and dropped when they are too old to matter."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from tracer.analysis.tables.table import Table, names_of

T = TypeVar("T", bound=Table)


class Recent(Generic[T]):
    """Pieces of a table, of which those that are too old to matter are dropped."""

    def __init__(self, kind: type[T]) -> None:
        none = np.empty(0, np.int64)
        self._empty = kind(*(none for _ in names_of(kind)))
        self._pieces: list[tuple[int, T]] = []  # with the latest time in each

    def add(self, latest: int, piece: T) -> None:
        """Rows of times up to the latest (ns)."""
        if len(piece):
            self._pieces.append((latest, piece))

    def forget_before(self, time: int) -> None:
        """Drops pieces that hold nothing but earlier times (ns)."""
        self._pieces = [(latest, piece) for latest, piece in self._pieces if latest >= time]

    def whole(self) -> T:
        """All rows that are left."""
        tables = [self._empty, *(piece for _, piece in self._pieces)]
        return type(self._empty)(
            *(
                np.concatenate([getattr(table, name) for table in tables]).astype(np.int64)
                for name in names_of(type(self._empty))
            )
        )
