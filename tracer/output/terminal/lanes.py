"""Which thread had which CPU, as lanes, and how long any two ran at the same time; speaks to no kernel interface."""

from __future__ import annotations

from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import entry
from tracer.output.units import duration, share

AWAY, WAITS = -1, -2
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def of_report(report: Result, width: int = 80) -> list[Text]:
    """A lane for each thread that computed, and each two's overlap; nothing where fewer than two did."""
    lanes = report.get("lanes")
    if not lanes:
        return []
    lines = []
    for thread in lanes.get("threads") or []:
        line = Text().append(f"{thread.get('tid')}"[:11].ljust(12), style="bold")
        for cell in thread.get("cells") or []:
            line.append(*_cell(cell))
        lines.append(line)
    scale = f"{duration(lanes.get('cell_ns'))} a cell, from {duration(lanes.get('begin_ns'))} on"
    lines += entry("", f"{scale}: its CPU, ░ waits for one, · asleep", width, "dim")
    for pair in (lanes.get("pairs") or [])[:3]:
        together, possible = pair.get("overlap_ns") or 0, pair.get("possible_ns")
        threads = " and ".join(map(str, pair.get("tids") or []))
        text = (
            f"{threads} never ran at the same time: concurrent, not parallel"
            if not together
            else f"{threads} ran at the same time, in parallel, for {duration(together)}, "
            f"{share(together, possible)} of the shorter one's time on a CPU"
        )
        lines += entry("overlap", text, width)
    return lines


def _cell(cell: int) -> tuple[str, str]:
    if cell == WAITS:
        return "░", "yellow"
    if cell == AWAY:
        return "·", "cyan"
    return DIGITS[cell % len(DIGITS)], "bold green"
