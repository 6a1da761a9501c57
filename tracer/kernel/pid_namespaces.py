"""PID namespaces (pid_namespaces(7)): whether /proc shows the namespace that we are in, under which number it shows a
process that we know by ours, and where no process can begin any more."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from tracer import text
from tracer.errors import CANNOT, IotraceError
from tracer.kernel.proc import Process

_INITIAL = "pid:[4026531836]"  # PROC_PID_INIT_INO of include/linux/proc_ns.h


class Ambiguous(IotraceError):
    """A number that means one process to the kernel and another one in /proc; the text says which."""


def is_initial() -> bool:
    """Whether we are in the initial PID namespace. If so, all numbers are those of the kernel's own records."""
    return os.readlink("/proc/self/ns/pid") == _INITIAL


def is_in_own_proc() -> bool:
    """Whether /proc shows the PID namespace that we are in; raises IotraceError where it does not even show us.

    /proc tells of each process its number in the namespace that /proc was mounted for and in those below it, down to
    the process's own: of us one number if that is ours.
    """
    try:
        status = text.read("/proc/self/status")
    except OSError:
        raise IotraceError(
            "/proc does not show iotrace: it is another PID namespace's", CANNOT
        ) from None
    return len(_own_numbers(status)) == 1


def number_in_proc(pid: int) -> int:
    """The number under which /proc shows the process that is `pid` in our PID namespace, as kill(1) means it.

    Raises ProcessLookupError where there is none, Ambiguous where /proc shows another process under this number: a user
    who saw it in ps(1) means that one.
    """
    if is_in_own_proc():
        return pid
    shown = Path(f"/proc/{pid}").is_dir()
    try:
        number = number_of_child(pid)
    except ProcessLookupError:
        if shown:
            raise Ambiguous(f"no process {pid} here; {_other(pid)}") from None
        raise
    if shown and number != pid:
        raise Ambiguous(f"process {pid} is {number} in /proc; {_other(pid)}")
    return number


def number_of_child(pid: int) -> int:
    """The number under which /proc shows our own child, which `pid` means whatever /proc has under that number.

    Raises ProcessLookupError where /proc does not show it, or it has ended.
    """
    if is_in_own_proc():
        return pid
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        raise ProcessLookupError(error.errno, error.strerror) from None
    try:
        # pidfd_show_fdinfo of the kernel: its number in the namespace of the /proc that this file lies in
        info = text.read(f"/proc/self/fdinfo/{pidfd}")
    finally:
        os.close(pidfd)
    match = re.search(r"^Pid:\s*(-?\d+)$", info, re.M)
    number = int(match[1]) if match else 0
    if number <= 0:
        raise ProcessLookupError(f"/proc does not show process {pid}")
    return number


def refuse_half_unshared() -> None:
    """Raises IotraceError where our children would be in another PID namespace than we are: as `unshare --pid` without
    --fork leaves it. We can then make no threads, and after the first child has ended, no more children."""
    try:
        apart = os.readlink("/proc/self/ns/pid") != os.readlink("/proc/self/ns/pid_for_children")
    except OSError:  # before Linux 4.12, or nobody's in it yet (unshare, and no child so far)
        apart = os.path.exists("/proc/self/ns/pid")
    if apart:
        raise IotraceError(
            "its children would be in another PID namespace than iotrace itself: say unshare --pid --fork",
            CANNOT,
        )


def own_number(status: str) -> int:
    """A thread's number in its own PID namespace, from the text of its /proc/…/status."""
    return _own_numbers(status)[-1]


def _own_numbers(status: str) -> list[int]:
    line = re.search(r"^NSpid:(.*)$", status, re.M)
    return [int(word) for word in line[1].split()] if line else [0]


def _other(pid: int) -> str:
    name = "another process"
    with contextlib.suppress(OSError):
        name = text.printable(" ".join(Process(pid).command()))[:40]
    return (
        f"/proc shows another PID namespace, in which {pid} is {name}: "
        "mount this one's /proc (unshare --mount-proc)"
    )
