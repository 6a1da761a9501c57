"""What is known of lives of descriptors: the file, and the flags at each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.history import History
from tracer.analysis.tables.table import Table, names_of


@dataclass(slots=True)
class Looks(Table):
    """Looks at descriptors (int64[n] each). time: when (ns); flags: f_flags; closes_on_exec: 1 with FD_CLOEXEC. Of the
    file: number (FileNumbers), inode, mode (i_mode), kind (FileKind), mark and open_file (0: not told) as the records
    have them, low and high: its name, or a socket's facts, anonymous: 1 where `low` tells kinds apart."""

    time: np.ndarray
    flags: np.ndarray
    closes_on_exec: np.ndarray
    number: np.ndarray
    inode: np.ndarray
    mode: np.ndarray
    kind: np.ndarray
    mark: np.ndarray
    open_file: np.ndarray
    low: np.ndarray
    high: np.ndarray
    anonymous: np.ndarray

    def same_file(self, other: Looks) -> np.ndarray:
        """bool[n]: whether both are looks at one open file, as far as both tell."""
        told = (self.open_file != 0) & (other.open_file != 0)
        another = told & (self.open_file != other.open_file)
        named = told & (self.anonymous & other.anonymous == 1) & (self.low != other.low)
        marked = (self.mark != 0) & (other.mark != 0) & (self.mark != other.mark)
        same = (self.inode == other.inode) & (self.mode >> 12 == other.mode >> 12)
        same_file: np.ndarray = same & ~another & ~named & ~marked
        return same_file


NAMES = names_of(Looks)
FLAGS = NAMES.index("flags")


class LifeFacts:
    """The first look at each of some lives, by a number from 0 on, and how their flags changed later."""

    def __init__(self) -> None:
        self._room = np.zeros((len(NAMES), 1 << 10), np.int64)
        self._count = 0
        self._changed = History(1)  # number → flags

    def __len__(self) -> int:
        return self._count

    def add(self, looks: Looks) -> np.ndarray:
        """Keeps first looks; their numbers."""
        begin, self._count = self._count, self._count + len(looks)
        if self._count > self._room.shape[1]:
            room = np.zeros((len(NAMES), self._count * 2), np.int64)
            room[:, :begin] = self._room[:, :begin]
            self._room = room
        for row, name in enumerate(NAMES):
            self._room[row, begin : self._count] = getattr(looks, name)
        return np.arange(begin, self._count)

    def look_again(self, numbers: np.ndarray, looks: Looks) -> None:
        """Later looks at lives that are known: their flags from then on, and what a socket has become. A look that says
        nothing new is not kept."""
        told = looks.open_file != 0
        for name in ("low", "high"):
            self._room[NAMES.index(name), numbers[told]] = getattr(looks, name)[told]
        first = self.of(numbers)
        has_changed = np.unique(numbers[first.flags != looks.flags])
        changed, _ = self._changed.find(numbers, looks.time)
        kept = np.flatnonzero(changed | np.isin(numbers, has_changed))
        rows = looks.take(kept)
        self._changed.add(numbers[kept], rows.time, rows.flags)

    def of(self, numbers: np.ndarray) -> Looks:
        """The first looks at lives; all 0 for a number below 0."""
        if not self._count:
            return Looks(*np.zeros((len(NAMES), len(numbers)), np.int64))
        columns = self._room[:, np.maximum(numbers, 0)]
        return Looks(*np.where(numbers >= 0, columns, 0))

    def row(self, number: int) -> dict[str, int]:
        """The first look at one life as plain numbers: quicker than `of` for a single one."""
        return dict(zip(NAMES, self._room[:, number].tolist(), strict=True))

    def flags_at(self, numbers: np.ndarray, times: np.ndarray, first: np.ndarray) -> np.ndarray:
        """f_flags (int64[n]) at each time; of before the first look what that said (first)."""
        if not len(self._changed):
            return first
        changed, rows = self._changed.find(numbers, times)
        flags: np.ndarray = np.where(changed, rows[:, 0], first)
        return flags
