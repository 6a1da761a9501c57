"""Pictures, --svg FILE: of a report the textbook's figure with the measured times, of a comparison its bars, of a
benchmark its lines."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Format, Kind, Options, Result
from tracer.output.svg.bars import bars
from tracer.output.svg.bench import chart
from tracer.output.svg.picture import picture


def render(report: Result, options: Options) -> Iterator[str]:
    """The picture of a report's figure; one that says so where there is none."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield picture(report) + "\n"


def render_comparison(result: Result, options: Options) -> Iterator[str]:
    """The picture of a comparison."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield bars(result) + "\n"


def render_readiness(result: Result, options: Options) -> Iterator[str]:
    """The picture of a readiness benchmark."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield chart(result) + "\n"


FORMAT = Format(
    flag="--svg",
    metavar="FILE",
    help="The figure, bars or lines as a picture (SVG) in this file.",
    renders={
        Kind.REPORT: render,
        Kind.COMPARISON: render_comparison,
        Kind.READINESS: render_readiness,
    },
    order=60,
)
