"""The rows before the operation: what was set up once, as the textbook's figure of signal-driven I/O begins."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.figure.rows import Figure, Row
from tracer.output.units import clean, duration

# what the kernel then does, in its column
_EFFECTS = {
    "O_ASYNC": "signals from now",
    "FIOASYNC": "signals from now",
    "F_SETOWN_EX": "has its owner",
    "FIOSETOWN": "has its owner",
    "SIOCSPGRP": "has its owner",
}


def rows(figure: Figure) -> Iterator[Row]:
    """A row for each call, in their order, then one that says how much later the operation began."""
    steps = figure.drawn.get("prelude") or []
    for step in steps:
        yield Row(
            None,
            application=f"{clean(step['name'])} {clean(step['what'])}",
            application_style="bold",
            arrow="call",
            label="system call",
            kernel=_effect(step["what"], step.get("value")),
            kernel_style="dim",
            earlier=True,
        )
    ask = figure.times["ask"]
    if steps:
        gap = f"{duration(ask - steps[-1]['at_ns'])} later" if ask is not None else "later"
        yield Row(
            None,
            application=f"… {gap}",
            application_style="dim",
            arrow="return",
            label="return",
            earlier=True,
        )


def _effect(what: str, value: str | None) -> str:
    if what == "F_SETOWN":
        return f"owner: {clean(value)}" if value else ""
    if what == "F_SETSIG":
        return f"sends {clean(value)}"
    return _EFFECTS.get(what, "has its handler")
