"""One operation as a picture: the textbook's two columns (Stevens, UNP, 6.1 to 6.5), a third for another thread that
takes part, arrows, measured times, and the phases to scale in a bar below."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tracer.output.figure import edges
from tracer.output.figure.composition import build
from tracer.output.figure.notes import caption, nothing_to_draw
from tracer.output.figure.rows import Figure, Row
from tracer.output.figure.titles import title_of
from tracer.output.format import Result
from tracer.output.svg.canvas import Canvas
from tracer.output.svg.layout import MARGIN, PAD, TOP, Lane, Layout, Phase, arrange
from tracer.output.svg.style import GROWN, SMALL, TITLE, classes_of, width_of, wrapped
from tracer.output.units import clean, duration, share
from tracer.report.contract import PHASE_SPANS

_LEAST_WIDTH = 470
_LINE = 20  # from one line of small text to the next
_GROWN = round(
    SMALL * GROWN
)  # px of small letters where the picture is shown small: lines are broken for these


def picture(report: Result, whole: float = math.inf) -> str:
    """The report's figure as an SVG element. whole: px; if it is wider, it is never shown smaller than it is, and its
    letters need not grow."""
    figure = build(report)
    if figure is None:
        return _nothing(nothing_to_draw(report))
    figure.settle()
    edges.draw(figure)
    layout = arrange(figure)
    drawing = _Drawing(report, figure, layout, grows=layout.width <= whole)
    return drawing.text()


def _nothing(why: str) -> str:
    canvas = Canvas("An operation", why)
    for place, line in enumerate(wrapped(why, _LEAST_WIDTH - 2 * MARGIN)):
        canvas.text(line, MARGIN, 30 + place * _LINE, "small")
    return canvas.closed(_LEAST_WIDTH, 60)


class _Drawing:
    """Draws a figure from its layout, from the top down."""

    def __init__(self, report: Result, figure: Figure, layout: Layout, *, grows: bool) -> None:
        self._report, self._figure, self._layout = report, figure, layout
        title, self._number = title_of(figure)
        self._canvas = Canvas(title, " ".join(_told(figure)), grows=grows)
        self._title = title
        self._width = max(layout.width, _LEAST_WIDTH)
        self._y = float(MARGIN)  # how far down it has come

    def text(self) -> str:
        """The picture as an SVG element."""
        self._head()
        self._lanes()
        self._rows()
        self._brackets()
        self._y += self._layout.height + 24
        self._scale()
        self._foot()
        return self._canvas.closed(self._width, self._y + MARGIN / 2)

    def _head(self) -> None:
        for line in wrapped(self._title, (self._width - 2 * MARGIN) * 0.94, TITLE):
            self._y += TITLE
            self._canvas.text(line, MARGIN, self._y, "title bold")
            self._y += 4
        for line in wrapped(" · ".join(self._about()), self._width - 2 * MARGIN, _GROWN):
            self._y += _LINE - 2
            self._canvas.text(line, MARGIN, self._y, "small faint")
        self._y += 14

    def _about(self) -> Iterator[str]:
        """What was run where, and the textbook's figure."""
        if self._number:
            yield f"Stevens, UNP, figure {self._number}, as measured"
        if scenario := self._report.get("scenario"):
            yield clean(scenario)
        if kernel := (self._report.get("host") or {}).get("kernel"):
            yield f"Linux {clean(kernel)}"

    def _lanes(self) -> None:
        """The columns, with their names above; from here on 0 is their top."""
        heads = max(len(lane.heads) for lane in self._layout.lanes)
        for lane in self._layout.lanes:
            for place, head in enumerate(lane.heads):
                y = self._y + 15 + place * 17
                self._canvas.text(
                    head, lane.middle, y, "middle " + ("small faint" if place else "bold")
                )
        self._y += TOP + (heads - 1) * 17 - 4
        for lane in self._layout.lanes:
            size = {"width": lane.right - lane.left, "height": self._layout.height}
            self._canvas.add("rect", "lane rule", x=lane.left, y=self._y, rx=4, **size)
        self._states()
        self._passing()
        for cut in self._layout.cuts:
            for lane in self._layout.lanes:
                self._cut(lane, self._y + cut)

    def _states(self) -> None:
        """The edges of the threads' lanes: heavy where the thread has a CPU, dotted where it has none."""
        layout = self._layout
        edge = [(layout.application.left, [row.left for row in layout.rows])]
        if layout.helper:
            edge.append((layout.helper.right, [row.right for row in layout.rows]))
        if layout.sender:
            edge.append((layout.sender.right, ["┃" if row.sending else " " for row in layout.rows]))
        for x, signs in edge:
            for first, last, sign in _runs(signs):
                top = 0 if first == 0 else (layout.heights[first - 1] + layout.heights[first]) / 2
                bottom = layout.height
                if last + 1 < len(layout.rows):
                    bottom = (layout.heights[last] + layout.heights[last + 1]) / 2
                if sign in "┃┊":
                    self._state(x, self._y + top, self._y + bottom, sign == "┃")

    def _state(self, x: float, top: float, bottom: float, on_cpu: bool) -> None:
        line = {"x1": x, "y1": top, "x2": x, "y2": bottom}
        if on_cpu:
            self._canvas.add("line", "cpu", **line, stroke_width=5)
        else:
            self._canvas.add("line", "away", **line, stroke_width=3, stroke_dasharray="2 4")

    def _passing(self) -> None:
        """Arrows down the kernel's lane: it waits for the data, and copies it."""
        layout = self._layout
        for name in ("wait", "copy"):
            phase = next((phase for phase in layout.phases if phase.name == name), None)
            if phase is None:
                continue
            above = [
                height
                for row, height in zip(layout.rows, layout.heights, strict=True)
                if row.kernel.strip(" ·↓") and phase.top <= height < phase.bottom
            ]
            top = above[-1] if above else phase.top
            if phase.bottom - top >= 30:
                self._down(
                    layout.kernel.left + PAD + 7, self._y + top + 9, self._y + phase.bottom - 13
                )

    def _down(self, x: float, top: float, bottom: float) -> None:
        line = {"x1": x, "y1": top, "x2": x, "y2": bottom}
        self._canvas.add("line", "rule", **line, stroke_dasharray="1 3")
        points = (
            f"{x:.1f},{bottom:.1f} {x - 3.5:.1f},{bottom - 6:.1f} {x + 3.5:.1f},{bottom - 6:.1f}"
        )
        self._canvas.add("polygon", "faint", points=points)

    def _cut(self, lane: Lane, y: float) -> None:
        """Two waves across a lane: between them time is left out."""
        steps = max(4, round((lane.right - lane.left + 12) / 18))
        stride = (lane.right - lane.left + 12) / steps
        wave = "".join(f"l{stride / 2:.1f} -4l{stride / 2:.1f} 4" for _ in range(steps))
        back = "".join(f"l-{stride / 2:.1f} -4l-{stride / 2:.1f} 4" for _ in range(steps))
        begin = f"M{lane.left - 6:.1f} {y:.1f}"
        self._canvas.add("path", "paper", d=f"{begin}{wave}v7{back}z")
        for shift in (0, 7):
            path = f"M{lane.left - 6:.1f} {y + shift:.1f}{wave}"
            self._canvas.add("path", "open rule", d=path)

    # rows

    def _rows(self) -> None:
        for row, height in zip(self._layout.rows, self._layout.heights, strict=True):
            self._row(row, self._y + height)

    def _row(self, row: Row, y: float) -> None:
        layout, canvas = self._layout, self._canvas
        if row.when:
            weight = "" if row.boundary else " faint"
            canvas.text(row.when, layout.times, y + 4, "small end" + weight)
        lane = self._lane_of(row)
        if row.application:
            classes = classes_of(row.application_style)
            if row.time_ns is None and not row.arrow:
                classes += " small italic"
            canvas.text(row.application, lane.left + PAD, y + 5, classes)
        if row.kernel.strip(" ·↓"):
            canvas.text(row.kernel, layout.kernel.left + PAD, y + 5, classes_of(row.kernel_style))
        if row.arrow:
            self._arrow(row, y)

    def _lane_of(self, row: Row) -> Lane:
        """Whose event it is, but for the kernel's part in it."""
        layout = self._layout
        if row.by_sender and layout.sender:
            return layout.sender
        return layout.helper if row.by_helper and layout.helper else layout.application

    def _arrow(self, row: Row, y: float) -> None:
        """Between a thread's lane and the kernel's."""
        layout, lane = self._layout, self._lane_of(row)
        if lane is not layout.application:
            thread, kernel = lane.left, layout.kernel.right
        else:
            thread, kernel = layout.application.right, layout.kernel.left
        begin, end = (kernel, thread) if row.arrow == "return" else (thread, kernel)
        line = {"x1": begin, "y1": y, "x2": end, "y2": y}
        if row.arrow == "library":
            self._canvas.add("line", "rule", **line, stroke_dasharray="4 3")
        else:
            self._canvas.add("line", "line", **line, stroke_width=1.5)
            inwards = -8 if end > begin else 8
            points = (
                f"{end:.1f},{y:.1f} {end + inwards:.1f},{y - 4:.1f} {end + inwards:.1f},{y + 4:.1f}"
            )
            self._canvas.add("polygon", "tip", points=points)
        classes = "small middle " + classes_of(row.label_style)
        # the sender's lie beyond another thread's lane, where there is one
        beside = (layout.helper or layout.kernel).right if row.by_sender else None
        middle = (begin + end) / 2 if beside is None else (beside + lane.left) / 2
        self._canvas.text(row.label, middle, y - 5, classes)

    def _brackets(self) -> None:
        """The phases at the right."""
        x = self._layout.lanes[-1].right + 14
        for phase in self._layout.phases:
            self._bracket(phase, x)

    def _bracket(self, phase: Phase, x: float) -> None:
        top, bottom = self._y + phase.top + 1, self._y + phase.bottom - 1
        path = f"M{x - 4:.1f} {top:.1f}h4V{bottom:.1f}h-4"
        self._canvas.add("path", f"open {phase.name}-line", d=path, stroke_width=2)
        middle = (top + bottom) / 2
        self._canvas.text(phase.called, x + 10, middle - 4, f"small bold {phase.name}")
        self._canvas.text(phase.text, x + 10, middle + 14, f"small {phase.name}")

    # below the lanes

    def _scale(self) -> None:
        """The phases to scale, as one bar."""
        total = self._figure.between("ask", "done")
        if not total:
            return
        left, width = float(MARGIN), self._width - 2 * MARGIN
        self._canvas.text("the same to scale", left, self._y, "small faint")
        self._y += 7
        x, words = left, []
        for name, (begin, end) in PHASE_SPANS.items():
            took = self._figure.took(name)
            if took is not None and name == "wait":
                took += self._figure.waited_inside()
            if not took:
                continue
            part = max(1.0, width * took / total)
            x = min(x, left + width - part)
            self._canvas.add("rect", name, x=x, y=self._y, width=part, height=14)
            x += part
            mark = "~" if self._figure.is_estimated(begin, end) else ""
            called = self._figure.name_of(name)
            words.append((name, f"{called} {mark}{duration(took)} ({share(took, total)})"))
        self._y += 14
        self._shares(words)
        self._y += 10

    def _shares(self, words: list[tuple[str, str]]) -> None:
        x = float(MARGIN)
        self._y += _LINE
        for name, text in words:
            size = GROWN * width_of(text, SMALL) + 14
            if x > MARGIN and x + size > self._width - MARGIN:
                x, self._y = float(MARGIN), self._y + _LINE
            self._canvas.text(text, x, self._y, f"small {name}")
            x += size

    def _foot(self) -> None:
        """The signs and the sentences."""
        self._y += 2
        texts = [*self._signs()]
        if self._figure.operation:
            texts.append(caption(self._figure, len(self._report.get("operations") or [])))
        for text in (*texts, *self._figure.notes):
            for line in wrapped(text, self._width - 2 * MARGIN, _GROWN):
                self._y += _LINE - 1
                self._canvas.text(line, MARGIN, self._y, "small faint")

    def _signs(self) -> Iterator[str]:
        """The legend: the signs that were drawn, and that lanes are not to scale."""
        rows = self._layout.rows
        edge = {sign for row in rows for sign in (row.left, row.right)}
        signs = ["heavy edge: has a CPU"]
        signs += ["dotted: has none"] if "┊" in edge else []
        signs += ["sender's edge: in its send, by its own clock"] if self._layout.sender else []
        signs += ["~ estimated"] if self._figure.estimated else []
        signs += ["+ since the line above", "columns not to scale"]
        signs += ["waves: time is left out"] if self._layout.cuts else []
        yield " · ".join(signs)


