"""What stdout shows unless another format is asked for: text for a terminal, drawn with rich."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Format, Kind, Options, Result, Switch

# rich takes a tenth of a second to import: it is, where something is drawn.


def _report(report: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import report as drawing

    hist = "hist" in options.switches
    yield drawing.render(report, options.width, hist, options.color, _unicode(options)) + "\n"


def _comparison(comparison: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import compare

    yield compare.render(comparison, options.width, options.color, _unicode(options))


def _verify(report: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import claims

    yield claims.render(report, options.width, options.color, _unicode(options))


def _matrix(matrix: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import matrix as drawing

    yield drawing.render(matrix, options.width) + "\n"


def _unicode(options: Options) -> bool:
    return options.unicode and "ascii" not in options.switches


FORMAT = Format(
    renders={
        Kind.REPORT: _report,
        Kind.COMPARISON: _comparison,
        Kind.VERIFY: _verify,
        Kind.MATRIX: _matrix,
    },
    switches=(
        Switch(
            "--ascii",
            "Draw with ASCII alone.",
            # a listing takes it, too, which is the same with it
            frozenset((Kind.REPORT, Kind.LISTING, Kind.COMPARISON, Kind.VERIFY)),
            order=40,
        ),
        Switch(
            "--hist",
            "Log2 histograms of the phases and calls.",
            frozenset((Kind.REPORT,)),
            order=30,
        ),
    ),
)
