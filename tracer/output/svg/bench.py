"""The readiness benchmark as a picture: CPU of an operation by the number of descriptors, on logarithmic axes, and the
published table's shape beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracer.output.format import Result
from tracer.output.svg.canvas import Canvas
from tracer.output.svg.layout import MARGIN
from tracer.output.svg.style import SMALL, wrapped
from tracer.output.units import clean, duration, number, plural

WIDE, HIGH = 440, 320
LEFT, TOP = MARGIN + 70, 96
LINES = {  # call → class of its line, of its dots
    "select": ("notice-line", "notice"),
    "poll": ("copy-line", "copy"),
    "epoll-lt": ("wait-line", "wait"),
    "epoll-et": ("completion-line", "completion"),
    "io_uring": ("line", "ink"),
}
_NOTE = (
    "Dots: medians of the rounds; bars: from the least to the greatest of them. Dashed: the shape of the table "
    "published for Linux {kernel} ({source}), laid through our first dot."
)
Point = tuple[float, float]


class _Axes:
    """Logarithmic axes over what is drawn: n, ns → px."""

    def __init__(self, sizes: Sequence[int], times: Sequence[float]) -> None:
        self.x = _decades(sizes)
        self.y = _decades(times)

    def place(self, n: float, ns: float) -> Point:
        def share(value: float, ends: tuple[int, int]) -> float:
            return (math.log10(max(value, 1)) - ends[0]) / (ends[1] - ends[0])

        return LEFT + WIDE * share(n, self.x), TOP + HIGH * (1 - share(ns, self.y))


def _decades(values: Sequence[float]) -> tuple[int, int]:
    least, most = max(min(values, default=1), 1), max(*values, 10) if values else 10
    low = math.floor(math.log10(least))
    return low, max(math.ceil(math.log10(most)), low + 1)


def chart(result: Result) -> str:
    """The benchmark as an SVG element."""
    rows: Sequence[Result] = result["rows"]
    told = " ".join(
        f"{row['call']} with {number(row['n'])}: {duration(row['cpu_ns'])}." for row in rows
    )
    canvas = Canvas("CPU of an operation by the number of descriptors", told or "Nothing.")
    published = {call: _published(result, call) for call in LINES}
    times = [row["cpu_ns"] for row in rows] + [
        end for row in rows for end in row["spread"]["cpu_ns"]
    ]
    times += [ns for points in published.values() for _, ns in points]
    axes = _Axes([row["n"] for row in rows], times)
    _grid(canvas, axes)
    ends: list[tuple[str, Point]] = []
    for call in LINES:
        _dashed(canvas, axes, call, published[call])
        its = sorted((row for row in rows if row["call"] == call), key=lambda row: row["n"])
        if its:
            ends.append((call, _solid(canvas, axes, call, its)))
    _labels(canvas, ends)
    width = LEFT + WIDE + 110
    _title(canvas, result)
    return canvas.closed(width, _foot(canvas, result, width))


def _published(result: Result, call: str) -> list[Point]:
    """The published line of a call, laid through ours where both begin: (n, ns)."""
    ours = {row["n"]: row["cpu_ns"] for row in result["rows"] if row["call"] == call}
    theirs = {row["n"]: row["cpu_s"] for row in result["published"]["rows"] if row["call"] == call}
    first = min(ours.keys() & theirs.keys(), default=None)
    if first is None or not theirs[first]:
        return []
    return [
        (n, ours[first] * seconds / theirs[first])
        for n, seconds in sorted(theirs.items())
        if first <= n <= max(ours)
    ]


def _title(canvas: Canvas, result: Result) -> None:
    options = result["options"]
    canvas.text("CPU of an operation by the number of descriptors", MARGIN, 32, "title bold")
    about = (
        f"Linux {clean(result['host']['kernel'])} · {options['fd']} · {number(options['active'])} of N ready · "
        f"{plural(result['rounds'], 'round')}" + (" · churn" if options["churn"] else "")
    )
    canvas.text(about, MARGIN, 54, "small faint")


def _grid(canvas: Canvas, axes: _Axes) -> None:
    """A line for each power of ten, with what it stands for."""
    for power in range(axes.y[0], axes.y[1] + 1):
        _, y = axes.place(1, 10**power)
        canvas.add("line", "rule", x1=LEFT, x2=LEFT + WIDE, y1=y, y2=y, stroke_width=0.5)
        canvas.text(duration(10**power), LEFT - 8, y + 4, "small end")
    for power in range(axes.x[0], axes.x[1] + 1):
        x, _ = axes.place(10**power, 1)
        canvas.add("line", "rule", x1=x, x2=x, y1=TOP, y2=TOP + HIGH, stroke_width=0.5)
        canvas.text(number(10**power), x, TOP + HIGH + 18, "small middle")
    canvas.text("descriptors watched", LEFT + WIDE / 2, TOP + HIGH + 38, "small middle")
    canvas.text("CPU", LEFT - 8, TOP - 14, "small end")


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _dashed(canvas: Canvas, axes: _Axes, call: str, published: Sequence[Point]) -> None:
    if published:
        points = _path([axes.place(*its) for its in published])
        canvas.add(
            "polyline",
            f"open {LINES[call][0]}",
            points=points,
            stroke_width=1,
            stroke_dasharray="4 4",
        )


def _solid(canvas: Canvas, axes: _Axes, call: str, rows: Sequence[Result]) -> Point:
    """The line of a call; where it ends."""
    line, dot = LINES[call]
    places = [axes.place(row["n"], row["cpu_ns"]) for row in rows]
    canvas.add("polyline", f"open {line}", points=_path(places), stroke_width=2)
    for row, (x, y) in zip(rows, places, strict=True):
        canvas.add("circle", dot, cx=x, cy=y, r=3.5)
        (_, low), (_, high) = (axes.place(row["n"], end) for end in row["spread"]["cpu_ns"])
        canvas.add("line", line, x1=x, x2=x, y1=low, y2=high, stroke_width=1)
    return places[-1]


def _labels(canvas: Canvas, ends: Sequence[tuple[str, Point]]) -> None:
    """The calls' names where their lines end, none over another."""
    last = -math.inf
    for call, (x, y) in sorted(ends, key=lambda end: end[1][1]):
        last = max(y, last + SMALL + 2)
        canvas.text(call, x + 10, last + 4, f"small bold {LINES[call][1]}")


def _foot(canvas: Canvas, result: Result, width: float) -> float:
    y = TOP + HIGH + 66.0
    published = result["published"]
    note = _NOTE.format(kernel=clean(published["kernel"]), source=clean(published["source"]))
    for line in wrapped(note, width - 2 * MARGIN):
        canvas.text(line, MARGIN, y, "small faint")
        y += 17
    return y
