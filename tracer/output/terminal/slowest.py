"""The slowest operations (report --slowest N): each with its phases, and where its time went in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from tracer.output import phase_names
from tracer.output.format import Result
from tracer.output.terminal.lines import wrap
from tracer.output.terminal.tables import PHASE_STYLES
from tracer.output.units import clean, duration, number

_INDENT = 17  # cells before the phases


def lines(report: Result, width: int) -> Iterator[Text]:
    """Of each operation a line with its phases, and below it its reasons."""
    for operation in report.get("slowest") or []:
        copy = phase_names.copy_name_at(report, operation["index"])
        yield from _phases(operation, copy, width)
        for reason in operation["reasons"]:
            yield from _reason(clean(reason["text"]), width)


def _phases(operation: Result, copy: str, width: int) -> Iterator[Text]:
    """Its number, how long it took, and its phases that took time; in a second line what the first has no room for."""
    times = operation["phases"]
    line = Text().append(f"#{number(operation['index'])}".ljust(8), style="bold")
    line.append(duration(sum(times.values())).ljust(9), style="bold")
    for name, ns in times.items():
        if not ns:
            continue
        part = f"  {phase_names.shown(name, copy)} {duration(ns)}"
        if line.cell_len + len(part) > width:
            yield line
            line = Text(" " * _INDENT)
        line.append(part, style=PHASE_STYLES.get(name, ""))
    yield line


def _reason(text: str, width: int) -> Iterator[Text]:
    for place, piece in enumerate(wrap(text, width - 10)):
        yield Text(("        • " if place == 0 else "          ") + piece)
