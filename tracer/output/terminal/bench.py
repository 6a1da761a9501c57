"""The readiness benchmark (docs/schema/readiness.schema.json) as tables of 80 columns, N down and the calls across."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import LOUD, NARROWEST, entry, fit, printed, rule, wrap
from tracer.output.units import MISSING, clean, duration, number, plural

CALLS = ("select", "poll", "epoll-lt", "epoll-et", "io_uring")
KINDS = {
    "pipe": "pipes",
    "udp": "UDP sockets",
    "tcp": "TCP connections",
    "unix": "Unix sockets",
    "eventfd": "eventfds",
}
SPREAD = "medians of the rounds ± half their spread"
MEASURES = (
    ("cpu_ns", "CPU of an operation", SPREAD),
    ("wall_ns", "Wall time of an operation", SPREAD),
    ("in_call_ns", "Inside the call, as traced", "and its share of those runs' wall time"),
)
CELL, LABEL = 14, 10
Cell = Callable[[Result], str]


def render(result: Result, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """`result` (tracer/report/bench) as text of lines of at most `width` cells, ending in a newline."""
    width = max(width, NARROWEST)
    lines = [Text().append("iotrace  ", style="dim").append("bench readiness", style="bold")]
    for label, words in said(result):
        lines += entry(label, words, width)
    for measure, title, remark in MEASURES:
        lines += [*rule(title, remark, width), *_table(result, cell_of(measure))]
    remark = f"and as published for Linux {clean(result['published']['kernel'])}"
    lines += [*rule(ratio_title(result), remark, width), *_table(result, ratio)]
    lines += _notes(result, width)
    return printed(lines, width, color, unicode)


def said(result: Result) -> Iterator[tuple[str, str]]:
    """What was measured: (label, words)."""
    options = result["options"]
    ready = f"{number(options['active'])} of N made ready for each operation"
    churn = "; each then ends, and another is watched in its place" if options["churn"] else ""
    yield "watched", f"N {KINDS[options['fd']]}, {ready}{churn}"
    yield "operation", "learns by the call which are ready, and reads them; nothing sleeps"
    rounds = plural(result["rounds"], "round")
    if result["interrupted"]:
        rounds += f" of {options['rounds']}, interrupted"
    yield "rounds", f"{rounds}, each without probes and traced; Linux {result['host']['kernel']}"


def sizes(result: Result) -> list[int]:
    """The numbers of descriptors that were measured."""
    return sorted({row["n"] for row in result["rows"]})


def rows_of(result: Result, n: int) -> list[Result | None]:
    """The row of each call in CALLS, None where it was not measured."""
    found = {row["call"]: row for row in result["rows"] if row["n"] == n}
    return [found.get(call) for call in CALLS]


def cell_of(measure: str) -> Cell:
    """How a measure is told: '1.31 µs ±4%'; of what was traced '1.2 µs 93%'."""

    def cell(row: Result) -> str:
        value, ends = row[measure], row["spread"][measure]
        if value is None:
            return MISSING
        if measure == "in_call_ns" and row["traced_wall_ns"]:
            return f"{duration(value)} {100 * value / row['traced_wall_ns']:.0f}%"
        if not value or not ends or ends[0] == ends[1]:  # of one round
            return duration(value)
        return f"{duration(value)} ±{min(999, 50 * (ends[1] - ends[0]) / value):.0f}%"

    return cell


def ratio(row: Result) -> str:
    """How many times as much CPU as with the fewest, and as published: '812× (1,274×)'."""
    shown = [_times(row[key]) for key in ("ratio", "published_ratio") if row[key] is not None]
    if not shown:
        return MISSING
    return shown[0] + (f" ({shown[1]})" if len(shown) > 1 else "")


def ratio_title(result: Result) -> str:
    least = min(sizes(result), default=0)
    return f"CPU to that with {number(least)}"


def _times(value: float) -> str:
    return f"{value:,.0f}×" if value >= 10 else f"{value:.1f}×"


def _table(result: Result, cell: Cell) -> Iterator[Text]:
    yield Text("N".rjust(LABEL - 2) + "".join(call.rjust(CELL) for call in CALLS), style="dim")
    for n in sizes(result):
        line = Text(number(n).rjust(LABEL - 2), style="bold")
        for row in rows_of(result, n):
            line.append(fit((cell(row) if row else MISSING).rjust(CELL), CELL), style="not bold")
        yield line


def notes(result: Result) -> Iterator[str]:
    """What has to be known."""
    for its in result["left_out"]:
        what = its["call"] or f"N = {number(its['n'])}"
        yield f"{what} is left out: {clean(its['why'])}"
    if result["lost"]:
        lost = plural(result["lost"], "event")
        yield f"{lost} lost: those traced rounds are not counted"
    yield f"published: {clean(result['published']['source'])}"


def _notes(result: Result, width: int) -> Sequence[Text]:
    lines = [Text("")]
    for note in notes(result):
        loud = LOUD if " lost" in note else "dim"
        lines += [Text(text, style=loud) for text in wrap(f"{note}.", width)]
    return lines
