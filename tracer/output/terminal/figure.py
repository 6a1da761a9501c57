"""The textbook's two-column figure (Stevens, UNP, 6.1 to 6.5) of one traced operation; speaks to no kernel interface.

    +time   | application         |      arrows     | kernel           | phases
            the left edge of the application is the thread that asked (heavy: has a CPU, dotted: has none),
            its right edge, where there is one, the helper thread that reads on its behalf
            the kernel's right edge is heavy while the sender is in its send

Nothing here knows a scenario: calls, wake-ups, signals and boundaries in, lines out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.text import Text

from tracer.output.figure import edges
from tracer.output.figure.composition import WHOLE, Limits, build
from tracer.output.figure.notes import caption, nothing_to_draw
from tracer.output.figure.rows import Figure, Row
from tracer.output.figure.titles import title_of
from tracer.output.format import Result
from tracer.output.terminal.lines import fit
from tracer.output.terminal.tables import PHASE_STYLES
from tracer.output.units import duration
from tracer.report.contract import PHASE_SPANS

_SENDER = {"call": "◄── sender: send", "return": "send returns ──►"}  # by the arrow
TIME, APPLICATION, CHANNEL, KERNEL, LABEL = 8, 21, 16, 17, 10


@dataclass
class _Rail:
    """The brackets at the right: for each row its glyph, its label and the label's style."""

    glyphs: dict[int, str] = field(default_factory=dict)
    labels: dict[int, tuple[str, str]] = field(default_factory=dict)
    styles: dict[int, str] = field(default_factory=dict)


# How to draw, from the figure in full to the shortest: (limits, whether brackets are as low as their labels).
LENGTHS = (
    (WHOLE, False),
    (Limits(1, 8, 2, 3), False),
    (Limits(0, 4, 1, 2), False),
    (Limits(0, 4, 1, 2, brief=True), True),
)


def draw(report: Result, length: int = 0) -> list[Text]:
    """The figure of `report` as lines of exactly 80 cells or fewer; one line that says so where there is none. length:
    index into LENGTHS."""
    limits, tight = LENGTHS[length]
    figure = build(report, limits)
    if figure is None:
        return [Text(nothing_to_draw(report), style="yellow")]
    rail = _rail(figure, tight)
    figure.settle()
    edges.draw(figure)
    lines = [_title(figure), _heads(), _edge("┌", "┐")]
    lines += [_line(row, index, rail) for index, row in enumerate(figure.rows)]
    lines += [_edge("└", "┘"), *_caption(report, figure)]
    return lines


def _title(figure: Figure) -> Text:
    name, number = title_of(figure)
    line = Text().append(name, style="bold")
    if number:
        line.append(f"  (Stevens, UNP, figure {number})", style="dim")
    return line


def _heads() -> Text:
    line = Text(" " * (TIME + 1))
    line.append("application".center(APPLICATION + 2), style="bold")
    line.append(" " * CHANNEL)
    line.append("kernel".center(KERNEL + 2).rstrip(), style="bold")
    return line


def _edge(left: str, right: str) -> Text:
    return Text(
        " " * (TIME + 1)
        + left
        + "─" * APPLICATION
        + right
        + " " * CHANNEL
        + left
        + "─" * KERNEL
        + right
    )


def _line(row: Row, index: int, rail: _Rail) -> Text:
    line = Text().append(fit(row.when.rjust(TIME), TIME) + " ", style="" if row.boundary else "dim")
    line.append(row.left, style="dim" if row.left == "┊" else "bold")
    text = "" if row.by_sender else row.application
    if row.by_helper:
        text = fit(text, APPLICATION - 1).rstrip().rjust(APPLICATION - 1) + " "
    else:
        text = fit(" " + text, APPLICATION)
    line.append(text, style=row.application_style)
    line.append_text(_channel(row))
    if row.by_sender:
        line.append(_SENDER[row.arrow or ""].rjust(KERNEL), style="dim")
    else:
        line.append(fit(" " + row.kernel, KERNEL), style=row.kernel_style)
    line.append("┃" if row.sending else "│")
    glyph = rail.glyphs.get(index, " ")
    line.append(f" {glyph}", style=rail.styles.get(index, ""))
    if index in rail.labels:
        label, style = rail.labels[index]
        line.append(" " + fit(label, LABEL).rstrip(), style=style)
    line.rstrip()
    return line


