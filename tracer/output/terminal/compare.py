"""A comparison (docs/schema/compare.schema.json) as a table of 80 columns, bars, and what differs: text alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from tracer.output import rounds
from tracer.output.format import Result
from tracer.output.machine import bound
from tracer.output.terminal import models as side_by_side
from tracer.output.terminal import narrow_compare
from tracer.output.terminal.brackets import groups
from tracer.output.terminal.header import PROTOCOLS
from tracer.output.terminal.lines import LOUD, NARROWEST, entry, fit, fitted, printed, wrap
from tracer.output.units import MISSING, clean, duration, plural, size, stacked

PHASES = (
    ("notice_ns", "░", "yellow"),
    ("copy_ns", "▓", "magenta"),
    ("completion_ns", "█", "green"),
)
COLUMNS = (
    ("wait", "wait_ns"),
    ("notice", "notice_ns"),
    ("copy", "copy_ns"),
    ("compl.", "completion_ns"),
    ("CPU", "waiting_cpu"),
    ("calls", "calls"),
    ("switch", "switches"),
)
RANKED = (
    ("notice", "notice_ns"),
    ("copy", "copy_ns"),
    ("completion", "completion_ns"),
    ("CPU", "waiting_cpu"),
    ("calls", "calls"),
    ("switches", "switches"),
    ("threads", "threads"),
    ("memory", "anonymous_bytes"),
)
NAME, CELLS, MEANWHILE, POSIX, BAR = 17, 7, 6, 6, 44
_MOST = 1e30  # of any measure, so that sums stay finite
_POSIX_SAYS = {True: "sync", False: "async", None: MISSING}
# a line for each column, in the table's order
LEGEND = (
    ("wait", "from asking to the data's being there: the sender's pace"),
    ("notice", "from there until the copy begins"),
    ("copy", "until the data is in the program's buffer"),
    ("compl.", "until the program knows, where it was not itself that copied"),
    ("CPU", "spent on waiting, of the time in which there was one to be had"),
    ("calls", "system calls a message"),
    ("switch", "context switches a message"),
    ("doing", "the asking thread, for most of the wait: asleep, asking, or free"),
    ("POSIX", "sync: asking waits for the data, or copies it; async: neither"),
    ("±", "half the distance from the least run to the greatest"),
)


def render(result: Result, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """`result` (tracer/report/comparison.py) as text of lines of at most `width` cells, ending in a newline."""
    models = result.get("models") or []
    names = labels(models)
    if width < NARROWEST:
        return printed(narrow_compare.lines(result, names, width), width, color, unicode)
    lines = [
        *head(result, width),
        *_table(models, names),
        *_legend(width),
        *_estimated(models, names, width),
        *side_by_side.lines(models, names, width),
        *_bars(models, names),
        *_cpu_bars(models, names),
        *_resources(models, names),
        *_ranks(result, models, names, width),
        *_unavailable(result, width),
    ]
    return printed(lines, width, color, unicode)


def labels(models: Sequence[Result]) -> list[str]:
    """The name of each model, with its language where only some are in C."""
    several = len({model.get("lang") for model in models}) > 1
    return [
        clean(model["name"]) + (" in C" if several and model["lang"] == "c" else "")
        for model in models
    ]


def head(result: Result, width: int) -> list[Text]:
    """What was asked, and where."""
    options, host = result.get("options") or {}, result.get("host") or {}
    langs = {model.get("lang") for model in result.get("models") or []}
    asked = [
        PROTOCOLS.get(options.get("proto") or "", clean(options.get("proto"))),
        f"{plural(options.get('messages'), 'message')} of {plural(options.get('size'), 'byte')}",
        f"one every {duration(options['interval_ns'])}"
        if options.get("interval_ns")
        else "no interval",
    ]
    if options.get("sockets"):
        asked[0] = f"{options['sockets']} × {asked[0]}"
    title = (
        Text()
        .append("iotrace  ", style="dim")
        .append("compare", style="bold")
        .append("  " + ", ".join(asked))
    )
    turns = ", ".join(
        [
            f"each run {plural(rounds.made(result), 'time')}, in turns",
            *(["in C"] if langs == {"c"} else []),
            *bound(options),
        ]
    )
    cpus = f", {plural(host['cpus'], 'CPU')}" if host.get("cpus") else ""
    place = f"Linux {clean(host.get('kernel'))} {clean(host.get('arch') or '')}{cpus}; {turns}"
    return [
        fitted(title, width),
        *(Text(line, style="dim") for line in wrap(place, width)),
        *(Text(line, style=LOUD) for line in wrap(rounds.stopped(result) or "", width)),
        *_apart(result.get("models") or [], width),
        Text(""),
    ]


def _apart(models: list[Result], width: int) -> list[Text]:
    """That some are in C alone and others in Python alone: what parts those may be the interpreter."""
    langs: dict[str, set[str]] = {}
    for model in models:
        langs.setdefault(model["name"], set()).add(model["lang"])
    python = [clean(name) for name, its in langs.items() if its == {"python"}]
    if not python or not any("c" in its for its in langs.values()):
        return []
    text = f"in Python alone: {', '.join(python)}; their times hold the interpreter's"
    return [Text(line, style="yellow") for line in wrap(text, width)]


def _table(models: list[Result], labels: list[str]) -> list[Text]:
    """Two lines for each: medians of the runs' values, and half the distance from the least to the greatest."""
    head = fit("", NAME) + "".join(title.rjust(CELLS) for title, _ in COLUMNS)
    lines = [Text(f"{head} {'doing':<{MEANWHILE}}{'POSIX':>{POSIX}}", style="dim")]
    for model, label in zip(models, labels, strict=True):
        row, spread = (Text(fit(cell, NAME), style="bold") for cell in (label[:NAME], label[NAME:]))
        for _, measure in COLUMNS:
            values = (model.get("measures") or {}).get(measure)
            row.append(value(measure, _median(model, measure)).rjust(CELLS), style="not bold")
            spread.append(_plus_minus(measure, values).rjust(CELLS), style="not bold dim")
        kind = _POSIX_SAYS[model.get("synchronous")]
        row.append(
            f" {clean(model.get('meanwhile') or MISSING):<{MEANWHILE}}{kind:>{POSIX}}",
            style="not bold",
        )
        lines += [row, spread]
    return lines


