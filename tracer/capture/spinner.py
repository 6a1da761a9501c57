"""Keeps one CPU from idling, at the lowest priority that there is (SCHED_IDLE, sched(7)): run as
`python spinner.py READY PARENT CPU`.

It writes a byte to READY once it spins, and ends with PARENT (PR_SET_PDEATHSIG, prctl(2)), however that ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    """argv: READY (a descriptor), PARENT (a process ID), CPU. Returns only where the parent has gone or the CPU
    is not to be had."""
    ready, parent, cpu = map(int, argv)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the prctl
        return 1
    try:
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError:
        return 1
    os.write(ready, b"\0")
    os.close(ready)
    while True:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
