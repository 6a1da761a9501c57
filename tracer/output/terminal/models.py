"""The textbook's comparison of the models (Stevens, UNP, figure 6.6) as lines: a column for each program, time goes
down."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from tracer.output.figure.models import AS, TITLE, Column, columns, copy_title
from tracer.output.format import Result
from tracer.output.terminal.lines import fit, rule
from tracer.output.terminal.tables import PHASE_STYLES
from tracer.output.units import MISSING, duration

SIDE, LEAST, MOST = 13, 12, 14  # cells of the phases' names, and at least and at most of a column
_EDGES = {"asleep": "┊", "asking": "┃", "free": " "}


def lines(models: Sequence[Result], labels: Sequence[str], width: int) -> Iterator[Text]:
    """The figure, in parts of as many columns as fit; nothing where there is nothing to compare."""
    shown = columns(models, labels)
    if len(shown) < 2:
        return
    yield from rule(TITLE, AS, width)
    most = max(1, (width - SIDE) // LEAST)
    parts = -(-len(shown) // most)
    each = -(-len(shown) // parts)
    cells = min((width - SIDE) // each, MOST)
    for first in range(0, len(shown), each):
        yield from [Text("")] if first else []
        yield from _part(shown[first : first + each], copy_title(shown), cells)
    signs = "┃ asks again and again, × calls a message   ┊ sleeps   else free   not to scale"
    yield from (Text(line, style="dim") for line in textwrap.wrap(signs, width))


def _part(shown: Sequence[Column], copy: str, cells: int) -> Iterator[Text]:
    heads = [textwrap.wrap(column.label, cells - 1)[:2] or [""] for column in shown]
    for place in range(max(map(len, heads))):
        names = [head[place] if place < len(head) else "" for head in heads]
        yield _row("", "", names, cells, "bold")
    yield _row("ask", "", [column.asks for column in shown], cells)
    wait = PHASE_STYLES["wait"]
    yield _row("│ wait", wait, [f"{_edge(its)} {its.waiting}" for its in shown], cells, "")
    yield _row("│", wait, [f"{_edge(its)} {_took(its, 'wait')}" for its in shown], cells, wait)
    yield _row("ready", "bold green", ["─" * (cells - 1)] * len(shown), cells, "dim")
    for phase, name in (("notice", "notice"), ("copy", copy), ("completion", "completion")):
        if phase == "completion" and not any(its.took[phase] for its in shown):
            continue
        yield from _phase(shown, phase, name, cells)
    yield _row("done", "", [column.ends for column in shown], cells, "green")


def _phase(shown: Sequence[Column], phase: str, name: str, cells: int) -> Iterator[Text]:
    style = PHASE_STYLES[phase]
    first, *others = textwrap.wrap(name, SIDE - 2)
    took = [_took(column, phase) if column.took[phase] else "·" for column in shown]
    yield _row(f"│ {first}", style, took, cells, style)
    below = {"notice": "begins", "copy": "copies"}.get(phase)
    if below:
        said = [getattr(column, below) for column in shown]
        yield _row(f"│ {' '.join(others)}", style, said, cells)


def _edge(column: Column) -> str:
    return _EDGES.get(column.waits or "", "?")


def _took(column: Column, phase: str) -> str:
    took = column.took[phase]
    return MISSING if took is None else duration(took)


def _row(side: str, side_style: str, cells: Sequence[str], width: int, style: str = "") -> Text:
    line = Text().append(fit(side, SIDE), style=side_style)
    for cell in cells:
        line.append(fit(cell, width - 1) + " ", style=style)
    line.rstrip()
    return line
