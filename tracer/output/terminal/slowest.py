"""The slowest operations (report --slowest N): each with its phases, and where its time went in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import fitted, wrap
from tracer.output.terminal.tables import PHASE_STYLES
from tracer.output.units import clean, duration, number


def lines(report: Result, width: int) -> Iterator[Text]:
    """Of each operation a line with its phases, and below it its reasons."""
    for operation in report.get("slowest") or []:
        phases = operation["phases"]
        line = Text().append(f"#{number(operation['index'])}".ljust(8), style="bold")
        line.append(duration(sum(phases.values())).ljust(9), style="bold")
        for name, ns in phases.items():
            if ns:
                line.append(f"  {name} {duration(ns)}", style=PHASE_STYLES.get(name, ""))
        yield fitted(line, width)
        for reason in operation["reasons"]:
            yield from _reason(clean(reason["text"]), width)


def _reason(text: str, width: int) -> Iterator[Text]:
    for place, piece in enumerate(wrap(text, width - 10)):
        yield Text(("        • " if place == 0 else "          ") + piece)
