"""Arrays of one length as the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np


@cache
def names_of(table: type) -> tuple[str, ...]:
    """The columns of a kind of Rows, in order; dataclasses.fields makes its list anew at every call."""
    return tuple(field.name for field in fields(table))


@dataclass(slots=True)
class Table:
    """Arrays of one length: the columns of a table."""

    def __len__(self) -> int:
        return len(getattr(self, names_of(type(self))[0]))

    def take(self, which: np.ndarray | slice):
        """The rows that an index, a mask or a slice selects."""
        return type(self)(*[getattr(self, name)[which] for name in names_of(type(self))])

    def where(self, mask: np.ndarray):
        """The rows where the mask is true: no copy where it is so everywhere."""
        return self if mask.all() else self.take(mask)

    def joined(self, other):
        """These rows, then the other's."""
        return type(self)(
            *[
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in names_of(type(self))
            ]
        )