def _plus_minus(measure: str, values: Result | None) -> str:
    """Half the distance from the least to the greatest value, in two digits; '' where that is 0."""
    half = (min(values["max"], _MOST) - min(values["min"], _MOST)) / 2 if values else 0
    text = value(measure, float(f"{half:.2g}"))
    return f"±{text}" if any(digit in text for digit in "123456789") else ""


def value(measure: str, amount: float | None) -> str:
    """A measure in few cells: 31.2µs, 99.9%, 1.05, 4,214."""
    if amount is None:
        return MISSING
    if measure.endswith("_ns"):
        return duration(amount).replace(" ", "") if amount else "0"
    if measure == "waiting_cpu":
        return f"{100 * amount:.1f}%"
    if measure == "anonymous_bytes":
        return size(round(amount))
    return f"{amount:,.0f}" if amount >= 100 or measure == "threads" else f"{amount:.2f}"


def _legend(width: int) -> list[Text]:
    return [line for label, body in LEGEND for line in entry(label, body, width)]


def _estimated(models: list[Result], labels: list[str], width: int) -> list[Text]:
    """Which boundaries were estimated in most operations of which models."""
    estimated = {boundary for model in models for boundary in model.get("estimated") or []}
    words = []
    for boundary in sorted(estimated):
        affected = [
            label
            for model, label in zip(models, labels, strict=True)
            if boundary in (model.get("estimated") or [])
        ]
        words.append(
            f"{boundary} in {'all' if len(affected) == len(models) else ', '.join(affected)}"
        )
    why = "; where copy_start is, copy holds the receive from its entry, its thread's last switch-in, or readiness on"
    return (
        entry("~estimated", "; ".join(words) + why * ("copy_start" in estimated), width)
        if words
        else []
    )


def _rule(title: str, remark: str) -> list[Text]:
    line = Text().append("── ", style="dim").append(title, style="bold").append(" ")
    line.append("─" * max(NARROWEST - line.cell_len - len(remark) - 1, 1), style="dim")
    line.append(f" {remark}", style="dim")
    return [Text(""), line]


def _bars(models: list[Result], labels: list[str]) -> list[Text]:
    """From the data's being there until the program has it and knows, the longest as the whole bar."""
    totals = [sum(_median(model, measure) or 0 for measure, _, _ in PHASES) for model in models]
    longest = max(totals, default=0)
    lines = _rule("From ready to done", "░ notice  ▓ copy  █ completion")
    for model, label, total in zip(models, labels, totals, strict=True):
        line = Text(fit(label, NAME))
        cells = max(1, round(BAR * total / longest)) if longest and total else 0
        parts = [round(_median(model, measure) or 0) for measure, _, _ in PHASES]
        bars = stacked(parts, "".join(glyph for _, glyph, _ in PHASES), cells)
        for text, (_, _, style) in zip(bars, PHASES, strict=True):
            line.append(text, style=style)
        lines.append(line.append(f" {duration(total)}"))
    return lines


