"""The whole report for a terminal: its head, then its sections one after the other, as one string."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from rich.console import RenderableType
from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal import (
    figure,
    header,
    histogram,
    lanes,
    locks,
    programs,
    slowest,
    tables,
    verdict,
    wakeups,
)
from tracer.output.terminal.lines import NARROWEST, printed, rule

Parts: TypeAlias = list[RenderableType]


def render(
    report: Result, width: int = 80, hist: bool = False, color: bool = False, unicode: bool = True
) -> str:
    """`report` (docs/json.md) as text of lines of at most `width` cells, ending in a newline.

    `hist` adds log2 histograms, `color` ANSI colours; without `unicode` everything is ASCII. Less than 80 columns
    are drawn as 80. Missing parts are said to be missing; nothing is raised for them.
    """
    width = max(width, NARROWEST)
    parts: Parts = [*header.lines(report, width)]
    for section in SECTIONS:
        if hist or section is not _histograms:
            parts += section(report, width)
    return printed(parts, width, color, unicode)


# Sections, each a function of the report and the width: its parts, or none where it has nothing to say.


def _figure(report: Result, width: int) -> Parts:
    return [Text(""), *figure.draw(report)] if _is_about_receives(report) else []


def _phases(report: Result, width: int) -> Parts:
    if not _is_about_receives(report):
        return []
    return [
        *rule("Phases", "ask → wait → ready → notice → copy → completion → done", width),
        tables.phases(report, width),
        *verdict.queued(report, width),
    ]


def _is_about_receives(report: Result) -> bool:
    """Whether the report is about receives: not if the program does something else, or the scenario sends no data."""
    expected = report.get("operations") or (report.get("options") or {}).get("proto") != "none"
    return bool(expected and not (report.get("model") or {}).get("instead"))


def _histograms(report: Result, width: int) -> Parts:
    return [
        *rule("Histograms", "log2, in nanoseconds", width),
        *histogram.of_report(report, width),
    ]


def _slowest(report: Result, width: int) -> Parts:
    return _titled("Slowest operations", slowest.lines(report, width), width)


def _threads(report: Result, width: int) -> Parts:
    return [
        *rule("Threads", tables.states_legend(), width),
        tables.threads(report, width),
        *tables.together(report, width),
    ]


def _processes(report: Result, width: int) -> Parts:
    if report.get("scenario"):  # of which all this is known
        return []
    return [
        *rule("Processes", "", width),
        programs.processes(report, width),
        *programs.wakers(report, width),
    ]


def _descriptors(report: Result, width: int) -> Parts:
    if report.get("scenario"):
        return []
    return [
        *rule("Descriptors", "in: received  out: sent", width),
        *programs.descriptors(report, width),
        *programs.accepted(report, width),
    ]


def _cpus(report: Result, width: int) -> Parts:
    return _titled("On which CPU", lanes.of_report(report, width), width)


def _wakeups(report: Result, width: int) -> Parts:
    return _titled("Wake-ups", wakeups.of_report(report, width), width)


def _locks(report: Result, width: int) -> Parts:
    waits = locks.of_report(report, width)
    return _titled("Waits on futexes", [waits] if waits is not None else [], width)


def _syscalls(report: Result, width: int) -> Parts:
    return [*rule("System calls", "", width), tables.syscalls(report, width)]


def _signals(report: Result, width: int) -> Parts:
    signals = tables.signals(report, width)
    return _titled("Signals", [signals] if signals is not None else [], width)


def _verdict(report: Result, width: int) -> Parts:
    return [
        *rule("Verdict", "", width),
        *verdict.verdict(report, width),
        *verdict.estimates(report, width),
        *verdict.oracle(report, width),
        *verdict.ledger(report, width),
        *verdict.cost(report, width),
        *verdict.latency(report, width),
    ]


def _advice(report: Result, width: int) -> Parts:
    if report.get("scenario") or not report.get("advice"):
        return []
    return [*rule("Advice", "[cost]", width), *programs.advice(report, width)]


def _titled(title: str, lines: Iterable[RenderableType], width: int) -> Parts:
    """The lines below a rule; nothing where there are none."""
    body = [*lines]
    return [*rule(title, "", width), *body] if body else []


SECTIONS: tuple[Callable[[Result, int], Parts], ...] = (
    _figure,
    _phases,
    _slowest,  # only where it was asked for
    _histograms,  # as well
    _threads,
    _processes,
    _descriptors,
    _cpus,
    _wakeups,
    _locks,
    _syscalls,
    _signals,
    _verdict,
    _advice,
)
