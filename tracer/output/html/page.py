"""The page of a report: its parts in their order."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tracer.output.format import Result
from tracer.output.html import sections
from tracer.output.html.data import data
from tracer.output.html.elements import el, html, section
from tracer.output.html.shell import asset, opening
from tracer.output.svg.canvas import drawn_width, style_of
from tracer.output.svg.picture import picture

# px: a wider figure is not made smaller on a small screen, but moved in its frame; of one as wide as this letters are
# 8 px and more on a screen of 390 (13 px of small ones, grown 1.4 times, on the 360 that are left)
WIDE = 780
_LINKS = (
    ("figure", "Figure"),
    ("verdict", "Verdict"),
    ("timeline", "Timeline"),
    ("phases", "Phases"),
    ("slowest", "Slowest"),
    ("threads", "Threads"),
    ("syscalls", "System calls"),
    ("trust", "Ledger"),
    ("reading", "How to read it"),
)
_READING = (
    (
        "An operation",
        "is one successful receive: from ask (the program first wants the data) to done (it knows that it has it).",
    ),
    (
        "Wait, notice, copy, completion",
        "are its four phases: nothing has come yet; the data is there and the program has not come round to receiving "
        "it; the kernel copies; the data is in the program's buffer and the program does not know it. Together they "
        "last from ask to done.",
    ),
    ("~", "marks a time that was estimated: not seen, or moved between its neighbours."),
    (
        "Blocked, runnable, kernel, user",
        "are what a thread does: it cannot run; it could, and waits for a CPU; it is on one inside a system call; it "
        "is on one outside of any. Interrupts are not told apart.",
    ),
    (
        "A descriptor has data",
        "from the data's arrival to the end of its copy, as far as operations show it.",
    ),
    (
        "Sender and waker",
        "are the thread on whose CPU the data came, or the thread was woken: it did that, or was interrupted for it.",
    ),
    (
        "What is drawn",
        "is reduced: what is narrower than a point or two is drawn as one with its neighbours, by what took most of "
        "the time. Zoom in, and it is told apart. Counts and tables are always of all.",
    ),
)


def page(report: Result) -> Iterator[str]:
    """The page in pieces."""
    drawing = picture(report, WIDE)
    styles = (asset("page.css"), style_of(drawing))
    scripts = (asset("vendor/echarts.min.js"), asset("page.js"))
    yield opening(_subject(report), styles, scripts)
    yield html(el("a", "To the report", href="#figure", class_="skip"))
    yield html(sections.head(report)) + html(_navigation()) + "<main>"
    yield from _parts(report, drawing)
    yield "</main>"
    yield f'<script type="application/json" id="data">{data(report)}</script>'
    for script in scripts:
        yield f"<script>{script}</script>"
    yield "</body></html>\n"


def _subject(report: Result) -> str:
    command = (report.get("target") or {}).get("command") or ["a program"]
    return str(report.get("scenario") or " ".join(map(str, command)))


def _navigation() -> Element:
    links = [el("li", el("a", name, href=f"#{identity}")) for identity, name in _LINKS]
    return el("nav", el("ul", *links), aria_label="Parts of the report")


def _parts(report: Result, drawing: str) -> Iterator[str]:
    yield '<section id="figure" aria-labelledby="figure-title"><h2 id="figure-title">Figure</h2>'
    classes = "scroll figure wide" if drawn_width(drawing) > WIDE else "scroll figure"
    yield f'<div class="{classes}" tabindex="0" role="region" aria-label="Figure">'
    yield f"{drawing}</div></section>"
    parts = (
        sections.verdict_section(report),
        sections.advice(report),
        _timeline(report),
        sections.phases(report),
        sections.slowest(report),
        sections.threads(report),
        sections.syscalls(report),
        sections.signals(report),
        sections.descriptors(report),
        sections.trust(report),
        section("reading", "How to read it", _reading()),
    )
    yield from (html(part) for part in parts if part is not None)


def _reading() -> Element:
    return el(
        "dl", *(child for term, said in _READING for child in (el("dt", term), el("dd", said)))
    )


def _timeline(report: Result) -> Element:
    """The frame that page.js fills."""
    buttons = [
        el("button", text, type="button", data_zoom=what, aria_label=label)
        for what, text, label in (
            ("in", "+", "Zoom in"),
            ("out", "−", "Zoom out"),
            ("left", "◄", "Earlier"),
            ("right", "►", "Later"),
            ("all", "all", "Show all of the time"),
        )
    ]
    search = el(
        "label",
        "Search ",
        el(
            "input",
            type="search",
            id="search",
            placeholder="thread, descriptor, #12, >5ms",
            autocomplete="off",
        ),
    )
    keys = (
        "Drag to move, Ctrl and the wheel to zoom; with the keyboard + − ← → and 0 on the timeline. Search finds "
        "threads, descriptors and files, an operation (#12), or those slower than a time (>5ms)."
    )
    return section(
        "timeline",
        "Timeline",
        el("p", keys),
        el("div", search, *buttons, class_="controls"),
        el("ul", id="found", aria_live="polite", aria_label="What the search found"),
        el("p", id="legend", class_="legend"),
        el("div", id="chart", tabindex="0", role="group", aria_label="Timeline, zoom with + and −"),
        el("p", id="drawn", aria_live="polite"),
        el("div", id="details", aria_live="polite", role="status"),
        el("noscript", el("p", "The timeline needs JavaScript; all else on this page does not.")),
    )
