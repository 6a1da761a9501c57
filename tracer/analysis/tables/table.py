"""Arrays of one length as the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


def names_of(table: type[Table]) -> tuple[str, ...]:
    """The names of the columns of a kind of Table, in order."""
    return tuple(table.__dataclass_fields__)


@dataclass(slots=True)
class Table:
    """Arrays of one length: the columns of a table."""

    def __len__(self) -> int:
        return len(getattr(self, names_of(type(self))[0]))

    def take(self, rows: np.ndarray | slice) -> Self:
        """The rows that an index, a mask or a slice selects."""
        return type(self)(*[getattr(self, name)[rows] for name in names_of(type(self))])

    def where(self, mask: np.ndarray) -> Self:
        """The rows where the mask is true; without a copy if all are."""
        return self if mask.all() else self.take(mask)

    def joined(self, other: Self) -> Self:
        """These rows, then the other's."""
        return type(self)(
            *[
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in names_of(type(self))
            ]
        )
