"""A comparison as a picture: the models side by side, then how long each took from ready to done, and its CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracer.output import rounds
from tracer.output.figure.models import columns, copy_title
from tracer.output.format import Result
from tracer.output.phase_names import shown
from tracer.output.svg import models as side_by_side
from tracer.output.svg.canvas import Canvas
from tracer.output.svg.layout import MARGIN
from tracer.output.svg.style import BODY, SMALL, width_of, wrapped
from tracer.output.units import clean, duration, plural, share

PHASES = ("notice", "copy", "completion")
BAR, THICK, ROW = 300, 15, 26
ROOM = 1.5  # times the longest bar: a run that took longer is told, not drawn to its end
_LINE = 17
_NOTES = (
    "From ready to done: from the data's being there until the program has it and knows; medians of the runs' medians. "
    "The line in a bar goes from the least to the greatest of the runs. What comes before, wait, is the sender's pace.",
    "CPU: of the time waited, what the thread that asked spent on waiting; what a free thread computes is not in it.",
)


def bars(result: Result) -> str:
    """The comparison as an SVG element."""
    models: Sequence[Result] = result.get("models") or []
    told = " ".join(_sentence(model) for model in models) or "Nothing was compared."
    canvas = Canvas("I/O models compared", told)
    labels = [_label(model) for model in models]
    left = MARGIN + max((width_of(label, BODY, True) for label in labels), default=0) + 12
    longest = ROOM * max((_total(model) for model in models), default=0) or 1
    width = max(left + BAR + 170 + 120, 470, side_by_side.least_width(labels))
    y = _title(canvas, result, width)
    y = side_by_side.draw(canvas, models, labels, y + _LINE + 10)
    y = _legend(canvas, copy_title(columns(models, labels)), y)
    canvas.text("from ready to done", left, y, "small bold")
    canvas.text("CPU waiting", left + BAR + 170, y, "small bold")
    for model, label in zip(models, labels, strict=True):
        y += ROW
        canvas.text(label, MARGIN, y + 5, "bold")
        _times(canvas, model, left, y, longest)
        _cpu(canvas, model, left + BAR + 170, y)
    return canvas.closed(width, _foot(canvas, width, y + ROW + 6))


def _title(canvas: Canvas, result: Result, width: float) -> float:
    """Title and what was run; how far down they go."""
    y = 32.0
    canvas.text("I/O models compared", MARGIN, y, "title bold")
    for line in wrapped(" · ".join(_about(result)), width - 2 * MARGIN):
        y += _LINE + 2
        canvas.text(line, MARGIN, y, "small faint")
    return y


def _legend(canvas: Canvas, copy: str, y: float) -> float:
    """The colours of the phases; how far down it goes. copy: what the phase copy is called."""
    x = float(MARGIN)
    for name in PHASES:
        canvas.add("rect", name, x=x, y=y - 10, width=11, height=11)
        called = shown(name, copy)
        canvas.text(called, x + 17, y, "small")
        x += 17 + width_of(called, SMALL) + 18
    return y + _LINE + 12


def _about(result: Result) -> Iterator[str]:
    options = result.get("options") or {}
    if kernel := (result.get("host") or {}).get("kernel"):
        yield f"Linux {clean(kernel)}"
    if options.get("messages") is not None:
        yield f"{plural(options['messages'], 'message')} of {plural(options.get('size'), 'byte')}"
        yield f"one every {duration(options.get('interval_ns'))}"
    if made := rounds.made(result):
        yield plural(made, "run") + " of each" + ", interrupted" * bool(result.get("interrupted"))


def _times(canvas: Canvas, model: Result, left: float, y: float, longest: float) -> None:
    """The stacked bar of the phases' medians, with the runs' spread and the sum."""
    x = left
    for name in PHASES:
        took = _median(model, f"{name}_ns") or 0
        part = BAR * took / longest
        canvas.add(
            "rect", name, x=x, y=y - THICK / 2, width=max(part, 1 if took else 0), height=THICK
        )
        x += part
    least, most = _ends(model)
    ends = [left + BAR * min(end / longest, 1) for end in (least, most)]
    line = {"x1": ends[0], "x2": ends[1]}
    canvas.add("line", "line", **line, y1=y, y2=y, stroke_width=1.5)
    x = max(x, line["x2"])
    beyond = f", up to {duration(most)}" if most > longest else ""
    canvas.text(duration(_total(model)) + beyond, x + 8, y + 5, "small")


def _cpu(canvas: Canvas, model: Result, left: float, y: float) -> None:
    """The share of the wait that was spent on a CPU."""
    spent = _median(model, "waiting_cpu") or 0
    canvas.add("rect", "lane rule", x=left, y=y - THICK / 2, width=50, height=THICK)
    canvas.add("rect", "bad", x=left, y=y - THICK / 2, width=50 * min(spent, 1), height=THICK)
    canvas.text(share(spent, 1) if spent else "0%", left + 57, y + 5, "small")


def _foot(canvas: Canvas, width: float, y: float) -> float:
    for note in _NOTES:
        for line in wrapped(note, width - 2 * MARGIN):
            canvas.text(line, MARGIN, y, "small faint")
            y += _LINE
    return y


def _label(model: Result) -> str:
    return clean(model["name"]) + (" (C)" if model.get("lang") == "c" else "")


def _spread(model: Result, measure: str) -> Result:
    return (model.get("measures") or {}).get(measure) or {}


def _median(model: Result, measure: str) -> float | None:
    median: float | None = _spread(model, measure).get("median")
    return median


def _ends(model: Result) -> tuple[float, float]:
    """The least and the greatest of the runs' sums (ns)."""
    runs = [_spread(model, f"{name}_ns").get("runs") or [0] for name in PHASES]
    sums = [sum(values) for values in zip(*runs, strict=False)]
    return min(sums, default=0), max(sums, default=0)


def _total(model: Result) -> float:
    """From ready to done (ns), the phases' medians summed."""
    return sum(_median(model, f"{name}_ns") or 0 for name in PHASES)


def _sentence(model: Result) -> str:
    parts = [f"{name} {duration(_median(model, f'{name}_ns'))}" for name in PHASES]
    spent = share(_median(model, "waiting_cpu") or 0, 1)
    return f"{_label(model)}: {', '.join(parts)}; CPU on waiting {spent}."
