"""A comparison for a terminal of fewer than 80 columns: what each program took, and the models side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from tracer.output import phase_names, rounds
from tracer.output.figure.models import PHASES
from tracer.output.format import Result
from tracer.output.terminal import models as side_by_side
from tracer.output.terminal.lines import entry, rule
from tracer.output.terminal.narrow import NARROWEST
from tracer.output.units import clean, duration, plural, share


def lines(result: Result, labels: Sequence[str], width: int) -> Iterator[Text]:
    """The lines, each of at most `width` cells; labels: the programs' names."""
    width = max(width, NARROWEST)
    models: Sequence[Result] = result.get("models") or []
    options, host = result.get("options") or {}, result.get("host") or {}
    head = f"iotrace compare, {plural(options.get('messages'), 'message')} of "
    head += f"{plural(options.get('size'), 'byte')}, {plural(rounds.made(result), 'run')} of each"
    for text in (head, f"Linux {clean(host.get('kernel'))}"):
        yield from map(Text, textwrap.wrap(text, width))
    if said := rounds.stopped(result):
        yield from entry("!! stopped", said, width)
    yield from rule("Medians", "", width)
    for model, label in zip(models, labels, strict=True):
        yield from entry(f"{label} " if len(label) > 10 else label, _told(model), width)
    yield from side_by_side.lines(models, labels, width)
    for other in result.get("unavailable") or []:
        yield from entry("!! not run", f"{clean(other['name'])}: {clean(other['why'])}", width)
    if lost := sum(model.get("lost") or 0 for model in models):
        yield from entry("!! lost", f"{plural(lost, 'event')}: counts are too low", width)
    yield Text("")
    more = "With 80 columns: calls, switches, memory, and which differ."
    yield from (Text(line, style="dim") for line in textwrap.wrap(more, width))


def _told(model: Result) -> str:
    """The phases that took time, and the CPU that waiting took."""
    copy = phase_names.of_contender(model)
    took = {name: _median(model, f"{name}_ns") for name in PHASES}
    parts = [
        f"{phase_names.shown(name, copy)} {duration(round(ns))}" for name, ns in took.items() if ns
    ]
    spent = _median(model, "waiting_cpu")
    return ", ".join([*parts, *([] if spent is None else [f"CPU {share(spent, 1)}"])])


def _median(model: Result, measure: str) -> float | None:
    spread = (model.get("measures") or {}).get(measure)
    median: float | None = spread["median"] if spread else None
    return median
