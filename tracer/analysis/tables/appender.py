"""A table that grows: rows are added a few at a time, in pieces each as large as all before it.

Fresh memory costs a page fault every 4 KiB, a fifth of the analysis of many operations; numpy asks for huge pages
where an array has 4 MiB and more (madvise(2), MADV_HUGEPAGE), so large pieces cost next to none.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from tracer.analysis.tables.table import Table, names_of

_LEAST, _MOST = 1 << 12, 1 << 20  # rows in a piece
T = TypeVar("T", bound=Table)


class Appender(Generic[T]):
    """empty: a table without rows, for its columns' types."""

    def __init__(self, empty: T) -> None:
        self._empty = empty
        self._pieces: list[T] = []
        self._free = 0  # rows of the last piece
        self._total = 0

    def add(self, rows: T) -> None:
        """Copies rows to the end."""
        first = 0
        while first < len(rows):
            if not self._free:
                self._grow(len(rows) - first)
            piece = self._pieces[-1]
            count = min(self._free, len(rows) - first)
            place = len(piece) - self._free
            for name in names_of(type(rows)):
                column = getattr(piece, name)
                column[place : place + count] = getattr(rows, name)[first : first + count]
            first, self._free, self._total = first + count, self._free - count, self._total + count

    def whole(self) -> T:
        """All rows as one table; the pieces are given up column by column, so that nothing is there twice."""
        columns = []
        for name in names_of(type(self._empty)):
            parts = [getattr(piece, name) for piece in self._pieces]
            if parts:
                parts[-1] = parts[-1][: len(parts[-1]) - self._free]
            else:
                parts = [getattr(self._empty, name)]
            columns.append(np.concatenate(parts) if len(parts) > 1 else parts[0])
            for piece in self._pieces:
                setattr(piece, name, None)
        return type(self._empty)(*columns)

    def _grow(self, wanted: int) -> None:
        """A new piece, for `wanted` rows at least."""
        self._free = max(_LEAST, min(_MOST, self._total), wanted)
        columns = (getattr(self._empty, name) for name in names_of(type(self._empty)))
        self._pieces.append(type(self._empty)(*(np.empty(self._free, it.dtype) for it in columns)))
