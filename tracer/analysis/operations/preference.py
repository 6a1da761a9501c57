"""A rule as a table: several pieces of evidence for one time, the best one first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SEEN, ESTIMATED = False, True


class Boundary(NamedTuple):
    """One boundary of n operations: int64[n] ns, and bool[n] whether it is estimated."""

    time: np.ndarray
    estimated: np.ndarray


class Row(NamedTuple):
    """A row of a rule's table: which operations have this evidence (bool[n]), the time that it gives them (int64[n],
    ns), and whether that time is SEEN or ESTIMATED."""

    applies: np.ndarray
    time: np.ndarray
    estimated: bool = SEEN


def best(*table: Row, otherwise: np.ndarray, estimated: bool) -> Boundary:
    """For each operation the first row that applies to it; `otherwise` (ns) where none does."""
    guessed = np.full(len(otherwise), estimated)
    for row in reversed(table):
        np.copyto(guessed, row.estimated, where=row.applies)
    return Boundary(first(*table, otherwise=otherwise), guessed)


def first(*table: Row, otherwise: np.ndarray) -> np.ndarray:
    """The time alone (int64[n] ns), where all of it is seen or all of it is estimated."""
    time = otherwise.copy()
    for row in reversed(table):
        np.copyto(time, row.time, where=row.applies)
    return time
