"""Numbers of files. The number of the first file with an inode number is that inode number; other files that have it
too (on another file system, after the first was deleted, or anonymous ones of another kind) have numbers from FIRST
on."""

from __future__ import annotations

import numpy as np

from tracer.analysis.identity.open_files import FileKind

FIRST = 1 << 32  # sockets' inode numbers, which are never given to another file, are below
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class FileNumbers:
    """The numbers given so far. A socket's is its inode always: sk_data_ready tells that."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}  # what tells a file from others → number
        self._inodes: dict[int, int] = {}  # number → inode, where the two differ
        self._taken: set[int] = set()
        self._next = FIRST

    def of(
        self, inodes: np.ndarray, marks: np.ndarray, names: np.ndarray, kinds: np.ndarray
    ) -> np.ndarray:
        """The number (int64[n]) of each file, the files in order of time.

        marks: Descriptors.mark; names: of anonymous files the first 8 bytes of the name, else 0; kinds: FileKind.
        """
        numbers = inodes.copy()
        rows = np.flatnonzero(kinds != FileKind.SOCKET)
        if not len(rows):
            return numbers
        words = _mixed(_mixed(inodes[rows]) ^ marks[rows]) ^ names[rows]
        words, first, inverse = np.unique(words, return_index=True, return_inverse=True)
        distinct = np.zeros(len(words), np.int64)
        for place in np.argsort(first).tolist():
            distinct[place] = self._number(int(words[place]), int(inodes[rows[first[place]]]))
        numbers[rows] = distinct[inverse]
        return numbers

    def inode_of(self, number: int) -> int:
        """The inode of a file."""
        return self._inodes.get(number, number)

    def _number(self, word: int, inode: int) -> int:
        number = self._numbers.get(word)
        if number is not None:
            return number
        number = inode
        while number in self._taken:
            number, self._next = self._next, self._next + 1
        if number != inode:
            self._inodes[number] = inode
        self._taken.add(number)
        self._numbers[word] = number
        return number


def _mixed(values: np.ndarray) -> np.ndarray:
    return (values.view(np.uint64) * _GOLDEN).view(np.int64)
