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


@dataclass(slots=True)
class OpenFiles(Table):
    """Of each descriptor asked about, the open file behind it.

    kind: FileKind. number: of the open file; equal numbers are one open file, -1 where unknown. peer: the number of the
    other end of a pipe or of a socketpair(2), -1 where unknown.
    """

    kind: np.ndarray
    number: np.ndarray
    peer: np.ndarray


_BY_TYPE = {
    stat.S_IFSOCK: FileKind.SOCKET,
    stat.S_IFIFO: FileKind.PIPE,
    stat.S_IFREG: FileKind.REGULAR,
    stat.S_IFDIR: FileKind.DIRECTORY,
    stat.S_IFCHR: FileKind.CHARACTER,
    stat.S_IFBLK: FileKind.BLOCK,
    0: FileKind.OTHER,
}


def _folded(magic: int) -> int:
    """As a FILE record has it."""
    return (magic ^ magic >> 16) & 0xFFFF


# include/uapi/linux/magic.h; ipc/mqueue.c for the last
_ANON_INODE, _PIPE_FS, _PID_FS, _DEVPTS = map(_folded, (0x09041934, 0x50495045, 0x50494446, 0x1CD1))
_TMPFS, _HUGETLBFS, _MQUEUE_FS = map(_folded, (0x01021994, 0x958458F6, 0x19800202))


def _first8(name: bytes) -> int:
    return int.from_bytes(name[:8].ljust(8, b"\0"), "little", signed=True)


# The names that the kernel gives to anonymous files, to 8 bytes.
_ANONYMOUS = {
    _first8(name): kind
    for kind, names in {
        FileKind.EVENTFD: (b"[eventfd]",),
        FileKind.TIMERFD: (b"[timerfd]",),
        FileKind.SIGNALFD: (b"[signalfd]",),
        FileKind.EPOLL: (b"[eventpoll]",),
        FileKind.INOTIFY: (b"inotify",),
        FileKind.FANOTIFY: (b"[fanotify]",),
        FileKind.PIDFD: (b"[pidfd]",),
        FileKind.IO_URING: (b"[io_uring]",),
        FileKind.PERF: (b"[perf_event]",),
        FileKind.BPF: (b"bpf-map", b"bpf-prog", b"bpf-link", b"bpf_link", b"bpf_iter", b"btf"),
        FileKind.USERFAULTFD: (b"[userfaultfd]",),
    }.items()
    for name in names
}
_MEMFD, _TTY = _first8(b"memfd:"), _first8(b"tty")
_6_BYTES, _3_BYTES = (1 << 48) - 1, (1 << 24) - 1


def kinds_of(modes: np.ndarray, magics: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The kinds (FileKind, int64[n]) of files.

    modes: i_mode; magics: Files.magic, -1 where no FILE record told more than the mode; names: the first 8 bytes of the
    name, as a number.
    """
    kinds = np.full(1 << 4, FileKind.OTHER, np.int64)
    for file_type, kind in _BY_TYPE.items():
        kinds[file_type >> 12] = kind
    told: np.ndarray = kinds[(modes & S_IFMT) >> 12]
    regular, character = told == FileKind.REGULAR, told == FileKind.CHARACTER
    told[(told == FileKind.PIPE) & (magics >= 0) & (magics != _PIPE_FS)] = FileKind.FIFO
    told[character & ((magics == _DEVPTS) | (names & _3_BYTES == _TTY))] = FileKind.TERMINAL
    in_memory = (magics == _TMPFS) | (magics == _HUGETLBFS)
    told[regular & in_memory & (names & _6_BYTES == _MEMFD)] = FileKind.MEMFD
    told[magics == _PID_FS] = FileKind.PIDFD
    told[regular & (magics == _MQUEUE_FS)] = FileKind.MQUEUE
    for row in np.flatnonzero(magics == _ANON_INODE).tolist():
        told[row] = _ANONYMOUS.get(int(names[row]), FileKind.OTHER)
    return told


def is_anonymous(magics: np.ndarray) -> np.ndarray:
    """bool[n]: whether files share their inode with other kinds."""
    flags: np.ndarray = magics == _ANON_INODE
    return flags
