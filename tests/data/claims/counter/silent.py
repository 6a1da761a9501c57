"""trials.beyond with a larger bitmap whose bit is not set beyond FD_SETSIZE: the kernel does not tell of what it was
not asked about."""

import ctypes

import scenarios.trials.beyond as trial
from scenarios.kit import Workload, main


def _select(workload: Workload, libc: ctypes.CDLL, fd: int) -> None:
    words = (ctypes.c_uint64 * (fd // 64 + 1))()
    if fd < trial.FD_SETSIZE:
        words[fd // 64] = 1 << fd % 64
    workload.calls["select"] += 1
    libc.select(fd + 1, words, None, None, (ctypes.c_long * 2)(0, 0))


trial._select = _select
main("silent", __doc__, ("none",), trial.receive)
