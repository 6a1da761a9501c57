"""What a format of output says of itself, and what it is told about the paper that it draws on.

A format is a file of this folder (or a package) with a FORMAT in it: the command line finds it there, gives the
commands its option and its switches, and writes what it makes to stdout or to the file that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

Result: TypeAlias = Mapping[
    str, Any
]  # or a part of one: its keys are those of tracer/report/contract.py


class Kind(Enum):
    """What there is to show, and which commands show it."""

    REPORT = "a report: run, trace, attach, report"
    LISTING = "the events of a recording, an iterable of them: report --events"
    COMPARISON = "scenarios side by side: compare"
    DIFFERENCE = "two sets of recordings: diff"
    READINESS = "N descriptors by every call that tells which is ready: bench readiness"
    VERIFY = "claims and what became of them: verify"
    MATRIX = "scenarios by kernels: lab matrix"


@dataclass(frozen=True)
class Options:
    """How to draw. width: columns; color: with ANSI colours; unicode: whether there is more than ASCII; switches: the
    names of those that were given, --hist as "hist"."""

    width: int = 80
    color: bool = False
    unicode: bool = True
    switches: frozenset[str] = frozenset()


Render: TypeAlias = Callable[[Any, Options], Iterable[str] | Iterable[bytes]]


@dataclass(frozen=True)
class Switch:
    """A flag (such as --hist) that changes how a format draws, and the kinds for which it is offered; short: as -v."""

    flag: str
    help: str
    kinds: frozenset[Kind]
    order: int
    short: str | None = None

    @property
    def name(self) -> str:
        return self.flag.removeprefix("--").replace("-", "_")


@dataclass(frozen=True)
class Format:
    """A format of output.

    flag: the option that asks for it, such as --json; None for the one that is shown unless another is asked for.
    renders: for each kind that it can show, a function of the result and the options that gives text (or, where
    `binary`, bytes) in pieces, in order, which together are the output. It opens and prints nothing.
    metavar: what --help calls the file to which it goes beside what stdout shows (`--svg FILE`); None: it goes to
    stdout, instead of the default.
    order: of the options in --help, and of formats for stdout where several are asked for: the first is shown.
    needs: keys of a report that are made on request (docs/json.md), each with how many of what it says.
    """

    renders: Mapping[Kind, Render]
    flag: str | None = None
    help: str = ""
    metavar: str | None = None
    binary: bool = False
    switches: tuple[Switch, ...] = ()
    order: int = 50
    needs: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return (self.flag or "").removeprefix("--").replace("-", "_")
