"""A comparison as one page: its bars, each measure of each program, and which differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from tracer.output.format import Result
from tracer.output.html.elements import Child, el, section, table
from tracer.output.html.plain import plain
from tracer.output.svg.bars import bars
from tracer.output.terminal import compare
from tracer.output.units import MISSING, clean

_MORE = (
    ("threads", "of the program, as traced"),
    ("memory", "what the program had for itself alone (RssAnon) when its loop began"),
)


def page(result: Result) -> Iterator[str]:
    """The page in pieces."""
    models: Sequence[Result] = result.get("models") or []
    labels = compare.labels(models)
    said = [line for line in map(str, compare.head(result, 120)) if line.strip()]
    parts = (
        bars(result),
        _measures(models, labels),
        section("differences", "Which differ", *_differing(result, models, labels)),
        _pairs(result),
        _reading(),
    )
    yield from plain("compare", said, [part for part in parts if part is not None])


def _titles() -> Iterator[tuple[str, str]]:
    """Of each measure that a terminal's table has too, its name there and its name here."""
    whole = {measure: title for title, measure in compare.RANKED}
    yield from ((title, whole.get(measure, title)) for title, measure in compare.COLUMNS)


def _measures(models: Sequence[Result], labels: Sequence[str]) -> Element:
    titles = (*compare.COLUMNS, *(its for its in compare.RANKED if its not in compare.COLUMNS))
    columns = list({measure: title for title, measure in titles}.items())
    rows: list[list[Child]] = [
        [label, *(compare.told(model, measure) for measure, _ in columns)]
        for model, label in zip(models, labels, strict=True)
    ]
    heads = ("program", *(title for _, title in columns))
    caption = "Medians of the runs' values, ± half the distance from the least to the greatest"
    return section("measures", "Measures", table(heads, rows, caption))


def _differing(
    result: Result, models: Sequence[Result], labels: Sequence[str]
) -> Iterator[Element]:
    words = compare.brackets(result, models, labels)
    yield el("p", "From the least to the greatest; two in one bracket are not told apart.")
    if few := compare.too_few(result):
        yield el("p", f"{few}.")
    yield el("dl", *(child for its in words for child in (el("dt", its[0]), el("dd", its[1]))))


def _pairs(result: Result) -> Element | None:
    """Those that differ, with sizes."""
    rows: list[list[Child]] = [
        [
            pair["measure"].removesuffix("_ns").replace("_", " "),
            _who(pair["one"]),
            _who(pair["other"]),
            compare.value(pair["measure"], abs(pair["effect"])),
            "more" if pair["effect"] > 0 else "less",
            " to ".join(_signed(pair["measure"], its) for its in pair["interval"] or []) or MISSING,
            f"{pair['p']:.2g}",
        ]
        for pair in result.get("differences") or []
        if pair["differs"]
    ]
    if not rows:
        return None
    heads = ("measure", "one", "other", "other has", "", "99% interval", "p")
    return section("pairs", "Pairs that differ", table(heads, rows, "Pairs that differ", 3))


def _who(pair: Sequence[str]) -> str:
    return clean(pair[0]) + (" in C" if pair[1] == "c" else "")


def _signed(measure: str, by: float) -> str:
    return f"{'−' if by < 0 else '+'}{compare.value(measure, abs(by))}"


def _reading() -> Element:
    """What the table's columns are, by their names."""
    meanings = dict(compare.LEGEND)
    rows = [(title, meanings[short]) for short, title in _titles() if short in meanings]
    rows += [*_MORE, ("±", meanings["±"])]
    words = [child for term, its in rows for child in (el("dt", term), el("dd", its))]
    return section("reading", "How to read it", el("dl", *words))
