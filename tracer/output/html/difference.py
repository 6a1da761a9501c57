"""A difference as one page: what differs, and every measure of both sides with each run as a dot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from tracer.output.format import Result
from tracer.output.html.elements import Child, el, section, table
from tracer.output.html.plain import plain
from tracer.output.terminal.diff import chance, effect, names, place, said, shown
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
        "say how much B lies above A (Hodges and Lehmann), and where that lies with at least 99 %. They are sizes, and "
        "no evidence.",
    ),
    ("Told from", "is the least shift that these runs would have shown."),
    ("Dots", "are runs: A above, B below, from the least of both to the greatest."),
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
    return section("differences", "What differs", table(heads, rows, "What differs"))


def _all(result: Result) -> Iterator[Element]:
    listed = shown(result["measures"], True)
    for number, (where, lines) in enumerate(groupby(listed, key=lambda line: place(line["where"]))):
        rows = [_row(line) for line in lines]
        heads = ("what", "A", "B", "B − A", "told from", "runs", "")
        title = where or "All of it"
        yield section(f"place-{number}", title, table(heads, rows, f"{title}: side by side"))


def _row(line: Result) -> list[Child]:
    least = said(line, line["least"]) if line["least"] is not None else MISSING
    return [
        line["what"],
        said(line, line["a"]),
        said(line, line["b"]),
        effect(line) if line["effect"] is not None else MISSING,
        least,
        _dots(line),
        "differs" if line["differs"] else "",
    ]


def _dots(line: Result) -> Element | None:
    """Each run's number, on one scale for both sides."""
    values = [*line["a_runs"], *line["b_runs"]]
    if not values:
        return None
    low, high = min(values), max(values)
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
