"""What stdout shows unless another format is asked for: text for a terminal, drawn with rich."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Format, Kind, Options, Result, Switch
from tracer.output.units import drawable, to_ascii

# rich takes a tenth of a second to import: it is, where something is drawn.


def _report(report: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import report as drawing

    hist, verbose = ("hist" in options.switches), ("verbose" in options.switches)
    unicode = _unicode(options)
    drawable_report = _drawable(report, unicode)
    yield (
        drawing.render(drawable_report, options.width, hist, options.color, unicode, verbose) + "\n"
    )


def _comparison(comparison: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import compare

    unicode = _unicode(options)
    yield compare.render(_drawable(comparison, unicode), options.width, options.color, unicode)


def _difference(difference: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import diff

    unicode = _unicode(options)
    verbose = "verbose" in options.switches
    drawn = _drawable(difference, unicode)
    yield diff.render(drawn, options.width, verbose, options.color, unicode)


def _readiness(result: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import bench

    unicode = _unicode(options)
    yield bench.render(_drawable(result, unicode), options.width, options.color, unicode)


def _verify(report: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import claims

    unicode = _unicode(options)
    yield claims.render(_drawable(report, unicode), options.width, options.color, unicode)


def _matrix(matrix: Result, options: Options) -> Iterator[str]:
    from tracer.output.terminal import matrix as drawing

    unicode = _unicode(options)
    drawn = drawing.render(_drawable(matrix, unicode), options.width) + "\n"
    yield drawn if unicode else to_ascii(drawn)


def _unicode(options: Options) -> bool:
    return options.unicode and "ascii" not in options.switches


def _drawable(result: Result, unicode: bool) -> Result:
    """The result as it can be drawn: all of its texts can be printed, however they came into it."""
    return {key: drawable(value, unicode) for key, value in result.items()}


FORMAT = Format(
    renders={
        Kind.REPORT: _report,
        Kind.COMPARISON: _comparison,
        Kind.DIFFERENCE: _difference,
        Kind.READINESS: _readiness,
        Kind.VERIFY: _verify,
        Kind.MATRIX: _matrix,
    },
    switches=(
        Switch(
            "--verbose",
            "Show all of the report, not what fits a screen.",
            frozenset((Kind.REPORT, Kind.DIFFERENCE)),
            order=20,
            short="-v",
        ),
        Switch(
            "--ascii",
            "Draw with ASCII alone.",
            frozenset(
                (
                    Kind.REPORT,
                    Kind.LISTING,
                    Kind.COMPARISON,
                    Kind.DIFFERENCE,
                    Kind.READINESS,
                    Kind.VERIFY,
                )
            ),
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
