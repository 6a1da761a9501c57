"""`iotrace list`: the scenarios, in the order of the textbook's figures."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import click

from scenarios import Scenario, scenarios
from tracer.cli import epilog, paper, show
from tracer.cli.errors import Command
from tracer.terms import MODELS

ORDER = 1
_EPILOG = epilog.epilog(
    epilog.PLAIN,
    (
        "iotrace list",
        "iotrace list --json",
    ),
)
SCHEMA = 1
_FIGURES = {  # of Stevens, UNP, vol. 1, chapter 6
    "6.1": "blocking I/O",
    "6.2": "nonblocking I/O",
    "6.3": "I/O multiplexing",
    "6.4": "signal-driven I/O",
    "6.5": "asynchronous I/O",
    "": "in no figure: nothing is sent",
}


@click.command("list", cls=Command, epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON on stdout.")
def command(as_json: bool) -> None:
    """The scenarios by the textbook's figures, with languages, protocols and aliases.

    The figures are those of W. R. Stevens, UNIX Network Programming, volume 1, chapter 6.
    """
    ordered = sorted(scenarios(), key=_place)
    if as_json:
        listed = {"schema": SCHEMA, "scenarios": [*map(described, ordered)]}
        show.put(json.dumps(listed, indent=2) + "\n")
        return
    for line in lines(ordered, paper.columns()):
        show.line(line)


def _place(scenario: Scenario) -> tuple[bool, str, int, bool, str]:
    """By figure, those without one last; then select before poll before epoll, each before its variants."""
    model = MODELS.index(scenario.model) if scenario.model in MODELS else len(MODELS)
    is_variant = scenario.name != scenario.model
    return not scenario.figure, scenario.figure, model, is_variant, scenario.name


def described(scenario: Scenario) -> dict[str, Any]:
    """A scenario as --json has it. figure: null where the textbook has none; sockets: the most that it can watch."""
    return {
        "name": scenario.name,
        "summary": scenario.summary,
        "figure": scenario.figure or None,
        "model": scenario.model,
        "aliases": [*scenario.aliases],
        "languages": [*scenario.languages],
        "protocols": [*scenario.protocols],
        "sockets": scenario.sockets,
    }


def lines(ordered: Sequence[Scenario], width: int) -> Iterator[str]:
    """A title for each figure; of each scenario a line with what it does, and one with how it can be run."""
    side = max(len(scenario.name) for scenario in ordered) + 2
    side = side if width >= 2 * side else 4
    for figure, its in groupby(ordered, key=lambda scenario: scenario.figure):
        yield " ".join(filter(None, (figure, _FIGURES.get(figure, ""))))
        for scenario in its:
            yield from _lines_of(scenario, side, width)


def _lines_of(scenario: Scenario, side: int, width: int) -> Iterator[str]:
    name = scenario.name.ljust(side)
    if len(name) > side:  # a narrow terminal: what it does stands below
        yield scenario.name
        name = " " * side
    room = width - side
    first, *more = _wrapped(scenario.summary, room) or [""]
    yield name + first
    how = [", ".join(scenario.languages)]
    if scenario.protocols != ("none",):
        how.append("over " + ", ".join(scenario.protocols))
    if scenario.aliases:
        how.append("or " + ", ".join(scenario.aliases))
    for line in (*more, *_wrapped("; ".join(how), room)):
        yield " " * side + line


def _wrapped(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, break_on_hyphens=False)
