"""Words in memory that two processes share, for handing turns to each other without a call, and glibc's locks in it."""

import ctypes
import mmap
import platform
import time

from scenarios.kit.errors import Unsupported

_WORDS = 2048  # where the turns are, behind the lock


class Shared:
    """A page: at its beginning a lock of the C library's, known by its address, then turns."""

    def __init__(self) -> None:
        if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
            raise Unsupported("locks are looked into here with glibc on x86-64 only")
        self.libc = ctypes.CDLL(None, use_errno=True)
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.lock = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self.words = (ctypes.c_uint32 * 2).from_buffer(self._page)  # of the lock
        self.turns = (ctypes.c_uint64 * 8).from_buffer(self._page, _WORDS)

    def await_turn(self, index: int, least: int) -> None:
        """Compute until turn `index` is at least `least`."""
        while self.turns[index] < least:
            pass


def compute(ns: int) -> None:
    """Compute for `ns` nanoseconds; CLOCK_MONOTONIC is read without a call."""
    end = time.monotonic_ns() + ns
    while time.monotonic_ns() < end:
        pass
