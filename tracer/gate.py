"""The gate at which a target waits, as its last act before execve: run as `python gate.py FD SECRET UID GID SPACE CMD …`.

It reads one byte from FD (written when the probes are attached), says the secret to the probes with a prctl(2)
that does nothing, gives up root and becomes the command. Exits 127 or 126 as env(1) does where it cannot.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PRCTL_ANNOUNCE = 0x10774ACE  # no PR_* of the kernel's: the call fails with EINVAL
DESCRIPTORS_AT_ONCE = 8  # that the probes learn at each (probes/iotrace.h)
PR_SET_PDEATHSIG, SIGKILL = 1, 9
CLONE_NEWNET = 0x40000000


def main(argv: list[str]) -> int:
    """argv: FD, SECRET, UID, GID, SPACE (the descriptor of a network namespace to go to, or -1), command…"""
    fd, secret, uid, gid, space, *command = argv
    as_before_python()
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if not os.read(int(fd), 1):
        return 125  # the tracer is gone
    os.close(int(fd))
    if int(space) >= 0:
        if ctypes.CDLL(None).setns(int(space), CLONE_NEWNET):
            return 125
        os.close(int(space))
    last = max(map(int, os.listdir("/proc/self/fd")))
    for first in reversed(range(0, last + 1, DESCRIPTORS_AT_ONCE)):
        prctl(PRCTL_ANNOUNCE, int(secret), first, 0, 0)
    tracer = os.getppid()
    environment = given_environment()
    if int(uid) >= 0:
        become(int(uid), int(gid), environment)
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)  # even a killed tracer leaves nothing behind; after the change of user,
    if os.getppid() != tracer:  # which would clear it
        return 125
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        print(f"iotrace: {command[0]}: command not found", file=sys.stderr)
        return 127
    except OSError as error:
        print(f"iotrace: {command[0]}: {error.strerror}", file=sys.stderr)
        return 126


def as_before_python() -> None:
    """Gives signals back the dispositions that this interpreter changed for itself: the command would inherit them."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not if it was ignored, as in the background
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
        environment.update({b"HOME": os.fsencode(user.pw_dir), b"USER": os.fsencode(user.pw_name),
                            b"LOGNAME": os.fsencode(user.pw_name)})
    except KeyError:
        os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
