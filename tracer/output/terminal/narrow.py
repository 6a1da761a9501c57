"""A report for a terminal of fewer than 80 columns: the figure as a list, the phases in short, verdict and advice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.text import Text

from tracer.output import phase_names
from tracer.output.figure import edges
from tracer.output.figure.composition import build
from tracer.output.figure.notes import nothing_to_draw
from tracer.output.figure.rows import Row
from tracer.output.figure.titles import title_of
from tracer.output.format import Result
from tracer.output.terminal import header, programs, slowest, verdict
from tracer.output.terminal.lines import LOUD, fit, rule
from tracer.output.terminal.tables import PHASE_STYLES
from tracer.output.units import MISSING, duration, share
from tracer.report.contract import PHASES

NARROWEST = 30  # columns: fewer are drawn as so many
_WHEN, _TIME = 8, 9  # cells of a row's time, and of a phase's


def render(report: Result, width: int) -> list[Text]:
    """The lines, each of at most `width` cells."""
    width = max(width, NARROWEST)
    lines = [*_head(report, width)]
    if report.get("figure") and not (report.get("model") or {}).get("instead"):
        lines += [*_figure(report, width), *_phases(report, width)]
    if report.get("slowest"):
        lines += [*rule("Slowest operations", "", width), *slowest.lines(report, width)]
    lines += [
        *rule("Verdict", "", width),
        *verdict.lost(report, width),
        *verdict.verdict(report, width, verdict.BRIEF),
        *verdict.oracle(report, width, brief=True),
        *verdict.ledger(report, width, brief=True),
    ]
    if report.get("advice") and not report.get("scenario"):
        lines += [*rule("Advice", "", width), *programs.advice(report, width)]
    pointer = textwrap.wrap("-v shows all, 80 columns wide", width)
    return [*lines, Text(""), *(Text(line, style="dim") for line in pointer)]


def _head(report: Result, width: int) -> Iterator[Text]:
    """What ran where, in as many lines as that takes."""
    _, *others = (line.plain for line in header.lines(report, 1000))
    for line in (header.title(report), *others):
        loud = line.startswith("!!")
        for piece in textwrap.wrap(" ".join(line.split()), width):
            yield Text(piece, style=LOUD if loud else "")


def _figure(report: Result, width: int) -> Iterator[Text]:
    figure = build(report)
    yield Text("")
    if figure is None:
        yield from map(Text, textwrap.wrap(nothing_to_draw(report), width))
        return
    figure.settle()
    edges.draw(figure)
    name, number = title_of(figure)
    title = f"{name} (UNP, figure {number})" if number else name
    yield from (Text(line, style="bold") for line in textwrap.wrap(title, width))
    for row in figure.rows:
        yield from _row(row, width)
    signs = "┃ has a CPU, ┊ has none; → into the kernel, ← out of it; not to scale"
    yield from (Text(line, style="dim") for line in textwrap.wrap(signs, width))


def _row(row: Row, width: int) -> Iterator[Text]:
    """Its time, whether the thread has a CPU, and what happened; further lines stand below the text."""
    edge = row.right if row.by_helper and row.right in "┃┊" else row.left
    side = f"{row.when:>{_WHEN}} {edge} "
    for piece in textwrap.wrap(_said(row), width - len(side)):
        yield Text(side + piece)
        side = " " * (_WHEN + 1) + f"{edge} "


def _said(row: Row) -> str:
    application, kernel = row.application, row.kernel.strip(" ·↓")
    if row.by_sender:
        return "(sender) " + ("send →" if row.arrow == "call" else "← send returns")
    if row.by_helper and application and not row.names_helper:
        application = f"(other thread) {application}"
    if row.arrow == "return":
        application = f"← {row.label}" + (f": {application}" if application else "")
    if row.arrow == "call":
        return f"{application} → {kernel}".strip()
    return "; ".join(filter(None, (application, kernel)))


def _phases(report: Result, width: int) -> Iterator[Text]:
    measured = report.get("phases") or {}
    copy = phase_names.copy_name(report)
    total = sum((measured.get(name) or {}).get("total_ns") or 0 for name in PHASES)
    yield from rule("Phases", "", width)
    side = width - 2 * _TIME - 6
    yield Text(f"{fit('', side)}{'p50':>{_TIME}}{'p99':>{_TIME}}{'share':>6}", style="dim")
    for name in PHASES:
        its = measured.get(name) or {}
        if not its.get("max_ns"):
            continue
        line = Text(fit(phase_names.shown(name, copy), side), style=PHASE_STYLES[name])
        for key in ("p50_ns", "p99_ns"):
            line.append((duration(its.get(key)) if its.get("count") else MISSING).rjust(_TIME))
        yield line.append(share(its.get("total_ns"), total).rjust(6))
