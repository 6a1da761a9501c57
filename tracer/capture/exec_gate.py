"""The gate at which a target waits, as its last act before execve: run as
`python gate.py FD TRACER TIED UID GID SPACE CMD …`.

It reads a message from FD (written when the probes are attached), says the secret that is in it to the probes with a
prctl(2) that does nothing, gives up root and the ambient capabilities to trace, and becomes the command. The secret
comes by the pipe because everybody can read a process's arguments. Exits 127 or 126 as env(1) does where it cannot
become the command, 125 without a word if the tracer has gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PRCTL_ANNOUNCE = 0x10774ACE  # no PR_* of the kernel's: the call fails with EINVAL
DESCRIPTORS_AT_ONCE = 8  # that the probes learn at each (probes/iotrace.h)
MESSAGE = 8  # bytes: the secret, little-endian, 0 where there are no probes to say it to
PR_SET_PDEATHSIG = 1
PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER = 47, 3
# CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_PERFMON, CAP_BPF: what iotrace was given to trace with is not the command's
TRACING_CAPABILITIES = (2, 19, 38, 39)
CLONE_NEWNET = 0x40000000
IGNORED = "iotrace_ignored"  # the interpreter's -X option with the signals that were ignored: SigIgn of proc(5)


def main(argv: list[str]) -> int:
    """argv: FD, TRACER (its process ID), TIED (1: the command is killed with the tracer; 0: it outlives it), UID, GID,
    SPACE (the descriptor of a network namespace to go to, or -1), command…"""
    fd, tracer, tied, uid, gid, space = map(int, argv[:6])
    as_before_python()
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def is_alone() -> bool:
        """Whether the tracer has ended.

        The kernel sends PR_SET_PDEATHSIG's signal only for an end after the prctl, and forgets the prctl on a change
        of user. So the parent is looked at after each step during which it can have ended.
        """
        if tied:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # 0: the tracer is in another PID namespace, and nothing can be seen
        return os.getppid() not in (tracer, 0)

    for number in TRACING_CAPABILITIES:  # root keeps its own over execve all the same
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, number, 0, 0)
    if is_alone():
        return 125
    # written at once, and so read at once (pipe(7)); empty if the tracer has gone
    message = os.read(fd, MESSAGE)
    if len(message) < MESSAGE or is_alone():
        return 125
    os.close(fd)
    if space >= 0:
        if ctypes.CDLL(None).setns(space, CLONE_NEWNET):
            return 125
        os.close(space)
    announce(prctl, int.from_bytes(message, "little"))
    environment = given_environment()
    if uid >= 0:
        become(uid, gid, environment)
    if is_alone():
        return 125
    return executed(argv[6:], environment)


def executed(command: list[str], environment: dict[bytes, bytes]) -> int:
    """Executes the command in place of this process; returns an exit status only if that fails."""
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        return refused(command[0], "command not found", 127)
    except OSError as error:
        return refused(command[0], os.strerror(error.errno or 0), 126)


def refused(name: str, why: str, status: int) -> int:
    """Prints in one line why the command cannot be executed, and returns `status`; its name may hold any characters."""
    # tracer.text.shown in short, which may not be imported here: this file runs alone (-I -S)
    raw = os.fsencode(name).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    shown = "".join(its if its.isprintable() else ascii(its)[1:-1] for its in raw)
    print(f"iotrace: {shown}: {why}", file=sys.stderr)
    return status


def announce(prctl: Callable[..., int], secret: int) -> None:
    """Has the probes learn the open descriptors, the lowest last: the prctl with first = 0 begins the tracing."""
    if secret:
        last = max(map(int, os.listdir("/proc/self/fd")))
        for first in reversed(range(0, last + 1, DESCRIPTORS_AT_ONCE)):
            prctl(PRCTL_ANNOUNCE, secret, first, 0, 0)


def as_before_python() -> None:
    """Gives signals back the dispositions that iotrace was started with, where an interpreter changed them for itself:
    the command would inherit them. Python ignores SIGPIPE and SIGXFSZ before any of its code runs, so how they were is
    told from outside (tracer/capture/spawn.py)."""
    ignored = int(sys._xoptions.get(IGNORED, "0"), 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        was_ignored = ignored >> (number - 1) & 1
        signal.signal(number, signal.SIG_IGN if was_ignored else signal.SIG_DFL)
    # not if it was ignored, as in the background
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def given_environment() -> dict[bytes, bytes]:
    """The environment at this interpreter's own execve, which may have changed it since (PEP 538: LC_CTYPE)."""
    with open("/proc/self/environ", "rb") as file:
        return dict(word.split(b"=", 1) for word in file.read().split(b"\0") if b"=" in word[1:])


def become(uid: int, gid: int, environment: dict[bytes, bytes]) -> None:
    """Gives up root for a user with all of their groups, in `environment` too; raises OSError."""
    import pwd

    try:
        user = pwd.getpwuid(uid)
        os.initgroups(user.pw_name, gid)
        environment.update(
            {
                b"HOME": os.fsencode(user.pw_dir),
                b"SHELL": os.fsencode(user.pw_shell or "/bin/sh"),
                b"USER": os.fsencode(user.pw_name),
                b"LOGNAME": os.fsencode(user.pw_name),
            }
        )
        if b"MAIL" in environment:  # root's, as sudo set it
            environment[b"MAIL"] = b"/var/mail/" + os.fsencode(user.pw_name)
    except KeyError:
        os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
