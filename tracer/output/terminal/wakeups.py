"""Wake-ups in waiting calls, and how many were for nothing, as sentences; speaks to no kernel interface."""

from __future__ import annotations

from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import entry
from tracer.output.units import clean, number, plural, share


def of_report(report: Result, width: int = 80) -> list[Text]:
    """One entry for each call in which several threads, or one for nothing, were woken; nothing where there is none."""
    lines = []
    for its in report.get("wakeups") or []:
        nothing = (its.get("slept_again") or 0) + (its.get("found_nothing") or 0)
        if not nothing and (its.get("threads") or 0) < 2:
            continue
        text = (
            f"{number(its.get('woken'))} in {plural(its.get('threads'), 'thread')}; "
            f"{plural(its.get('returned'), 'call')} returned. "
        )
        text += (
            (
                f"{number(nothing)} ({share(nothing, its.get('woken'))}) were for nothing: "
                f"{number(its.get('slept_again'))} slept again inside the call, "
                f"{number(its.get('found_nothing'))} found EAGAIN."
            )
            if nothing
            else "None was for nothing."
        )
        lines += entry(clean(its.get("call")), text, width)
    return lines
