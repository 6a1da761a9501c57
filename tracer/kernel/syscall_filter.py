"""Which system calls are asked for, in strace's spelling (-e trace=network, -e trace=!recvfrom,%file); the classes are
strace's own (tracer/kernel/data/classes.tsv)."""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib.resources import files

from tracer import text
from tracer.errors import USAGE, IotraceError
from tracer.kernel import syscalls

_BARE = ("desc", "file", "memory", "process", "signal", "ipc", "network")  # classes that need no %
_ALIASES = {"%net": "%network"}


class FilterError(IotraceError):
    """An expression that strace would not understand either; the text says which word of it."""

    status = USAGE


@cache
def classes() -> dict[str, frozenset[int]]:
    """%network → the numbers of its calls, for each of strace's classes."""
    members_of: dict[str, set[int]] = {}
    table = files(__package__).joinpath("data/classes.tsv").read_text(encoding="utf-8")
    for line in table.splitlines()[3:]:
        name, members = line.split("\t")
        for member in members.split(","):
            members_of.setdefault(f"%{member}", set()).add(syscalls.numbers()[name])
    return {name: frozenset(numbers) for name, numbers in members_of.items()}


def parse(expression: str) -> frozenset[int]:
    """The numbers of the calls that `-e EXPRESSION` asks for; raises FilterError.

    Words are calls, classes with or without %, /regular expressions, `all` and `none`; a leading ! takes all others.
    """
    qualifier, equals, words = expression.rpartition("=")
    if equals and qualifier not in ("trace", "t"):
        raise FilterError(f"-e {text.shown(expression)}: only -e trace=… is known here")
    everything = frozenset(syscalls.names())
    inverted = words.startswith("!")
    chosen: set[int] = set()
    for word in words.removeprefix("!").split(","):
        chosen |= _numbers(word, expression, everything)
    return everything - chosen if inverted else frozenset(chosen)


def _numbers(word: str, expression: str, everything: frozenset[int]) -> frozenset[int]:
    optional, word = word.startswith("?"), word.removeprefix("?")
    if word in ("all", "none"):
        return everything if word == "all" else frozenset()
    if word.startswith("/"):
        try:
            wanted = re.compile(word[1:])
        except re.error as error:
            raise FilterError(f"-e {text.shown(expression)}: {text.shown(word)}: {error}") from None
        return frozenset(number for number, name in syscalls.names().items() if wanted.search(name))
    named = f"%{word}" if word in _BARE else _ALIASES.get(word, word)
    if named in classes():
        return classes()[named]
    if word in syscalls.numbers():
        return frozenset([syscalls.numbers()[word]])
    if optional:
        return frozenset()
    near = difflib.get_close_matches(word, [*syscalls.numbers(), *classes()], 1)
    hint = f": did you mean {near[0]}?" if near else ""
    raise FilterError(
        f"-e {text.shown(expression)}: no system call or class {text.quoted(word)}{hint}"
    )
