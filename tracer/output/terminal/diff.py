"""A difference (docs/schema/diff.schema.json) as text: what differs first, then all side by side; of fewer than 80
columns as a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import INDENT, LOUD, NARROWEST, entry, fit, printed, rule, wrap
from tracer.output.terminal.narrow import NARROWEST as LEAST
from tracer.output.units import MISSING, clean, duration, plural

WHAT, CELL = 25, 11
_DIFFERS = "  differs"
LEAST_COUNT = 0.5  # a message: fewer of a call, the same on both sides, are shown with -v alone
_RULES = {
    "floor": "by the floor",
    "usual": "in most operations",
    "exact": "exactly",
    "shown": "",
    "test": "",
}


def render(
    result: Result,
    width: int = 80,
    verbose: bool = False,
    color: bool = False,
    unicode: bool = True,
) -> str:
    """`result` (tracer/report/difference) as text of lines of at most `width` cells, ending in a newline."""
    width = max(width, LEAST)
    lines = [
        *_head(result, width),
        *_differences(result, width),
        *_side_by_side(result, width, verbose),
        *_notes(result, width),
    ]
    return printed(lines, width, color, unicode)


def _head(result: Result, width: int) -> Iterator[Text]:
    yield Text().append("iotrace  ", style="dim").append("diff", style="bold")
    for side in ("a", "b"):
        runs = result[side]
        counts = [run["operations"] for run in runs] or [0]
        many = plural(counts[0], "operation")
        if len(set(counts)) > 1:
            many = f"{min(counts):,} to {max(counts):,} operations"
        several = f"{plural(len(runs), 'run')} of {many}: " if len(runs) > 1 else f"{many}: "
        yield from entry(side.upper(), several + names(runs), width)
    yield Text("")


def names(runs: Sequence[Result]) -> str:
    """A run's path; of several the first and the last."""
    if not runs:
        return MISSING
    first, last = (clean(runs[place]["name"]) for place in (0, -1))
    between = " … " if len(runs) > 2 else ", "
    return first if len(runs) == 1 else f"{first}{between}{last.rpartition('/')[2]}"


def _differences(result: Result, width: int) -> Iterator[Text]:
    told = [line for line in result["measures"] if line["differs"]]
    if not told:
        yield Text("No difference is told.", style="bold")
        return
    yield Text(f"They differ in {plural(len(told), 'measure')}.", style="bold yellow")
    yield from rule("What differs", _remark(result) if width >= NARROWEST else "", width)
    for line in told:
        yield from _told(line, width)


def _remark(result: Result) -> str:
    return "effect [its 99% interval], p" if result["how"] == "sets" else "A → B"


def _told(line: Result, width: int) -> Iterator[Text]:
    name = place(line["where"], line["what"])
    if line["unit"] == "word":
        yield from _labelled(name, f"A: {said(line, line['a'])}", width)
        yield from _labelled("", f"B: {said(line, line['b'])}", width)
        return
    words = [f"{said(line, line['a'])} → {said(line, line['b'])}"]
    if line["effect"] is not None:
        words.append(effect(line))
    # a number is not parted from its letter at the end of a line
    words.append(f"p\u00a0{chance(line['p'])}" if line["p"] is not None else _RULES[line["rule"]])
    yield from _labelled(name, "  ".join(filter(None, words)), width)


