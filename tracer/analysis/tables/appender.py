"""A table that grows: rows are added a few at a time, in pieces each as large as all before it.

Fresh memory costs a page fault every 4 KiB, a fifth of the analysis of many operations; numpy asks for huge pages
where an array has 4 MiB and more (madvise(2), MADV_HUGEPAGE), so large pieces cost next to none.
"""

from __future__ import annotations

import numpy as np

from tracer.analysis.tables.table import Table, names_of

_LEAST, _MOST = 1 << 12, 1 << 20  # rows in a piece


class Appender:
    """empty: a table without rows, for its columns' types."""

    def __init__(self, empty: Table) -> None:
        self._empty = empty
        self._pieces: list[Table] = []
        self._free = 0  # rows of the last piece
        self._total = 0

    def add(self, rows: Table) -> None:
        """Copies rows to the end."""
        first = 0
        while first < len(rows):
            if not self._free:
                self._free = max(_LEAST, min(_MOST, self._total), len(rows) - first)
                self._pieces.append(
                    type(rows)(
                        *(
                            np.empty(self._free, getattr(self._empty, name).dtype)
                            for name in names_of(type(rows))
                        )
                    )
                )
            piece = self._pieces[-1]
            count = min(self._free, len(rows) - first)
            at = len(piece) - self._free
            for name in names_of(type(rows)):
                getattr(piece, name)[at : at + count] = getattr(rows, name)[first : first + count]
            first, self._free, self._total = first + count, self._free - count, self._total + count

    def whole(self) -> Table:
        """All rows as one table; the pieces are given up column by column, so that nothing is there twice."""
        columns = []
        for name in names_of(type(self._empty)):
            parts = [getattr(piece, name) for piece in self._pieces]
            if parts:
                parts[-1] = parts[-1][: len(parts[-1]) - self._free]
            columns.append(
                np.concatenate(parts)
                if len(parts) > 1
                else parts[0]
                if parts
                else getattr(self._empty, name)
            )
            for piece in self._pieces:
                setattr(piece, name, None)
        return type(self._empty)(*columns)
