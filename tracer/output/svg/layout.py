"""Where everything of the picture goes: the lanes across, the rows and their phases down; in px."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tracer.output.figure.composition import helper_word
from tracer.output.figure.rows import Figure, Row
from tracer.output.svg.style import BODY, GROWN, HEAD, SMALL, width_of
from tracer.output.units import duration
from tracer.report.contract import PHASE_SPANS

MARGIN = 14
ROW, COMMENT = 26, 21  # from one row to the next
LEAST = 44  # of a phase, for its name and its time
BREAK = 26  # more, where a long wait is cut
LONG = 20  # times the median of the other times between rows: such a time is cut
PAD = 8
_BESIDE = 26  # from the last lane to the phases' names
TOP = 26  # of a lane: its name


@dataclass(frozen=True)
class Lane:
    """A column of the picture: its name in lines, and from where to where it goes."""

    heads: tuple[str, ...]
    left: float
    right: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


@dataclass(frozen=True)
class Phase:
    """A phase's bracket: from the middle of a row to that of another; called: what is written beside it."""

    name: str
    called: str
    text: str
    top: float
    bottom: float


@dataclass
class Layout:
    """rows: those that are drawn, with the height of each in `heights`, from the lanes' top at 0; cuts: where the lanes
    are cut, since the time there is not to scale."""

    application: Lane
    kernel: Lane
    helper: Lane | None
    sender: Lane | None
    times: float
    width: float
    rows: list[Row]
    heights: list[float]
    cuts: list[float]
    phases: list[Phase]
    height: float

    @property
    def lanes(self) -> list[Lane]:
        """From left to right."""
        return [self.application, self.kernel, *filter(None, (self.helper, self.sender))]


def arrange(figure: Figure) -> Layout:
    """The layout of a figure whose rows are settled."""
    rows = [row for row in figure.rows if not row.names_helper]
    heights, cuts = _heights(figure, rows)
    phases = _phases(figure, rows, heights)
    times = MARGIN + GROWN * max(width_of(row.when, SMALL) for row in rows)
    application, kernel, helper, right = _lanes(figure, rows, times + 10)
    sender = _sender(rows, right) if figure.send else None
    right = sender.right if sender else right
    labels = [
        width_of(text, SMALL, bold)
        for phase in phases
        for text, bold in ((phase.called, True), (phase.text, False))
    ]
    width = right + _BESIDE + GROWN * max(labels, default=0) + MARGIN
    height = heights[-1] + ROW * 0.8
    return Layout(
        application, kernel, helper, sender, times, width, rows, heights, cuts, phases, height
    )


def _sender(rows: list[Row], left: float) -> Lane:
    """The sender's lane, right of all others, with the room for its arrows."""
    sent = [row for row in rows if row.by_sender]
    begin = left + _channel(sent)
    texts = [(row.application, row.application_style, True) for row in sent]  # brackets follow
    return Lane(("sender",), begin, begin + _wide(("sender",), texts))


def _lanes(figure: Figure, rows: list[Row], left: float) -> tuple[Lane, Lane, Lane | None, float]:
    """The lanes of the application, the kernel and the helper, and where the last one ends."""
    rows = [row for row in rows if not row.by_sender]
    own = [row for row in rows if not row.by_helper]
    helped = [row for row in rows if row.by_helper]
    has_helper = figure.helper is not None
    heads = ("application", f"thread {figure.asker}") if has_helper else ("application",)
    app = _wide(heads, [(row.application, row.application_style, bool(row.arrow)) for row in own])
    application = Lane(heads, left, left + app)
    begin = application.right + _channel(own)
    free = any(row.arrow for row in helped)  # beside the kernel's lane, but for these rows
    texts = [(row.kernel, row.kernel_style, bool(row.arrow) or not free) for row in rows]
    kernel = Lane(("kernel",), begin, begin + _wide(("kernel",), texts))
    if not has_helper:
        return application, kernel, None, kernel.right
    heads = (helper_word(figure), f"thread {figure.helper}")
    begin = kernel.right + _channel(helped)
    texts = [(row.application, row.application_style, True) for row in helped]  # brackets follow
    helper = Lane(heads, begin, begin + _wide(heads, texts))
    return application, kernel, helper, helper.right


def _wide(heads: tuple[str, ...], texts: list[tuple[str, str, bool]]) -> float:
    """How wide a lane with these names and texts is; of a text its style, and whether something stands beside it, so
    that it may not grow out of the lane."""
    widths = [
        width_of(text, BODY, "bold" in style) * (GROWN if beside else 1.0)
        for text, style, beside in texts
    ]
    widths += [width_of(head, HEAD, True) for head in heads]
    return max(90.0, *widths) + 2 * PAD


def _channel(rows: list[Row]) -> float:
    """How wide the space for these rows' arrows is."""
    labels = [GROWN * width_of(row.label, SMALL) for row in rows if row.arrow]
    return max(labels, default=0) + 12 if labels else 26


def _heights(figure: Figure, rows: list[Row]) -> tuple[list[float], list[float]]:
    """How far down each row stands, and where long times are cut."""
    typical = _typical(rows)
    heights, cuts = [ROW * 0.9], []
    previous = rows[0].time_ns
    for row in rows[1:]:
        step = ROW if row.time_ns is not None or row.earlier else COMMENT
        if row.time_ns is not None and previous is not None:
            if typical and row.time_ns - previous > LONG * typical:
                cuts.append(heights[-1] + (ROW + BREAK) / 2)
                step += BREAK
            previous = row.time_ns
        heights.append(heights[-1] + step)
    for begin, end in PHASE_SPANS.values():
        _make_room(rows, heights, cuts, begin, end)
    return heights, cuts


def _typical(rows: list[Row]) -> float:
    """The median time between rows (ns)."""
    times = [row.time_ns for row in rows if row.time_ns is not None]
    between = sorted(after - before for before, after in pairwise(times) if after > before)
    return between[(len(between) - 1) // 2] if between else 0


def _make_room(
    rows: list[Row], heights: list[float], cuts: list[float], begin: str, end: str
) -> None:
    """Moves what follows a phase down, where it is too low for its label."""
    first, last = _row_of(rows, begin), _row_of(rows, end)
    if first is None or last is None or last <= first:
        return
    lacking = LEAST - (heights[last] - heights[first])
    if lacking > 0:
        cuts[:] = [cut + lacking if cut > heights[last] else cut for cut in cuts]
        heights[last:] = [height + lacking for height in heights[last:]]


def _row_of(rows: list[Row], boundary: str) -> int | None:
    return next((index for index, row in enumerate(rows) if boundary in row.marks), None)


def _phases(figure: Figure, rows: list[Row], heights: list[float]) -> list[Phase]:
    phases = []
    for name, (begin, end) in PHASE_SPANS.items():
        first, last = _row_of(rows, begin), _row_of(rows, end)
        if first is None or last is None or last <= first:
            continue
        mark = "~" if figure.is_estimated(begin, end) else ""
        text = mark + duration(figure.took(name))
        phases.append(Phase(name, figure.name_of(name), text, heights[first], heights[last]))
    return phases
