"""What decides which programs a user runs: PATH, Python's variables, and who may write to a directory (stat(2))."""

import os
import pwd
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


def user_cache() -> Path:
    """This user's caches, by the XDG Base Directory Specification: XDG_CACHE_HOME if it is absolute, else ~/.cache
    of the password file's home. Raises KeyError where this user is not in it."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (
        Path(given) if given.startswith("/") else Path(pwd.getpwuid(os.geteuid()).pw_dir, ".cache")
    )


def open_to_others(place: Path) -> Path | None:
    """The first of `place` and the directories above it that somebody but this user and root may change, None if there
    is none. Above `place` a sticky bit, as on /tmp, will do: what lies there cannot be moved by others. What is not
    there yet is made by this user. `place` has no links in it."""
    for directory in (place, *place.parents):
        try:
            found = directory.lstat()
        except FileNotFoundError:
            continue
        shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if directory != place and found.st_mode & stat.S_ISVTX:
            shared = 0
        if shared or not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            return directory
    return None
