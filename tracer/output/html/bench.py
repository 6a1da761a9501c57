"""The readiness benchmark as one page: the chart, and each measure as a table."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tracer.output.format import Result
from tracer.output.html.elements import Child, el, section, table
from tracer.output.html.plain import plain
from tracer.output.svg.bench import chart
from tracer.output.terminal.bench import (
    CALLS,
    MEASURES,
    Cell,
    cell_of,
    notes,
    ratio,
    ratio_title,
    rows_of,
    said,
    sizes,
)
from tracer.output.units import MISSING, clean, number


def page(result: Result) -> Iterator[str]:
    """The page in pieces."""
    heads = [f"{label}: {words}" for label, words in said(result)]
    tables = [
        _table(result, name, title, cell_of(name), remark) for name, title, remark in MEASURES
    ]
    title = (
        f"{ratio_title(result)}, and as published for Linux {clean(result['published']['kernel'])}"
    )
    tables.append(_table(result, "ratio", title, ratio, title))
    known = section("notes", "What has to be known", *(el("p", f"{its}.") for its in notes(result)))
    yield from plain("bench readiness", heads, [chart(result), *tables, known])


def _table(result: Result, identity: str, title: str, cell: Cell, caption: str) -> Element:
    rows: list[list[Child]] = [
        [number(n), *(cell(row) if row else MISSING for row in rows_of(result, n))]
        for n in sizes(result)
    ]
    return section(identity.replace("_", "-"), title, table(("N", *CALLS), rows, caption))
