"""Sets of small numbers (kinds of records, system calls, file types): whether a number is in one is one look-up."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_SIZE = 1 << 16  # the numbers of calls and of kinds have 16 bits


def number_set(numbers: Iterable[int]) -> np.ndarray:
    """bool[65536], true at these numbers: `number_set(…)[column]` says which rows have one (np.isin takes eight times
    as long). −1 stands for no number, and is in no set."""
    members = np.zeros(_SIZE, bool)
    members[list(numbers)] = True
    return members
