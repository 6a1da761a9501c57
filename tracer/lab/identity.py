"""Whose a lab is: under sudo the user's who called it, with root taken back only where a step needs it (seteuid(2))."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator

from tracer.capture import spawn


def act_as_invoking_user() -> None:
    """From here on files, downloads and machines are those of who called sudo; does nothing otherwise."""
    user = spawn.invoking_user()
    if user and user[0] != 0:
        uid, gid = user
        try:
            os.initgroups(pwd.getpwuid(uid).pw_name, gid)  # kvm may be one of the user's groups
        except KeyError:
            os.setgroups([])
        os.setegid(gid)
        os.seteuid(uid)


@contextlib.contextmanager
def as_root() -> Iterator[None]:
    """Root again for as long as this lasts, where the process was started as root."""
    uid, gid = os.geteuid(), os.getegid()
    os.seteuid(os.getuid())
    os.setegid(os.getgid())
    try:
        yield
    finally:
        os.setegid(gid)
        os.seteuid(uid)
