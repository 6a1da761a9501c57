"""A report as one page: --html FILE, one HTML file that works offline and asks no other host for anything."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Format, Kind, Options, Result

SLOWEST = 12


def render(report: Result, options: Options) -> Iterator[str]:
    """The page of a report."""
    from tracer.output.html.page import page  # rich, and a megabyte of charts: where a page is made

    yield from page(report)


FORMAT = Format(
    flag="--html",
    metavar="FILE",
    help="The report as one page with figure and timeline (HTML), in this file.",
    renders={Kind.REPORT: render},
    order=61,
    needs={"slowest": SLOWEST, "states_over_time": 1, "operations_over_time": 1},
)
