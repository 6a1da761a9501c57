"""A result as one page: --html FILE, one HTML file that works offline and asks no other host for anything."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Format, Kind, Options, Result

SLOWEST = 12


def render(report: Result, options: Options) -> Iterator[str]:
    """The page of a report."""
    from tracer.output.html.page import page  # rich, and a megabyte of charts: where a page is made

    yield from page(report)


def render_comparison(result: Result, options: Options) -> Iterator[str]:
    """The page of a comparison."""
    from tracer.output.html import comparison

    yield from comparison.page(result)


def render_difference(result: Result, options: Options) -> Iterator[str]:
    """The page of a difference."""
    from tracer.output.html import difference

    yield from difference.page(result)


def render_readiness(result: Result, options: Options) -> Iterator[str]:
    """The page of a readiness benchmark."""
    from tracer.output.html import bench

    yield from bench.page(result)


FORMAT = Format(
    flag="--html",
    metavar="FILE",
    help="All of it as one page for a browser (HTML), in this file.",
    renders={
        Kind.REPORT: render,
        Kind.COMPARISON: render_comparison,
        Kind.DIFFERENCE: render_difference,
        Kind.READINESS: render_readiness,
    },
    order=61,
    needs={"slowest": SLOWEST, "states_over_time": 1, "operations_over_time": 1},
)