def _runs(signs: list[str]) -> Iterator[tuple[int, int, str]]:
    """(first, last, sign) of each run of equal signs."""
    first = 0
    for index in range(1, len(signs) + 1):
        if index == len(signs) or signs[index] != signs[first]:
            yield first, index - 1, signs[first]
            first = index


def _told(figure: Figure) -> Iterator[str]:
    """The rows as sentences, for who does not see them."""
    for row in figure.rows:
        if not (row.time_ns is not None or row.earlier) or not (
            row.application or row.kernel or row.arrow
        ):
            continue
        who = "sender" if row.by_sender else "other thread" if row.by_helper else "application"
        parts = [f"{who}: {row.application}"] if row.application else []
        if row.arrow in ("call", "return"):
            direction = "into" if row.arrow == "call" else "out of"
            parts.append(f"arrow {direction} the kernel: {row.label}")
        if row.kernel.strip(" ·↓"):
            parts.append(f"kernel: {row.kernel.strip()}")
        yield f"{row.when or 'before'}: {'; '.join(parts)}."
    for name, (begin, end) in PHASE_SPANS.items():
        if (took := figure.took(name)) is not None:
            mark = "about " if figure.is_estimated(begin, end) else ""
            yield f"{figure.name_of(name)}: {mark}{duration(took)}."
