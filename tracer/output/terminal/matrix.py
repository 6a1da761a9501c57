"""The matrix of scenarios by kernels (docs/json.md) as text for a terminal, of fewer than 80 columns as lists; speaks
to no kernel interface."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.table import Table

from tracer.output import matrix_tables
from tracer.output.format import Result
from tracer.output.terminal.lines import NARROWEST
from tracer.output.terminal.narrow import NARROWEST as LEAST


def render(matrix: Result, width: int = 80) -> str:
    """Kernels, outcomes, the phase `notice` as a ratio, and what differs; `width` columns."""
    width = max(width, LEAST)
    console = Console(
        width=width, height=25, highlight=False, color_system=None, markup=False, emoji=False
    )
    with console.capture() as capture:
        console.print(_head(matrix), soft_wrap=False)
        for title, (head, rows) in (
            ("Kernels", matrix_tables.kernels(matrix)),
            ("Operations of messages", matrix_tables.outcomes(matrix)),
            (
                "How soon data is noticed, in untraced round trips (median)",
                matrix_tables.ratios(matrix, "notice"),
            ),
            (f"Claims: {matrix_tables.CLAIM_SIGNS}", matrix_tables.claims(matrix)),
        ):
            if rows:
                console.print(f"\n{_ruled(title, width)}")
                console.print(
                    _table(head, rows) if width >= NARROWEST else _list(head, rows, width)
                )
        console.print(f"\n{_ruled('What differs', width)}")
        differing = matrix_tables.differences(matrix)
        for difference, since, groups in differing:
            console.print(_filled(f"{difference}{': ' if since else ''}{since}", "", "    ", width))
            for kernels, value in groups:
                console.print(_filled(value, f"    {kernels:<12} ", " " * 17, width))
        if not differing:
            console.print("nothing that is compared")
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def _head(matrix: Result) -> str:
    lines = [f"iotrace  {matrix_tables.extent(matrix)}"]
    if matrix["accel_why"]:
        lines.append(f"Machines by {matrix['accel_why']}")
    return "\n".join(lines)


def _ruled(title: str, width: int) -> str:
    """A title in lines of at most `width`, the last filled up."""
    *above, last = textwrap.wrap(f"── {title} ", width - 1)
    return "\n".join([*above, f"{last} {'─' * (width - len(last) - 1)}"])


def _list(head: list[str], rows: list[list[str]], width: int) -> str:
    """A row in one paragraph: its first cell, and each other behind its column's head."""
    told = (
        f"{row[0]}: "
        + ", ".join(f"{name} {cell}".strip() for name, cell in zip(head[1:], row[1:], strict=True))
        for row in rows
    )
    return "\n".join(_filled(text, "", "    ", width) for text in told)


def _table(head: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="")
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number > 1 else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _filled(text: str, first_indent: str, other_indent: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=first_indent, subsequent_indent=other_indent)
