"""The record that the probes write (struct record of probes/iotrace.h) as a numpy dtype, and its kinds."""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """What a record tells: enum kind of probes/iotrace.h, where each kind's fields are explained."""

    CALL = 1
    ARGS = 2
    OPEN = 3
    SWITCH_OUT = 4
    SWITCH_IN = 5
    WAKING = 6
    READY = 7
    COPY = 8
    SIGNAL_GENERATE = 9
    SIGNAL_DELIVER = 10
    DESCRIPTOR = 11
    THREAD = 12
    EXIT = 13
    NAME = 14
    LIBRARY = 15
    START = 16
    EXEC = 17
    URING_SUBMIT = 18
    URING_POLL = 19
    URING_WORK = 20
    URING_COMPLETE = 21
    URING_RING = 22
    URING_FILE = 23
    AIO_SUBMIT = 24
    AIO_EVENT = 25
    ADDRESS = 26
    PATH = 27
    FILE = 28
    WATCHED = 29
    NEIGHBOUR = 30
    MESSAGES = 31
    UNENTERED = 33
    WAKER = 34
    OWNER = 37
    REDACTED = 63


WAS_OPEN = 0x8000  # in a DESCRIPTOR's nr, beside the CPU: the file was open before it was looked at
SOCKET_LISTENS = 1 << 48  # in a FILE's start, of a socket: it listened when it was looked at
CLOSES_ON_EXEC = 0x10000  # in a DESCRIPTOR's arg, beside the mode
SAYS_TRAPPED = 1  # in an UNENTERED's start: a seccomp filter answered the call with SIGSYS
GOES_ON = 1  # in an EXIT's arg: by execve it has its leader's ID now, and lives
SWITCH_SAYS_NEXT = 1  # in a SWITCH_OUT's start: its result is the thread that gets the CPU
WATCHED_MORE = 0x8000  # in a WATCHED's nr: not the first record of a set
TIMEOUT_NEVER, TIMEOUT_UNREAD = -1, -2  # in a WATCHED's start
MOST_PATH = 256  # bytes that are kept of a path: MOST_PATH of probes/descriptors.bpf.c, times 16
LIBRARY_NAMES = {1: "aio_read", 2: "aio_suspend"}

_FIELDS = [
    ("time", "<i8"),
    ("start", "<i8"),
    ("result", "<i8"),
    ("tid", "<u4"),
    ("kind", "<u2"),
    ("nr", "<u2"),
    ("fd", "<i4"),
    ("arg", "<u4"),
]
RECORD = np.dtype(_FIELDS)
"""One record, 40 bytes; `time` and `start` in ns of CLOCK_MONOTONIC."""

ELEMENT = np.dtype([("length", "<u4"), ("offset", "<u4"), *_FIELDS])
"""A record as it lies in the ring, behind 8 bytes of header (or of gap, inside a batch)."""


def empty() -> np.ndarray:
    """No records."""
    return np.empty(0, RECORD)


def bytes_of(low: int, high: int) -> bytes:
    """The bytes that two fields of a NAME or PATH record hold, as far as the first NUL."""
    return struct.pack("<qq", low, high).split(b"\0", 1)[0]
