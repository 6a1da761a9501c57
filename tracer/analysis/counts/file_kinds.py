"""What a program reads from that is neither a socket, a pipe nor a file: terminals, timers, event counters, message
queues … A kind follows from i_mode (inode(7)), or from the kernel's name of an anonymous file (fs/anon_inodes.c)."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.usage_values import QUEUE, SYSV_QUEUE
from tracer.analysis.identity.descriptors import S_IFMT

_ANONYMOUS = "anon_inode:"
_KINDS = {
    "eventfd": "eventfds",
    "timerfd": "timers (timerfd)",
    "inotify": "inotify",
    "signalfd": "signalfds",
    "fanotify": "fanotify",
    "userfaultfd": "userfaultfds",
}
_TERMINALS = ("/dev/pts/", "/dev/tty", "/dev/console", "/dev/ptmx")
_DATA = (stat.S_IFSOCK, stat.S_IFIFO, stat.S_IFREG, stat.S_IFBLK, stat.S_IFDIR)


class Reads(NamedTuple):
    """How many reads brought how many bytes from files of one kind."""

    kind: str
    calls: int
    bytes: int


def other_reads(
    keys: np.ndarray,
    modes: np.ndarray,
    receives: np.ndarray,
    received_bytes: np.ndarray,
    name: Callable[[int, int, int], str | None],
) -> dict[int, tuple[Reads, ...]]:
    """Process → what it read from other things than sockets, pipes and files, by kind, the most frequent first.

    keys: int64[n, 3], process, descriptor and inode; modes: i_mode of each; receives, received_bytes: int64[n]; name:
    of a file, by its key.
    """
    rows = np.flatnonzero((receives > 0) & ~np.isin(modes & S_IFMT, _DATA))
    calls: dict[int, Counter[str]] = {}
    sizes: dict[int, Counter[str]] = {}
    for row in rows.tolist():
        tgid, fd, inode = keys[row].tolist()
        kind = kind_of(int(modes[row]), fd, name(tgid, fd, inode))
        calls.setdefault(tgid, Counter())[kind] += int(receives[row])
        sizes.setdefault(tgid, Counter())[kind] += int(received_bytes[row])
    return {
        tgid: tuple(Reads(kind, count, sizes[tgid][kind]) for kind, count in counts.most_common())
        for tgid, counts in calls.items()
    }


def kind_of(mode: int, fd: int, name: str | None) -> str:
    """The kind of a file, in the plural."""
    if mode & S_IFMT == QUEUE:
        return "SysV message queues" if fd == SYSV_QUEUE else "POSIX message queues"
    if mode & S_IFMT == stat.S_IFCHR:
        return "terminals" if (name or "").startswith(_TERMINALS) else "terminals or other devices"
    anonymous = (name or "").removeprefix(_ANONYMOUS).strip("[]")
    return _KINDS.get(anonymous, "other descriptors")
