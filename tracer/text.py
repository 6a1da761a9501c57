"""Text from the machine: names, paths and arguments are bytes to Linux, in whatever encoding, cut anywhere."""

from __future__ import annotations

import os
from pathlib import Path


def shown(name: str | bytes) -> str:
    """A name as it can be printed everywhere: each byte that is not UTF-8 becomes U+FFFD. Takes a str as Python gives
    file names and arguments (surrogateescape, PEP 383), too."""
    return os.fsencode(name).decode("utf-8", "replace")


def read(path: str | Path) -> str:
    """A file of /proc or /sys, in which any process may have put its name; raises OSError."""
    return Path(path).read_bytes().decode("utf-8", "replace")


def failure(error: Exception) -> str:
    """What failed, in one line: an OSError as other tools say it, others with their type."""
    if isinstance(error, OSError) and error.strerror:
        where = error.filename2 or error.filename
        return f"{where}: {error.strerror}" if where else error.strerror
    return " ".join(f"{type(error).__name__}: {error}".split())


def printable(line: str) -> str:
    """A line without control characters, so that what is in a name moves no cursor."""
    return "".join(character if character.isprintable() else "?" for character in line)
