"""What a program reads from that is neither a socket, a pipe nor a file: terminals, timers, event counters, message
queues …"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.usage_values import SYSV_QUEUE
from tracer.analysis.identity.open_files import FileKind

# Those that the models, or the counts of files, are about.
_DATA = (
    *(FileKind.SOCKET, FileKind.PIPE, FileKind.FIFO),
    *(FileKind.REGULAR, FileKind.BLOCK, FileKind.MEMFD, FileKind.DIRECTORY),
)
_WORDS = {
    FileKind.TERMINAL: "terminals",
    FileKind.CHARACTER: "devices",
    FileKind.EVENTFD: "eventfds",
    FileKind.TIMERFD: "timers (timerfd)",
    FileKind.SIGNALFD: "signalfds",
    FileKind.INOTIFY: "inotify",
    FileKind.FANOTIFY: "fanotify",
    FileKind.MQUEUE: "POSIX message queues",
    FileKind.PERF: "perf events",
    FileKind.USERFAULTFD: "userfaultfds",
    FileKind.UNKNOWN: "descriptors of which nothing is known",
}


class Reads(NamedTuple):
    """How many reads brought how many bytes from files of one kind."""

    kind: str
    calls: int
    bytes: int


def other_reads(
    keys: np.ndarray, kinds: np.ndarray, receives: np.ndarray, received_bytes: np.ndarray
) -> dict[int, tuple[Reads, ...]]:
    """Process → what it read from other things than sockets, pipes and files, by kind, the most frequent first.

    keys: int64[n, 3], process, descriptor and file; kinds: FileKind of each; receives, received_bytes: int64[n].
    """
    calls: dict[int, Counter[str]] = {}
    sizes: dict[int, Counter[str]] = {}
    for row in np.flatnonzero((receives > 0) & ~np.isin(kinds, _DATA)).tolist():
        tgid, fd, _ = keys[row].tolist()
        kind = words(int(kinds[row]), fd)
        calls.setdefault(tgid, Counter())[kind] += int(receives[row])
        sizes.setdefault(tgid, Counter())[kind] += int(received_bytes[row])
    return {
        tgid: tuple(Reads(kind, count, sizes[tgid][kind]) for kind, count in counts.most_common())
        for tgid, counts in calls.items()
    }


def words(kind: int, fd: int) -> str:
    """What files of a kind (FileKind) are called, in the plural."""
    if fd == SYSV_QUEUE:
        return "SysV message queues"
    return _WORDS.get(FileKind(kind), "other descriptors")
