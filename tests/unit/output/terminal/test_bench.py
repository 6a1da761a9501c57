"""tracer/output/terminal/bench.py: what the readiness benchmark looks like, to the letter; and its chart and page."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from support.bench import result, round_of, usual

from tracer.output import html, svg
from tracer.output.format import Kind, Options
from tracer.output.svg import bench as chart
from tracer.output.terminal import bench

SVG = "{http://www.w3.org/2000/svg}"
WHOLE = """\
iotrace  bench readiness
watched     N pipes, 1 of N made ready for each operation
operation   learns by the call which are ready, and reads them; nothing sleeps
rounds      2 rounds of 7, interrupted, each without probes and traced; Linux
            6.18.0

── CPU of an operation ─────────────── medians of the rounds ± half their spread
       N        select          poll      epoll-lt      epoll-et      io_uring
      10  2.95 µs ±25%  2.65 µs ±25%        700 ns        700 ns        700 ns
   1,000   226 µs ±33%   196 µs ±33%        700 ns        700 ns        700 ns

── Wall time of an operation ───────── medians of the rounds ± half their spread
       N        select          poll      epoll-lt      epoll-et      io_uring
      10  2.95 µs ±25%  2.65 µs ±25%        700 ns        700 ns        700 ns
   1,000   226 µs ±33%   196 µs ±33%        700 ns        700 ns        700 ns

── Inside the call, as traced ─────────── and its share of those runs' wall time
       N        select          poll      epoll-lt      epoll-et      io_uring
      10   1.52 µs 50%   1.38 µs 50%    400 ns 50%    400 ns 50%    400 ns 50%
   1,000    113 µs 50%   97.9 µs 50%    400 ns 50%    400 ns 50%    400 ns 50%

── CPU to that with 10 ─────────────────────── and as published for Linux 2.6.25
       N        select          poll      epoll-lt      epoll-et      io_uring
      10   1.0× (1.0×)   1.0× (1.0×)   1.0× (1.0×)          1.0×          1.0×
   1,000     77× (48×)     74× (57×)   1.0× (1.3×)          1.0×          1.0×

N = 20,000 is left out: too many.
published: M. Kerrisk, The Linux Programming Interface, table 63-9.
"""


def test_the_whole_to_the_letter() -> None:
    made = result([usual(), usual(2)], rounds=7)
    made["left_out"] = [{"call": None, "n": 20_000, "why": "too many"}]
    assert bench.render(made) == WHOLE


def test_what_is_missing_is_said() -> None:
    made = result([round_of({("poll", 10): 1000}, lost=3)], {"io_uring": "no liburing"})
    text = bench.render(made)
    assert "io_uring is left out: no liburing." in text and "3 events lost" in text
    table = text.partition("── Inside")[2]
    assert table.splitlines()[2].split() == ["10", "–", "–", "–", "–", "–"]


def drawn(made: object) -> list[list[tuple[float, float]]]:
    """The points of each line in the chart."""
    root = ElementTree.fromstring(chart.chart(made))  # type: ignore[arg-type]  # made up
    return [
        [(float(x), float(y)) for x, y in (its.split(",") for its in line.attrib["points"].split())]
        for line in root.iter(f"{SVG}polyline")
        if "stroke-dasharray" not in line.attrib
    ]


def test_both_axes_are_logarithmic() -> None:
    """Ten times as many at ten times the cost: a line of one slope, equal steps."""
    made = result([round_of({("poll", 10**power): 10 ** (power + 2) for power in (1, 2, 3, 4)})])
    ((a, b, c, d),) = drawn(made)
    for axis in (0, 1):
        steps = [right[axis] - left[axis] for left, right in ((a, b), (b, c), (c, d))]
        assert steps == pytest.approx([steps[0]] * 3, abs=0.2) and steps[0]


def test_the_published_shape_goes_through_our_first_dot() -> None:
    root = ElementTree.fromstring(chart.chart(result([usual()])))
    dashed = [its for its in root.iter(f"{SVG}polyline") if "stroke-dasharray" in its.attrib]
    solid = [its for its in root.iter(f"{SVG}polyline") if "stroke-dasharray" not in its.attrib]
    assert len(dashed) == 3 and len(solid) == 5
    firsts = {its.attrib["points"].split()[0] for its in solid}
    assert {its.attrib["points"].split()[0] for its in dashed} <= firsts


def test_the_outputs_draw_it() -> None:
    made = result([usual()])
    page = "".join(html.FORMAT.renders[Kind.READINESS](made, Options()))  # type: ignore[arg-type]  # text
    assert page.count("<table>") == 4 and "table 63-9" in page and "<svg" in page
    picture = "".join(svg.FORMAT.renders[Kind.READINESS](made, Options()))  # type: ignore[arg-type]  # text
    assert picture.startswith("<?xml")
