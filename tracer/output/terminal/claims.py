"""The claims and what became of them (docs/json.md) as text for a terminal; speaks to no kernel interface."""

from __future__ import annotations

import textwrap

from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import printed
from tracer.output.units import clean, number, plural

STYLES = {
    "holds": "green",
    "holds with a qualification": "yellow",
    "does not hold": "bold red",
    "cannot tell": "bold yellow",
    "cannot be tested here": "dim",
}
_INDENT = 10


def render(report: Result, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """`report` as text of lines of at most `width` cells, ending in a newline."""
    lines = [
        *_head(report),
        *(line for claim in report["claims"] for line in _claim(claim, width)),
        *_foot(report, width),
    ]
    return printed(lines, width, color, unicode)


def _head(report: Result) -> list[Text]:
    host = report["host"]
    title = Text("iotrace  ", style="dim").append(
        plural(len(report["claims"]), "claim"), style="bold not dim"
    )
    title.append(
        f" of the textbooks, {plural(report['rounds'], 'round')} of what is compared",
        style="not dim",
    )
    place = f"Linux {clean(host['kernel'])} {clean(host['arch'])}, {plural(host['cpus'], 'CPU')}"
    return [title, Text(place, style="dim")]


def _claim(claim: Result, width: int) -> list[Text]:
    """A rule with the number and the verdict, the sentence, and what supports the verdict."""
    verdict = claim["verdict"]
    left = f"── {claim['number']}  {claim['name']} "
    rule = Text(left, style="dim").append(
        "─" * max(1, width - len(left) - len(verdict) - 1), style="dim"
    )
    lines = [Text(""), rule.append(" ").append(verdict, style=f"{STYLES[verdict]} not dim")]
    lines += [Text(line, style="bold") for line in textwrap.wrap(claim["claim"], width)]
    lines += _labelled("measured", claim["evidence"], width)
    lines += _labelled(
        "but" if verdict == "holds with a qualification" else "because",
        claim["qualification"],
        width,
    )
    lines += _labelled(
        "without",
        "; ".join(f"{name}: {why}" for name, why in claim["without"].items())
        if claim["evidence"]
        else "",
        width,
    )
    lines += _labelled("source", claim["source"], width, "dim")
    return lines + _labelled("see", _pointer(claim["runs"]), width, "dim")


def _pointer(runs: list[Result]) -> str:
    """The command that shows the first of the runs, and the number of the others."""
    recordings = [path for run in runs for path in run["recordings"]]
    shown_command = f"iotrace report {recordings[0]}" if recordings else runs[0]["command"]
    others = len(recordings or runs) - 1
    return f"{shown_command}  (and {number(others)} more: --json)" if others else shown_command


def _labelled(label: str, text: str | None, width: int, style: str = "") -> list[Text]:
    if not text:
        return []
    lines = textwrap.wrap(clean(text), width - _INDENT, break_on_hyphens=False)
    return [
        Text(f"{label if not i else '':<{_INDENT}}", style="dim").append(
            line, style=style or "not dim"
        )
        for i, line in enumerate(lines)
    ]


def _foot(report: Result, width: int) -> list[Text]:
    ledger = report["ledger"]
    words = [
        f"{number(count)} {_FOOT[verdict][count != 1]}"
        for verdict, count in report["verdicts"].items()
        if count
    ]
    missed = "unknown" if ledger["missed"] is None else number(ledger["missed"])
    lines = [Text(""), Text("─" * width, style="dim"), Text(", ".join(words) + ".", style="bold")]
    lines += [
        Text(line)
        for line in textwrap.wrap(
            "Numbers are medians over the rounds, with the least and the greatest behind them where they differ. Two "
            "values differ where a permutation test of the rounds says so (p of 0.01 at most), as in iotrace diff.",
            width,
        )
    ]
    lines += _labelled(
        "ledger",
        f"{number(ledger['counted'])} events counted = {number(ledger['delivered'])} "
        f"delivered + {number(ledger['lost'])} lost; {missed} missed",
        width,
    )
    if report["interrupted"]:
        lines += _labelled(
            "STOPPED", "interrupted: judged by the runs that were made", width, "bold"
        )
    for failed in report["failed"]:
        lines += _labelled("FAILED", failed, width, "bold red")
    return lines


_FOOT = {
    "holds": ("holds", "hold"),
    "holds with a qualification": ("with a qualification", "with a qualification"),
    "does not hold": ("does not hold", "do not hold"),
    "cannot tell": ("cannot be told: this machine is too busy",) * 2,
    "cannot be tested here": ("cannot be tested here", "cannot be tested here"),
}
