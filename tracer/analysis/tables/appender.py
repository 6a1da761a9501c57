"""A table that grows: rows are added a few at a time, in pieces each as large as all before it.

Fresh memory costs a page fault every 4 KiB, a fifth of the analysis of many operations; numpy asks for huge pages
if an array has 4 MiB or more (madvise(2), MADV_HUGEPAGE), so large pieces cost next to none.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from tracer.analysis.tables.table import Table, names_of

_LEAST, _MOST = 1 << 12, 1 << 20  # rows in a piece
T = TypeVar("T", bound=Table)


class Appender(Generic[T]):
    """empty: a table without rows; the pieces get the types of its columns."""

    def __init__(self, empty: T) -> None:
        self._empty = empty
        self._pieces: list[T] = []
        self._free = 0  # rows of the last piece that are not filled yet
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
        """All rows as one table. The pieces are given up column by column, so that only one column is in memory
        twice."""
        columns = []
        for name in names_of(type(self._empty)):
            pieces = [getattr(piece, name) for piece in self._pieces]
            if pieces:
                pieces[-1] = pieces[-1][: len(pieces[-1]) - self._free]
            else:
                pieces = [getattr(self._empty, name)]
            columns.append(np.concatenate(pieces) if len(pieces) > 1 else pieces[0])
            for piece in self._pieces:
                setattr(piece, name, None)
        return type(self._empty)(*columns)

    def _grow(self, wanted: int) -> None:
        """A new piece, for `wanted` rows at least."""
        self._free = max(_LEAST, min(_MOST, self._total), wanted)
        columns = (getattr(self._empty, name) for name in names_of(type(self._empty)))
        self._pieces.append(
            type(self._empty)(*(np.empty(self._free, column.dtype) for column in columns))
        )
