"""Wake-ups in waiting calls, and how many were for nothing, as sentences; speaks to no kernel interface."""

from __future__ import annotations

from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import entry
from tracer.output.units import clean, number, plural, share


def of_report(report: Result, width: int = 80) -> list[Text]:
    """One entry for each call in which several threads, or one for nothing, were woken; nothing where there is none."""
    lines = []
    for call in report.get("wakeups") or []:
        nothing = (call.get("slept_again") or 0) + (call.get("found_nothing") or 0)
        if not nothing and (call.get("threads") or 0) < 2:
            continue
        text = (
            f"{number(call.get('woken'))} in {plural(call.get('threads'), 'thread')}; "
            f"{plural(call.get('returned'), 'call')} returned. "
        )
        text += (
            (
                f"{number(nothing)} ({share(nothing, call.get('woken'))}) were for nothing: "
                f"{number(call.get('slept_again'))} slept again inside the call, "
                f"{number(call.get('found_nothing'))} found EAGAIN."
            )
            if nothing
            else "None was for nothing."
        )
        lines += entry(clean(call.get("call")), text, width)
    return lines
