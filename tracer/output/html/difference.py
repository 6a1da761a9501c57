"""A difference as one page: what differs, and every measure of both sides with each run as a dot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from tracer.output.format import Result
from tracer.output.html.elements import Child, el, section, table
from tracer.output.html.plain import plain
from tracer.output.terminal.diff import chance, effect, least, names, place, said, shown
from tracer.output.units import MISSING, plural

_WIDE, _HIGH, _DOT = 200, 24, 3
_ROWS = (("a", 7), ("b", 17))  # side, and how far down its dots lie
_READING = (
    (
        "The unit is the run.",
        "Of each run one number is taken: its median, its p90, its mean. Operations of one run are not independent.",
    ),
    (
        "p",
        "is how often runs of one and the same thing, dealt into two sets at random, would be as far apart in any of "
        "the measures: corrected for all of them.",
    ),
    (
        "Effect and interval",
        "say how much B lies above A, the median of all differences between runs of both, of operations with one run "
        "each (Hodges and Lehmann), and where that lies with at least 99 %. They are sizes, and no evidence.",
    ),
    ("Told from", "is the least shift that these runs would have shown."),
    (
        "Dots",
        "are runs: A above, B below, from the least of both to the greatest; of one run each from 0 on.",
    ),
)


def page(result: Result) -> Iterator[str]:
    """The page in pieces."""
    told = [line for line in result["measures"] if line["differs"]]
    title = f"they differ in {plural(len(told), 'measure')}" if told else "no difference is told"
    heads = [
        f"{side.upper()}: {plural(len(result[side]), 'run')}: {names(result[side])}"
        for side in ("a", "b")
    ]
    parts = [_told(told), *_all(result), _notes(result), _reading()]
    yield from plain(f"diff: {title}", heads, [part for part in parts if part is not None])


def _told(told: Sequence[Result]) -> Element | None:
    if not told:
        return None
    rows: list[list[Child]] = [
        [
            place(line["where"], line["what"]),
            said(line, line["a"]),
            said(line, line["b"]),
            effect(line) if line["effect"] is not None else MISSING,
            chance(line["p"]) if line["p"] is not None else MISSING,
        ]
        for line in told
    ]
    heads = ("what", "A", "B", "effect", "p")
    caption = "With the effect's 99% interval, where there is one"
    return section("differences", "What differs", table(heads, rows, caption))


def _all(result: Result) -> Iterator[Element]:
    listed = groupby(result["measures"], key=lambda line: place(line["where"]))
    for number, (where, lines) in enumerate(listed):
        measures = list(lines)
        matter = shown(measures, False)
        rest = [line for line in measures if line not in matter]
        title = where or "All of it"
        yield section(f"place-{number}", title, _table(matter, "Side by side"), _rest(rest))


def _table(lines: Sequence[Result], caption: str) -> Element:
    heads = ("what", "A", "B", "effect", "told from", "runs", "")
    return table(heads, [_row(line) for line in lines], caption)


def _rest(lines: Sequence[Result]) -> Element | None:
    """What hardly ever happened, and is the same on both sides."""
    if not lines:
        return None
    summary = el("summary", f"{plural(len(lines), 'more measure')}, the same on both sides")
    return el("details", summary, _table(lines, "Seldom, and the same"))


def _row(line: Result) -> list[Child]:
    return [
        line["what"],
        said(line, line["a"]),
        said(line, line["b"]),
        effect(line) if line["effect"] is not None else MISSING,
        least(line),
        _dots(line),
        "differs" if line["differs"] else "",
    ]


def _dots(line: Result) -> Element | None:
    """Each run's number, on one scale for both sides."""
    values = [*line["a_runs"], *line["b_runs"]]
    if not values:
        return None
    # two dots alone would always lie at the ends
    low, high = min(values) if len(values) > 2 else min(0, *values), max(values)
    words = "; ".join(
        f"{side.upper()} {', '.join(said(line, its) for its in line[f'{side}_runs'])}"
        for side, _ in _ROWS
    )
    picture = el("svg", viewBox=f"0 0 {_WIDE} {_HIGH}", class_="dots", role="img", aria_label=words)
    for side, y in _ROWS:
        for value in line[f"{side}_runs"]:
            share = (value - low) / (high - low) if high > low else 0.5
            x = _DOT + share * (_WIDE - 2 * _DOT)
            picture.append(el("circle", cx=f"{x:.1f}", cy=y, r=_DOT, class_=side))
    return picture


def _notes(result: Result) -> Element | None:
    notes = [el("p", f"{note}.") for note in result["notes"]]
    return section("notes", "What has to be known", *notes) if notes else None


def _reading() -> Element:
    words = [child for term, its in _READING for child in (el("dt", term), el("dd", its))]
    return section("reading", "How to read it", el("dl", *words))
