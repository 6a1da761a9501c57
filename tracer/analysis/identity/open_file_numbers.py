"""Which lives of descriptors are of one open file, and which open files are the two ends of a pipe or socket pair."""

from __future__ import annotations

import numpy as np

from tracer.analysis.identity.life_facts import Looks
from tracer.analysis.tables.asof import AsOf


class OpenFileNumbers:
    """An open file has the number (in LifeFacts) of the first life that it was seen in."""

    def __init__(self) -> None:
        self._seen = AsOf(
            2
        )  # open_file of a FILE record → number, inode of the file that is called so since then
        self._numbers = np.full(1 << 10, -1)  # by life
        self._peers = np.full(1 << 10, -1)  # by life that an open file was first seen in

    def of(self, lives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(number, number of the peer) of the open file of each life, -1 where unknown and for a life below 0."""
        known = (lives >= 0) & (lives < len(self._numbers))
        numbers = np.where(known, self._numbers[np.where(known, lives, 0)], -1)
        peers = np.where(numbers >= 0, self._peers[np.maximum(numbers, 0)], -1)
        return numbers, peers

    def feed(self, lives: np.ndarray, looks: Looks, creates: np.ndarray, pairs: np.ndarray) -> None:
        """A batch of looks in order of time. creates: bool[n], where a call has just made the open file; pairs: row of
        the look at the other end, -1 for none."""
        if not len(lives):
            return
        self._grow(int(lives.max()) + 1)
        told = looks.open_file != 0
        self._own(np.flatnonzero(told & creates), lives, looks)
        rows = np.flatnonzero(told & ~creates)
        rows = rows[self._numbers[lives[rows]] < 0]
        unknown = rows[self._found(rows, looks) < 0]
        _, first = np.unique(looks.open_file[unknown], return_index=True)
        self._own(unknown[first], lives, looks)
        found = self._found(rows, looks)
        self._own(rows[found < 0], lives, looks)
        self._numbers[lives[rows]] = np.where(found < 0, lives[rows], found)
        paired = np.flatnonzero(pairs >= 0)
        self._peers[lives[paired]] = self._numbers[lives[pairs[paired]]]

    def _own(self, rows: np.ndarray, lives: np.ndarray, looks: Looks) -> None:
        """These lives' open files were not seen before."""
        self._numbers[lives[rows]] = lives[rows]
        self._seen.add(looks.open_file[rows], looks.time[rows], lives[rows], looks.inode[rows])

    def _found(self, rows: np.ndarray, looks: Looks) -> np.ndarray:
        known, values = self._seen.find(looks.open_file[rows], looks.time[rows])
        return np.where(known & (values[:, 1] == looks.inode[rows]), values[:, 0], -1)

    def _grow(self, size: int) -> None:
        if size > len(self._numbers):
            more = np.full(size * 2 - len(self._numbers), -1)
            self._numbers = np.append(self._numbers, more)
            self._peers = np.append(self._peers, more)