def _channel(row: Row) -> Text:
    """The right edge of the application, the arrow, and the left edge of the kernel."""
    line = Text()
    edge = row.right
    if row.arrow is None or row.by_sender:
        line.append(edge)
        line.append(" " * CHANNEL + "│")
        return line
    label = f" {fit(row.label, CHANNEL - 4).rstrip()} "
    if row.arrow == "library":
        line.append(edge)
        line.append(label.center(CHANNEL, "┄") + "│", style="dim")
        return line
    leaving, arriving = row.arrow == "call", row.arrow == "return"
    shaft = label.center(CHANNEL - leaving - arriving, "─")
    joint = "├" if edge == "│" else "┠" if edge == "┃" else edge
    line.append(joint if not arriving else edge)
    line.append(("◄" if arriving else "") + shaft + ("►" if leaving else ""), style=row.label_style)
    line.append("│" if leaving else "┤")
    return line


def _rail(figure: Figure, tight: bool = False) -> _Rail:
    """Brackets and labels; makes room (blank rows) where a phase has too few rows to be labelled. tight: labels may
    stand beside the row at which their phase ends."""
    for name, (begin, end) in PHASE_SPANS.items():
        first, last = figure.index_of(begin), figure.index_of(end)
        if first is None or last is None or last <= first:
            continue
        while last - first <= len(_words(figure, name)) + (not tight):
            figure.insert(last, name)
            last += 1
    rail = _Rail()
    for name, (begin, end) in PHASE_SPANS.items():
        first, last = figure.index_of(begin), figure.index_of(end)
        if first is None or last is None or last <= first:
            continue
        style = PHASE_STYLES[name]
        rail.glyphs[first] = "┤" if first in rail.glyphs else "┐"
        for index in range(first + 1, last):
            rail.glyphs[index] = "│"
            rail.styles[index] = style
        rail.glyphs[last] = "┘"
        words = _words(figure, name)
        middle = first + (last - first - len(words)) // 2
        mark = "~" if figure.is_estimated(begin, end) else ""
        if name == "copy" and (inside_ns := figure.waited_inside()):
            _label(rail, first + len(words) + 1, "wait", ["wait"], duration(inside_ns))
            middle = first
        _label(rail, middle, name, words, mark + duration(figure.took(name)))
    return rail


def _words(figure: Figure, phase: str) -> list[str]:
    """A phase's name in lines that fit beside the bracket."""
    return textwrap.wrap(figure.name_of(phase), LABEL)


def _label(rail: _Rail, row: int, phase: str, words: list[str], took: str) -> None:
    """The name of a phase beside a row and those below it, and how long it took beside the next."""
    style = PHASE_STYLES[phase]
    for place, word in enumerate(words):
        rail.labels[row + place] = (word, f"bold {style}")
    rail.labels[row + len(words)] = (took, style)


def _caption(report: Result, figure: Figure) -> list[Text]:
    """How to read it, which operation it is, and where this kernel does otherwise than the textbook."""
    lines = ["   ".join(_signs(figure))]
    if figure.helper is not None and figure.operation.get("handover"):
        lines.append(
            f"Left edge: thread {figure.asker}, which was told; right edge: thread {figure.helper}, "
            "which received."
        )
    elif figure.helper is not None and figure.send:
        lines.append(
            f"Left edge: who asked; right: thread {figure.helper}; far right: ┃ the sender in its send."
        )
    elif figure.helper is not None:
        lines.append(f"Left edge: the thread that asked; right edge: thread {figure.helper}.")
    if figure.send and (figure.helper is None or figure.operation.get("handover")):
        lines.append("Right edge of the kernel: ┃ the sender is in its send, by its own clock.")
    if figure.operation:
        lines.append(caption(figure, len(report.get("operations") or [])))
    lines = [line for text in lines for line in _within(text)]
    notes = [line for note in figure.notes for line in _within(note)]
    return [*(Text(line, style="dim") for line in lines), *map(Text, notes)]


def _within(text: str) -> list[str]:
    """The text in lines of at most the figure's width; what fits stays as it is."""
    return [text] if len(text) <= 80 else textwrap.wrap(text, 80)


def _signs(figure: Figure) -> Iterator[str]:
    """The signs that the figure has, and what each means."""
    edges_drawn = {edge for row in figure.rows for edge in (row.left, row.right)}
    for sign, meaning in (("┃", "has a CPU"), ("┊", "has none")):
        if sign in edges_drawn:
            yield f"{sign} {meaning}"
    yield "+ since the line above"
    if figure.estimated:
        yield "~ estimated"
    yield "not to scale"
