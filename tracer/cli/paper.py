"""What a stream can show: colours and escape sequences, letters beyond ASCII, and how many columns."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TextIO

import click

COLOR = f"{__name__}.color"  # key in the contexts' meta: what --color says
WHEN = ("auto", "always", "never")
LEAST, MOST = 20, 120  # columns
_DUMB = ("dumb", "unknown")


def colored(stream: TextIO | None, environment: Mapping[str, str] | None = None) -> bool:
    """Whether to colour what goes there: as --color says; else not with NO_COLOR (no-color.org), with FORCE_COLOR
    (force-color.org) always, and of terminals those that know escape sequences."""
    variables = os.environ if environment is None else environment
    context = click.get_current_context(silent=True)
    wish = context.meta.get(COLOR, "auto") if context else "auto"
    if wish != "auto":
        return bool(wish == "always")
    if variables.get("NO_COLOR"):
        return False
    if variables.get("FORCE_COLOR"):
        return variables["FORCE_COLOR"] != "0"
    return takes_escapes(stream, variables)


def takes_escapes(stream: TextIO | None, environment: Mapping[str, str] | None = None) -> bool:
    """Whether it is a terminal that knows escape sequences: TERM=dumb, as of an editor's shell, does not."""
    variables = os.environ if environment is None else environment
    return stream is not None and stream.isatty() and variables.get("TERM", "") not in _DUMB


def unicode(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether it can show more than ASCII: its encoding is a UTF, and the locale, if one is set, is of UTF-8.

    Python takes the locale C for UTF-8 (PEP 538 and 540), for what is read; its user's terminal need not be. PEP 538
    sets LC_CTYPE itself, so that beside LANG=C it says nothing.
    """
    variables = os.environ if environment is None else environment
    if "utf" not in (stream.encoding or "").lower():
        return False
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    said = [variables[name] for name in names if variables.get(name)]
    if variables.get("LANG") in ("C", "POSIX") and said[:1] == ["C.UTF-8"] and len(said) > 1:
        said = said[1:]
    return not said or "utf" in said[0].lower()


def columns() -> int:
    """Of the terminal, or COLUMNS; 80 where nothing says."""
    return max(LEAST, min(shutil.get_terminal_size().columns, MOST))
