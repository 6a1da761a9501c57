"""Processes that a scenario starts beside its own: fork(2), an end with their parent's (prctl(2)), waitpid(2)."""

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def fork(work: Callable[[], None]) -> int:
    """A process that does `work` and ends, with this one at the latest; its ID."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            work()
            status = 0
    except KeyboardInterrupt:
        pass
    finally:
        os._exit(status)


def join(pids: list[int]) -> None:
    """Wait for the end of all, and strike them from the list; raises ChildProcessError if one failed."""
    while pids:
        _, status = os.waitpid(pids[-1], 0)
        pids.pop()
        if status:
            raise ChildProcessError(
                f"a process of the scenario ended with status {os.waitstatus_to_exitcode(status)}"
            )
