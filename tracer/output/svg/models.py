"""The textbook's comparison of the models (Stevens, UNP, figure 6.6) as a picture: a lane for each program, time goes
down, not to scale."""

from __future__ import annotations

from collections.abc import Sequence

from tracer.output.figure.models import AS, PHASES, TITLE, Column, columns, copy_title
from tracer.output.format import Result
from tracer.output.svg.canvas import Canvas
from tracer.output.svg.layout import MARGIN
from tracer.output.svg.style import SMALL, width_of
from tracer.output.units import MISSING, duration

MOST = 4  # lanes beside each other
LINE, GAP = 18, 12  # from one line of text to the next; between lanes
_SIGNS = "heavy edge: asks again and again (× calls a message) · dotted: sleeps · thin: free"
_HEIGHTS = {"wait": 3, "notice": 2, "copy": 2, "completion": 1}  # lines of each phase
_EDGES = {"asking": ("cpu", 5.0, ""), "asleep": ("away", 3.0, "2 4"), "free": ("rule", 1.0, "")}


def least_width(labels: Sequence[str]) -> float:
    """How wide a picture of these programs is at least."""
    return 2 * MARGIN + _SIDE + _lane(labels) * min(len(labels), MOST)


def draw(canvas: Canvas, models: Sequence[Result], labels: Sequence[str], y: float) -> float:
    """Draws from y on; how far down it went. Nothing where there is nothing to compare."""
    shown = columns(models, labels)
    if len(shown) < 2:
        return y
    y += 8
    canvas.text(TITLE, MARGIN, y, "bold")
    canvas.text(f"{AS}; not to scale", MARGIN, y + LINE, "small faint")
    canvas.text(_SIGNS, MARGIN, y + 2 * LINE, "small faint")
    y += 3.6 * LINE
    parts = -(-len(shown) // MOST)
    each = -(-len(shown) // parts)
    for first in range(0, len(shown), each):
        y = _part(canvas, shown[first : first + each], copy_title(shown), _lane(labels), y)
    return y + LINE


_SIDE = 100.0  # px of the phases' names


def _lane(labels: Sequence[str]) -> float:
    """How wide a lane is, with the gap beside it."""
    texts = ["by a kthread", "is notified", *labels]
    return max(width_of(text, SMALL, True) for text in texts) + 22 + GAP


def _part(canvas: Canvas, shown: Sequence[Column], copy: str, lane: float, y: float) -> float:
    phases = [
        phase for phase in PHASES if phase != "completion" or any(its.took[phase] for its in shown)
    ]
    top = y + 10
    edges = {}
    at = top + 1.6 * LINE  # below the line in which it asks
    for phase in phases:
        edges[phase] = (at, at + _HEIGHTS[phase] * LINE + 6)
        at = edges[phase][1]
    bottom = at + 1.4 * LINE
    _names(canvas, edges, copy)
    for place, column in enumerate(shown):
        left = MARGIN + _SIDE + place * lane
        canvas.text(column.label, left + (lane - GAP) / 2, y, "small bold middle")
        canvas.add("rect", "lane rule", x=left, y=top, width=lane - GAP, height=bottom - top, rx=4)
        _column(canvas, column, edges, left, top, bottom)
    ready = edges["wait"][1]
    right = MARGIN + _SIDE + len(shown) * lane - GAP
    canvas.add("line", "rule", x1=MARGIN, x2=right, y1=ready, y2=ready, stroke_dasharray="5 4")
    return bottom + 2 * LINE


def _names(canvas: Canvas, edges: dict[str, tuple[float, float]], copy: str) -> None:
    """The phases' names at the left, each beside its bracket."""
    for phase, (begin, end) in edges.items():
        x = MARGIN + _SIDE - 10
        path = f"M{x + 4:.1f} {begin + 2:.1f}h-4V{end - 2:.1f}h4"
        canvas.add("path", f"open {phase}-line", d=path, stroke_width=2)
        name = copy if phase == "copy" else phase
        canvas.text(name, x - 6, (begin + end) / 2 + 5, f"small bold end {phase}")


def _column(
    canvas: Canvas,
    column: Column,
    edges: dict[str, tuple[float, float]],
    left: float,
    top: float,
    bottom: float,
) -> None:
    text = left + 12
    canvas.text(column.asks, text, top + LINE, "small")
    said = {"wait": column.waiting, "notice": column.begins, "copy": column.copies}
    for phase, (begin, end) in edges.items():
        took = column.took[phase]
        line = {"x1": left, "x2": left, "y1": begin, "y2": end}
        if phase == "wait":
            sign, width, dashes = _EDGES.get(column.waits or "", ("rule", 1.0, ""))
            more = {"stroke_dasharray": dashes} if dashes else {}
            canvas.add("line", sign, **line, stroke_width=width, **more)
        elif took:
            canvas.add("line", f"{phase}-line", **line, stroke_width=5)
        known = MISSING if took is None else duration(took) if took else "·"
        canvas.text(known, text, begin + LINE, f"small bold {phase}")
        if said.get(phase):
            canvas.text(said[phase], text, begin + 2 * LINE, "small")
    canvas.text(column.ends, text, bottom - 8, "small completion")
