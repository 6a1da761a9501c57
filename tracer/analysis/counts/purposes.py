"""What a watched descriptor is watched for: data, room to send, a connection, time, a signal, a child, another thread,
a file; from its kind and the events. A set of purposes is a mask, bit i for WAITS[i]."""

from __future__ import annotations

import select
from functools import cache

import numpy as np

from tracer.analysis.identity.open_files import FileKind

WAITS = (
    "data",
    "connections",
    "room to send",
    "files",
    "futexes",
    "children",
    "time",
    "signals",
    "other calls",
    "other threads",
    "what was not recorded",
)
(
    DATA,
    CONNECTIONS,
    SENDING,
    FILES,
    FUTEXES,
    CHILDREN,
    TIME,
    SIGNALS,
    OTHER,
    THREADS,
    UNKNOWN,
) = range(len(WAITS))
# Data that may be a wake-up alone: of a pipe, or of a socket whose other end was made with it (socketpair).
CHANNEL = len(WAITS)
INSTANCE = CHANNEL + 1  # what an epoll descriptor watches for
BITS = INSTANCE + 1
# Who watches for several things waits for the first of these: what is most of its work. An event loop watches a
# channel, a timer and signals beside what it is there for.
_FIRST = (DATA, CONNECTIONS, SENDING, CHANNEL, CHILDREN, FILES, SIGNALS, THREADS, OTHER, TIME)
_READS = select.POLLIN | select.POLLPRI | select.POLLRDNORM | select.POLLRDBAND | select.POLLRDHUP
_WRITES = select.POLLOUT | select.POLLWRNORM | select.POLLWRBAND
_MOST_KINDS = 64

_TO_READ = {
    DATA: (
        *(FileKind.SOCKET, FileKind.TERMINAL, FileKind.CHARACTER),
        *(FileKind.MQUEUE, FileKind.IO_URING),
    ),
    INSTANCE: (FileKind.EPOLL,),
    CHANNEL: (FileKind.PIPE, FileKind.FIFO),
    FILES: (
        *(FileKind.REGULAR, FileKind.DIRECTORY, FileKind.BLOCK, FileKind.MEMFD),
        *(FileKind.INOTIFY, FileKind.FANOTIFY),
    ),
    THREADS: (FileKind.EVENTFD,),
    TIME: (FileKind.TIMERFD,),
    SIGNALS: (FileKind.SIGNALFD,),
    CHILDREN: (FileKind.PIDFD,),
    OTHER: (FileKind.PERF, FileKind.BPF, FileKind.USERFAULTFD),
    UNKNOWN: (FileKind.UNKNOWN, FileKind.OTHER),
}
_TO_WRITE = {
    SENDING: (
        *(FileKind.SOCKET, FileKind.PIPE, FileKind.FIFO, FileKind.TERMINAL, FileKind.CHARACTER),
        FileKind.MQUEUE,
    ),
    FILES: (FileKind.REGULAR, FileKind.DIRECTORY, FileKind.BLOCK, FileKind.MEMFD),
    THREADS: (FileKind.EVENTFD,),
    UNKNOWN: (FileKind.UNKNOWN, FileKind.OTHER),
}


@cache
def _masks(writes: bool) -> np.ndarray:
    """FileKind → mask."""
    table = np.zeros(_MOST_KINDS, np.int64)
    for bit, kinds in (_TO_WRITE if writes else _TO_READ).items():
        table[list(kinds)] = 1 << bit
    return table


def purposes(
    kind: np.ndarray,
    events: np.ndarray,
    listens: np.ndarray,
    connects: np.ndarray,
    has_peer: np.ndarray,
) -> np.ndarray:
    """Masks (int64[n]) of descriptors.

    kind: FileKind; events: as poll and epoll have them; bool[n]: listens: a listening socket; connects: its connection
    is being made; has_peer: the other end was made with it.
    """
    to_read = _masks(False)[kind]
    to_read = np.where(has_peer & (to_read == 1 << DATA), 1 << CHANNEL, to_read)
    to_read = np.where(listens, 1 << CONNECTIONS, to_read)
    to_write = np.where(connects, 1 << CONNECTIONS, _masks(True)[kind])
    masks: np.ndarray = np.where(events & _READS != 0, to_read, 0)
    masks |= np.where(events & _WRITES != 0, to_write, 0)
    return masks


@cache
def _reasons() -> np.ndarray:
    """Mask → index into WAITS, for masks that are not empty: the first purpose; unknown where one is, and nothing that
    is data for sure."""
    masks = np.arange(1 << BITS)
    has = [masks >> bit & 1 == 1 for bit in range(BITS)]
    wanted = [has[DATA] | has[INSTANCE], has[UNKNOWN], *(has[bit] for bit in _FIRST[1:])]
    codes = [DATA, UNKNOWN, *(DATA if bit == CHANNEL else bit for bit in _FIRST[1:])]
    return np.select(wanted, codes, UNKNOWN)


def reason_of(mask: np.ndarray) -> np.ndarray:
    """The index into WAITS (int64[n]) of what is waited for; masks that are empty give UNKNOWN."""
    reasons: np.ndarray = _reasons()[mask]
    return reasons
