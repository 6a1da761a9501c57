"""Text from the machine: names, paths and arguments are bytes to Linux, in whatever encoding, cut anywhere.

`shown` makes text of them where they enter, and every output prints that text. Nothing in it moves a cursor, ends a
line or turns the direction of writing, and no two names look alike:

    \\n \\t \\r   a newline, a tab, a carriage return          \\u202e     a character that shows nothing by itself
    \\x1b        another byte that is no text, 80 to ff too    \\\\         a backslash
"""

from __future__ import annotations

import os
import re
from pathlib import Path

# Letters by Python's tables (str.isprintable) that show nothing: Default_Ignorable_Code_Point of the Unicode Character
# Database, DerivedCoreProperties.txt.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def shown(name: str | bytes) -> str:
    """A name as every output shows it. Takes a str as Python gives file names and arguments (surrogateescape, PEP 383),
    too. Two names that differ are shown differently."""
    return printable(_bytes(name).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace"))


def quoted(name: object) -> str:
    """A name in a sentence."""
    return f"'{shown(str(name))}'"


def raw(path: str | Path) -> bytes:
    """A file of /proc or /sys, in which any process may have put its name; raises OSError."""
    return Path(path).read_bytes()


def read(path: str | Path) -> str:
    """The same to look for what the kernel has written there: what is no UTF-8 becomes U+FFFD. Raises OSError."""
    return raw(path).decode("utf-8", "replace")


def failure(error: Exception) -> str:
    """What failed, in one line: an OSError as other tools say it, others with their type."""
    if isinstance(error, OSError) and error.strerror:
        where = error.filename2 or error.filename
        where = shown(where) if isinstance(where, str | bytes) else where
        return f"{where}: {error.strerror}" if where else error.strerror
    return printable(" ".join(f"{type(error).__name__}: {error}".split()))


def printable(line: str, ascii_only: bool = False) -> str:
    """A line with every character escaped that shows nothing by itself, as in `shown`; what is shown already stays.
    ascii_only: letters beyond ASCII are escaped too."""
    if ascii_only and not line.isascii():
        return "".join(
            character if " " <= character <= "~" else _escaped(character) for character in line
        )
    if line.isprintable() and not _INVISIBLE.search(line):
        return line
    return "".join(
        character
        if character.isprintable() and not _INVISIBLE.match(character)
        else _escaped(character)
        for character in line
    )


def _bytes(name: str | bytes) -> bytes:
    try:
        return os.fsencode(name)
    except (
        UnicodeEncodeError
    ):  # from no file system: half of a character of UTF-16, or no letter of the locale's
        assert isinstance(name, str)
        return name.encode("utf-8", "surrogatepass")


def _escaped(character: str) -> str:
    """One character by its number; \\xNN stays for bytes that are no text, and for ASCII."""
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte, as os.fsdecode has it
        number -= 0xDC00
        return f"\\x{number:02x}"
    if character in _SHORT:
        return _SHORT[character]
    return (
        f"\\x{number:02x}"
        if number < 0x80
        else f"\\u{number:04x}"
        if number <= 0xFFFF
        else f"\\U{number:08x}"
    )
