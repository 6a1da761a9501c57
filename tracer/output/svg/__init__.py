"""The textbook's figure with the measured times as a picture: --svg FILE, one SVG that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Format, Kind, Options, Result
from tracer.output.svg.picture import picture


def render(report: Result, options: Options) -> Iterator[str]:
    """The picture of a report's figure; one that says so where there is none."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield picture(report) + "\n"


FORMAT = Format(
    flag="--svg",
    metavar="FILE",
    help="The figure as a picture (SVG) in this file.",
    renders={Kind.REPORT: render},
    order=60,
)
