"""Kinds of files, and which open file (struct file; open(2), "open file description") a descriptor stood for at a time.

Descriptors that dup(2), fork(2) or SCM_RIGHTS made of one another share an open file; two eventfds share only the inode
that all anonymous files have.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from tracer.analysis.tables.table import Table

S_IFMT = 0o170000  # of i_mode the file's type (inode(7))


class FileKind(IntEnum):
    """What a file is. Of anonymous files (anon_inode, fs/anon_inodes.c) each kind by itself; OTHER: one of none of
    these."""

    UNKNOWN = 0
    SOCKET = 1
    PIPE = 2  # of pipe(2)
    FIFO = 3  # with a name
    REGULAR = 4
    DIRECTORY = 5
    CHARACTER = 6  # a character device that is no terminal
    TERMINAL = 7
    BLOCK = 8
    EVENTFD = 9
    TIMERFD = 10
    SIGNALFD = 11
    EPOLL = 12
    INOTIFY = 13
    FANOTIFY = 14
    PIDFD = 15
    MEMFD = 16
    IO_URING = 17
    PERF = 18
    BPF = 19
    USERFAULTFD = 20
    MQUEUE = 21
    OTHER = 22


_BY_TYPE = {
    stat.S_IFSOCK: FileKind.SOCKET,
    stat.S_IFIFO: FileKind.PIPE,
    stat.S_IFREG: FileKind.REGULAR,
    stat.S_IFDIR: FileKind.DIRECTORY,
    stat.S_IFCHR: FileKind.CHARACTER,
    stat.S_IFBLK: FileKind.BLOCK,
}


@dataclass(slots=True)
class OpenFiles(Table):
    """Of each descriptor asked about, the open file behind it.

    kind: FileKind. number: of the open file; equal numbers are one open file, -1 where unknown. peer: the number of the
    other end of a pipe or of a socketpair(2), -1 where unknown.
    """

    kind: np.ndarray
    number: np.ndarray
    peer: np.ndarray


def kinds_of(modes: np.ndarray) -> np.ndarray:
    """The kind that i_mode alone tells (int8[n]); anonymous files have no type there."""
    kinds = np.full(1 << 4, FileKind.UNKNOWN, np.int8)
    for file_type, kind in _BY_TYPE.items():
        kinds[file_type >> 12] = kind
    told: np.ndarray = kinds[(modes & S_IFMT) >> 12]
    return told
