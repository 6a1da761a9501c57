"""Which threads share a table of descriptors, by kcmp(2): threads of a process mostly do, and other processes may
(CLONE_FILES, unshare(2))."""

from __future__ import annotations

import ctypes

from tracer.kernel import syscalls

_KCMP_FILES = 2
_SAME, _FIRST_IS_LESS = 0, 1


class DescriptorTables:
    """The tables of the threads that were asked about. Threads are known by the numbers that our PID namespace has for
    them."""

    def __init__(self) -> None:
        self._threads: list[int] = []  # one for each table, in the kernel's order of tables
        self._call = ctypes.CDLL(None, use_errno=True).syscall
        self._number = syscalls.numbers()["kcmp"]

    def is_new(self, tid: int) -> bool | None:
        """Whether no thread that was asked about before has this one's table; None where the kernel does not say (no
        CONFIG_KCMP, not ours to know, or the thread has ended)."""
        low, high = 0, len(self._threads)
        while low < high:
            middle = (low + high) // 2
            order = self._compared(tid, self._threads[middle])
            if order < 0:
                return self._without(middle, tid)
            if order == _SAME:
                return False
            low, high = (low, middle) if order == _FIRST_IS_LESS else (middle + 1, high)
        if self._compared(tid, tid) != _SAME:
            return None
        self._threads.insert(low, tid)
        return True

    def _without(self, index: int, tid: int) -> bool | None:
        """The answer where a comparison failed: asked again without a thread that has ended."""
        other = self._threads[index]
        if self._compared(other, other) == _SAME:
            return None
        del self._threads[index]
        return self.is_new(tid)

    def _compared(self, one: int, other: int) -> int:
        """0 the same, 1 less, 2 greater, 3 different in no order, −1 not known."""
        arguments = (self._number, one, other, _KCMP_FILES, 0, 0)
        return int(self._call(*map(ctypes.c_long, arguments)))
