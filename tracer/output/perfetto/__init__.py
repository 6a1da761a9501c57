"""A report as a trace that Perfetto's viewer opens: --perfetto FILE (docs/perfetto.md)."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Format, Kind, Options, Result


def render(report: Result, options: Options) -> Iterator[bytes]:
    """The trace, packet by packet."""
    from tracer.output.perfetto.trace import packets

    yield from packets(report)


FORMAT = Format(
    flag="--perfetto",
    metavar="FILE",
    help="Threads, calls and operations as a trace for Perfetto (ui.perfetto.dev), in this file.",
    renders={Kind.REPORT: render},
    binary=True,
    order=62,
    needs={"operations_over_time": 1, "kernel_events": 1},
)