def _labelled(label: str, body: str, width: int) -> Iterator[Text]:
    what = WHAT if width >= NARROWEST else min(WHAT, width // 2)
    if len(label) >= what:
        yield Text(fit(label, width).rstrip(), style="bold")
        label = ""
    for index, text in enumerate(wrap(body, width - what)):
        yield Text(fit(label if index == 0 else "", what), style="bold").append(
            text, style="not bold"
        )


def place(where: Result, what: str = "") -> str:
    """'fetching p50', 'nginx: fetching p50', 'nginx, TCP, port 80: …'."""
    parts = [clean(its) for its in (where["process"], where["descriptor"]) if its]
    return f"{', '.join(parts)}: {what}" if parts and what else what or ", ".join(parts)


def said(line: Result, value: Any) -> str:
    """A value in its unit."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return clean(value)
    if line["unit"] == "ns":
        return duration(value) if value else "0"
    if line["unit"] == "share":
        return f"{100 * value:.1f}%"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def effect(line: Result) -> str:
    """'+20 µs [19.6 µs, 20.3 µs]'."""
    by = signed(line, line["effect"])
    if not line["interval"]:
        return by
    return f"{by} [{', '.join(signed(line, its) for its in line['interval'])}]"


def signed(line: Result, value: float) -> str:
    """A change in its unit."""
    return f"{'−' if value < 0 else '+'}{said(line, abs(value))}" if value else "0"


def chance(p: float) -> str:
    """'0.0079'."""
    return f"{p:.2g}"


def least(line: Result) -> str:
    """From where on a shift would have been told: of what is the same in all runs, any."""
    if line["least"] is None:
        return MISSING
    return said(line, line["least"]) if line["least"] else "any"


def _side_by_side(result: Result, width: int, verbose: bool) -> Iterator[Text]:
    wide = width >= NARROWEST
    remark = "medians of the runs" if result["how"] != "one run each" else ""
    yield from rule("Side by side", remark if wide else "A → B, effect", width)
    head = fit("", WHAT) + "".join(its.rjust(CELL) for its in ("A", "B", "effect", "told from"))
    if wide:
        yield Text(head, style="dim")
    where = None
    for line in shown(result["measures"], verbose):
        if line["where"] != where and any(line["where"].values()):
            yield Text(fit(place(line["where"]), width).rstrip(), style="bold")
        where = line["where"]
        yield from (_row if wide else _item)(line, width)


def shown(measures: Sequence[Result], verbose: bool) -> list[Result]:
    """The measures that a table shows: of counts the ones that matter, of what has no phase nothing."""
    return [line for line in measures if verbose or line["differs"] or _matters(line)]


def _matters(line: Result) -> bool:
    if line["unit"] == "word":
        return True
    most = max((its for its in (line["a"], line["b"]) if isinstance(its, int | float)), default=0)
    return most >= LEAST_COUNT if line["unit"] == "count" else most > 0


def _item(line: Result, width: int) -> Iterator[Text]:
    """A measure in a list: where from on a shift would have been told is left out."""
    a, b = said(line, line["a"]), said(line, line["b"])
    words = [a if a == b else f"{a} → {b}"]
    words += [signed(line, line["effect"])] if line["effect"] else []
    words += [_DIFFERS.strip()] if line["differs"] else []
    yield from _labelled(line["what"], "  ".join(words), width)


def _row(line: Result, width: int) -> Iterator[Text]:
    if line["unit"] == "word":
        same = line["a"] == line["b"]
        words = (
            said(line, line["a"]) if same else f"{said(line, line['a'])} / {said(line, line['b'])}"
        )
        for index, text in enumerate(wrap(words, width - WHAT - 2 - len(_DIFFERS))):
            row = Text(fit(line["what"] if index == 0 else "", WHAT)).append("  " + text)
            yield row.append("" if same or index else _flag(line), style="bold yellow")
        return
    row = Text(fit(line["what"], WHAT - 1) + " ")
    for value in (line["a"], line["b"]):
        row.append(fit_right(said(line, value)))
    by = line["effect"]
    row.append(fit_right(signed(line, by) if by is not None else MISSING))
    row.append(fit_right(least(line)), style="dim")
    yield row.append(_flag(line), style="bold yellow")


def _flag(line: Result) -> str:
    return _DIFFERS if line["differs"] else ""


def fit_right(text: str) -> str:
    """At the right of a cell."""
    return text.rjust(CELL)


def _notes(result: Result, width: int) -> Iterator[Text]:
    # for B − A of the columns is another number
    its = "operations" if result["how"] == "one run each" else "runs"
    meaning = (
        f"effect: how much B lies above A, the median of all differences between {its} of both"
    )
    yield Text("")
    for note in (meaning, *result["notes"]):
        loud = LOUD if " lost " in note else ""
        yield from (
            Text(text, style=loud or "dim") for text in wrap(f"{note}.", max(width, INDENT))
        )