def _cpu_bars(models: list[Result], labels: list[str]) -> list[Text]:
    """The CPU that waiting took; what a free thread computes is another bar's beginning, its own work."""
    lines = _rule("CPU used while waiting", "█ on waiting, of the time waited")
    for model, label in zip(models, labels, strict=True):
        share = _median(model, "waiting_cpu") or 0
        line = Text(fit(label, NAME)).append("█" * round(BAR * min(share, 1)), style="red")
        line.append(f" {100 * share:.1f}%" if share else "0%")
        if model.get("meanwhile") == "free":
            line.append("  free: the CPU does its own work", style="dim")
        lines.append(line)
    return lines


def _resources(models: list[Result], labels: list[str]) -> list[Text]:
    """Threads, memory and time of each."""
    lines = _rule("Threads and memory", "memory: of its own, when the messages begin")
    lines.append(
        Text(f"{fit('', NAME)}{'threads':>9}{'memory':>12}{'':<10}{'time':>9}", style="dim")
    )
    for model, label in zip(models, labels, strict=True):
        line = Text(fit(label, NAME))
        for measure, cells, room in (
            ("threads", 9, 0),
            ("anonymous_bytes", 12, 10),
            ("elapsed_ns", 9, 10),
        ):
            values = (model.get("measures") or {}).get(measure)
            line.append(value(measure, _median(model, measure)).rjust(cells))
            line.append(f" {_plus_minus(measure, values)}".ljust(room)[:room], style="dim")
        lines.append(line)
    return lines


def _median(model: Result, measure: str) -> float | None:
    values = (model.get("measures") or {}).get(measure)
    return min(values["median"], _MOST) if values else None


def _ranks(result: Result, models: list[Result], labels: list[str], width: int) -> list[Text]:
    lines = _rule("Which differ", "two in one bracket are not told apart")
    for title, words in brackets(result, models, labels):
        lines += entry(title, words, width)
    return [*lines, *_too_few(result, width)]


def brackets(
    result: Result, models: Sequence[Result], labels: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Of each measure the programs from the least to the greatest, those that are not told apart in one bracket: two
    differ where no bracket holds both."""
    names = {
        (model["name"], model["lang"]): label for model, label in zip(models, labels, strict=True)
    }
    for title, measure in RANKED:
        known = [
            (median, model) for model in models if (median := _median(model, measure)) is not None
        ]
        ids = [
            (model["name"], model["lang"]) for _, model in sorted(known, key=lambda pair: pair[0])
        ]
        if len(ids) < 2:
            continue
        apart = {
            frozenset(map(tuple, (pair["one"], pair["other"])))
            for pair in result.get("differences") or []
            if pair["measure"] == measure and pair["differs"]
        }
        together = groups(ids, apart)
        told = " ".join(f"[{', '.join(names[its] for its in group)}]" for group in together)
        yield title, told if len(together) > 1 else "no difference is told"


def told(model: Result, measure: str) -> str:
    """A measure of a program, with its spread."""
    spread = _plus_minus(measure, (model.get("measures") or {}).get(measure))
    return " ".join(filter(None, (value(measure, _median(model, measure)), spread)))


def _too_few(result: Result, width: int) -> list[Text]:
    return entry("", said, width, "yellow") if (said := too_few(result)) else []


def too_few(result: Result) -> str:
    """Where so few runs could tell nothing, how many could; else empty."""
    made, needed = rounds.made(result), result.get("rounds_needed")
    if not made or not needed or made >= needed:
        return ""
    pairs = len(result["models"]) * (len(result["models"]) - 1) // 2
    said = f"{plural(made, 'run')} of each can tell nothing of {plural(pairs, 'pair')}: --rounds {needed} can"
    return said if pairs else ""


def _unavailable(result: Result, width: int) -> list[Text]:
    unavailable = result.get("unavailable") or []
    lines = [
        line
        for scenario in unavailable
        for line in entry(
            "",
            f"{clean(scenario['name'])}{' in C' if scenario['lang'] == 'c' else ''}: {clean(scenario['why'])}",
            width,
            "yellow",
        )
    ]
    lost = sum(model.get("lost") or 0 for model in result.get("models") or [])
    if lost:
        lines += entry(
            "!! lost",
            f"{plural(lost, 'event')}: counts above are too low",
            width,
            LOUD,
        )
    return [*_rule("Not compared", ""), *lines] if lines else []
