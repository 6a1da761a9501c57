"""Where the functions of the C library are that this very process uses, for uprobes (/proc/self/maps)."""

from __future__ import annotations

import ctypes
import os


def place_of(name: str) -> tuple[str, int] | None:
    """The file and the offset in it of a function; None if the C library has no such function."""
    try:
        address = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value or 0
    except AttributeError:
        return None
    with open("/proc/self/maps", "rb") as maps:
        for line in maps:  # proc_pid_maps(5): begin-end perms offset device inode path
            fields = line.split(maxsplit=5)
            begin, end = (int(bound, 16) for bound in fields[0].split(b"-"))
            if begin <= address < end and len(fields) == 6:
                return os.fsdecode(fields[5].rstrip(b"\n")), address - begin + int(fields[2], 16)
    return None
