"""The whole report for a terminal: its head, then its sections one after the other, as one string.

By default a report is as long as a screen: the figure, the phases, the verdict and what to do, then of the tables what
there is room for. Verbose, it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    narrow,
    programs,
    slowest,
    tables,
    verdict,
    wakeups,
)
from tracer.output.terminal.lines import NARROWEST, fit, printed, rule

Parts: TypeAlias = list[RenderableType]
Section: TypeAlias = Callable[[Result, int], Parts]
Sections: TypeAlias = dict[Section, Parts]


SCREEN = 50  # lines that a report has by default


def render(
    report: Result,
    width: int = 80,
    hist: bool = False,
    color: bool = False,
    unicode: bool = True,
    verbose: bool = True,
) -> str:
    """`report` (docs/json.md) as text of lines of at most `width` cells, ending in a newline.

    `hist` adds log2 histograms, `color` ANSI colours; without `unicode` everything is ASCII; without `verbose` it has
    at most SCREEN lines, if its advice is not longer. Less than 80 columns get a short form; 80 are drawn where all is
    asked for. Missing parts are said to be missing; nothing is raised for them.
    """
    if width < NARROWEST and not (verbose or hist):
        return printed(narrow.render(report, width), width, color, unicode)
    width = max(width, NARROWEST)
    sections: Sections = {section: section(report, width) for section in SECTIONS}
    if not hist:
        del sections[_histograms]
    if not verbose:
        sections = _on_a_screen(report, sections, width)
    parts: Parts = [*header.lines(report, width)]
    for section in sections.values():
        parts += section
    return printed(parts, width, color, unicode)


def _on_a_screen(report: Result, whole: Sections, width: int) -> Sections:
    """The sections that a screen has room for, and last how to see the others.

    What a reader came for is always there, in short; the tables follow in the order of their use while there is room,
    cut to the rows that fit.
    """
    shown: Sections = {name: parts for name, parts in whole.items() if name in _ALWAYS}
    shown[_phases] = _phases(report, width, brief=True)
    room = SCREEN - _height(header.lines(report, width), width) - _FOOT
    others = (name for name in shown if name not in (*_AS_ASKED, _figure, _verdict))
    room -= sum(_height(shown[name], width) for name in others)
    left = _fitted(report, shown, room, width)
    words = tables.words(report, width) if shown[_phases] else []
    if len(words) <= left:
        shown[_phases], left = [*shown[_phases], *words], left - len(words)
    tables_first = _OF_SCENARIOS if report.get("scenario") else _OF_PROGRAMS
    hidden = []
    for name in tables_first:
        parts = whole[name]
        height = _height(parts, width)
        if height > left and name in _SHORTER:
            parts = _SHORTER[name](report, width, max(left - _AROUND, 0))
            height = _height(parts, width)
        if not height or height > left:
            hidden += [_TITLES[name]] if whole[name] else []
            continue
        shown[name], left = parts, left - height
    ordered: Sections = {name: shown[name] for name in SECTIONS if name in shown}
    also = ", ".join(hidden)
    text = fit(f"-v shows all{': ' + also if also else ''}", width).rstrip()
    ordered[_pointer] = [Text(""), Text(text, style="dim")]
    return ordered


def _fitted(report: Result, shown: Sections, room: int, width: int) -> int:
    """Puts figure and verdict into `shown`, in full if there is room for it (lines), else in short; what is left."""
    verdicts = {most: _verdict_in_short(report, width, most) for _, most in _SHORTER_AND_SHORTER}
    left = room
    for length, most in _SHORTER_AND_SHORTER:
        shown[_verdict] = verdicts[most]
        shown[_figure] = _figure(report, width, length)
        left = room - _height(shown[_figure], width) - _height(shown[_verdict], width)
        if left >= 0:
            break
    return left


def _height(parts: Sequence[RenderableType], width: int) -> int:
    """In lines; a blank line at the top counts."""
    if not parts:
        return 0
    return printed([Text("."), *parts, Text(".")], width).count("\n") - 2


# Sections, each a function of the report and the width: its parts, or none where it has nothing to say.


def _figure(report: Result, width: int, length: int = 0) -> Parts:
    return [Text(""), *figure.draw(report, length)] if _is_about_receives(report) else []


def _phases(report: Result, width: int, brief: bool = False) -> Parts:
    if not _is_about_receives(report):
        return []
    return [
        *rule("Phases", "ask → wait → ready → notice → copy → completion → done", width),
        tables.phases(report, width, brief),
        *verdict.queued(report, width),
        *([] if brief else tables.words(report, width)),
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
        *verdict.lost(report, width),
        *verdict.verdict(report, width),
        *verdict.estimates(report, width),
        *verdict.oracle(report, width),
        *verdict.ledger(report, width),
        *verdict.cost(report, width),
        *verdict.latency(report, width),
        *verdict.sender(report, width),
        *verdict.machine(report, width),
    ]


def _verdict_in_short(report: Result, width: int, most: int) -> Parts:
    return [
        *rule("Verdict", "", width),
        *verdict.lost(report, width),
        *verdict.verdict(report, width, most),
        *verdict.estimates(report, width, brief=True),
        *verdict.oracle(report, width, brief=True),
        *verdict.ledger(report, width, brief=True),
        *verdict.cost(report, width, brief=True),
        *verdict.latency(report, width),
    ]


def _advice(report: Result, width: int) -> Parts:
    if report.get("scenario") or not report.get("advice"):
        return []
    return [*rule("Advice", "[cost]", width), *programs.advice(report, width)]


def _fewer_processes(report: Result, width: int, most: int) -> Parts:
    if most < _LEAST_ROWS:
        return []
    return [*rule("Processes", "", width), programs.processes(report, width, most)]


def _fewer_descriptors(report: Result, width: int, most: int) -> Parts:
    if most // 2 < 1:
        return []
    lines = programs.descriptors(report, width, most // 2)
    return [*rule("Descriptors", "in: received  out: sent", width), *lines]


def _fewer_syscalls(report: Result, width: int, most: int) -> Parts:
    if most < _LEAST_ROWS:
        return []
    return [*rule("System calls", "", width), tables.syscalls(report, width, most)]


def _fewer_threads(report: Result, width: int, most: int) -> Parts:
    if most < _LEAST_ROWS:
        return []
    return [*rule("Threads", tables.states_legend(), width), tables.threads(report, width, most)]


def _titled(title: str, lines: Iterable[RenderableType], width: int) -> Parts:
    """The lines below a rule; nothing where there are none."""
    body = [*lines]
    return [*rule(title, "", width), *body] if body else []


SECTIONS: tuple[Section, ...] = (
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


def _pointer(report: Result, width: int) -> Parts:
    """Stands for the line that says how to see what is left out."""
    return []


# How figure and verdict become shorter: (length of the figure, as figure.LENGTHS has it; sentences of evidence).
_SHORTER_AND_SHORTER = (
    *((0, verdict.BRIEF), (0, 1), (1, verdict.BRIEF), (1, 1)),
    *((2, 1), (3, 1), (2, 0), (3, 0), (3, verdict.NOTHING_MORE)),
)
_FOOT = 3  # lines: a blank one, the pointer, and the blank one at the end
_AS_ASKED = frozenset((_slowest, _histograms))  # which a screen need not hold
_ALWAYS = frozenset((_figure, _phases, _slowest, _histograms, _verdict, _advice))
_OF_SCENARIOS = (_syscalls, _locks, _cpus, _wakeups, _threads, _signals)
_OF_PROGRAMS = (
    *(_processes, _descriptors, _syscalls),
    *(_threads, _locks, _cpus, _wakeups, _signals),
)
_TITLES = {
    _processes: "processes",
    _descriptors: "descriptors",
    _syscalls: "system calls",
    _threads: "threads",
    _locks: "waits on futexes",
    _cpus: "on which CPU",
    _wakeups: "wake-ups",
    _signals: "signals",
}
_AROUND = 4  # lines of a table beside its rows: a blank one, its rule, its head, what it leaves out
_LEAST_ROWS = 2
_SHORTER: dict[Section, Callable[[Result, int, int], Parts]] = {
    _processes: _fewer_processes,
    _descriptors: _fewer_descriptors,
    _syscalls: _fewer_syscalls,
    _threads: _fewer_threads,
}
