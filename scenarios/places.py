"""What decides which programs a user runs: PATH, Python's variables, and who may write to a directory (stat(2))."""

import os
import stat
from pathlib import Path


def path() -> str:
    """PATH's absolute elements: a relative or empty one names the caller's directory, where others may have put
    programs."""
    given = os.environ.get("PATH", os.defpath)
    return os.pathsep.join(place for place in given.split(os.pathsep) if os.path.isabs(place))


def environment() -> dict[str, str]:
    """The environment without Python's own variables, which say where an interpreter finds its modules."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def open_to_others(place: Path) -> Path | None:
    """The first of `place` and the directories above it that somebody but this user and root may change, None if there
    is none. A sticky bit, as on /tmp, will do. `place` has no links in it."""
    for directory in (place, *place.parents):
        found = directory.lstat()
        shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
        if shared or not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            return directory
    return None
