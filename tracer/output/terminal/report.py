"""The whole report for a terminal: figure, phases, threads, calls, verdict, ledger and cost as one string."""

from __future__ import annotations

import io
import textwrap

from rich.console import Console, RenderableType
from rich.text import Text

from tracer.output.terminal import (
    figure,
    histogram,
    lanes,
    locks,
    programs,
    tables,
    verdict,
    wakeups,
)
from tracer.output.terminal.units import bits, clean, duration, fit, number, plural, share, to_ascii

NARROWEST = 80
PROTOCOLS = {"udp": "UDP", "tcp": "TCP", "unix": "unix datagrams", "pipe": "pipe", "file": "file"}
ENDED = {
    "interrupted": "INTERRUPTED: this is what was captured until then",
    "timeout": "TIMED OUT: this is what was captured until then",
}
_HOW = {"interrupted": "until it was interrupted", "duration": "until -d was over"}


def render(
    report: dict, width: int = 80, hist: bool = False, color: bool = False, unicode: bool = True
) -> str:
    """`report` (design: the JSON of a run) as text of lines of at most `width` cells, ending in a newline.

    `hist` adds log2 histograms, `color` ANSI colours; without `unicode` everything is ASCII. Less than 80 columns
    are drawn as 80. Missing parts are said to be missing; nothing is raised for them.
    """
    width = max(width, NARROWEST)
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        no_color=not color,
        legacy_windows=False,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in _parts(report, width, hist):
        console.print(part, soft_wrap=isinstance(part, Text))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    text = "\n".join(lines).strip("\n") + "\n"
    return text if unicode else to_ascii_keeping_escapes(text)


def to_ascii_keeping_escapes(text: str) -> str:
    """ASCII for all but newlines, colour escapes being ASCII already."""
    return "\n".join(to_ascii(line) for line in text.split("\n"))


def _parts(report: dict, width: int, hist: bool) -> list[RenderableType]:
    parts: list[RenderableType] = [*_header(report, width)]
    about = report.get("operations") or (report.get("options") or {}).get("proto") != "none"
    if about and not (report.get("model") or {}).get(
        "instead"
    ):  # else receives are not what it is about
        parts += [Text(""), *figure.draw(report)]
        parts += _section("Phases", "ask → wait → ready → notice → copy → completion → done", width)
        parts.append(tables.phases(report, width))
        parts += verdict.queued(report, width)
    if hist:
        parts += _section("Histograms", "log2, in nanoseconds", width)
        parts += histogram.of_report(report, width)
    parts += _section("Threads", tables.states_legend(), width)
    parts.append(tables.threads(report, width))
    parts += tables.together(report, width)
    if not report.get("scenario"):
        parts += _programs(report, width)
    for title, part in (("On which CPU", lanes), ("Wake-ups", wakeups)):
        lines = part.of_report(report, width)
        parts += [*_section(title, "", width), *lines] if lines else []
    waits = locks.of_report(report, width)
    if waits is not None:
        parts += [*_section("Waits on futexes", "", width), waits]
    parts += _section("System calls", "", width)
    parts.append(tables.syscalls(report, width))
    signals = tables.signals(report, width)
    if signals is not None:
        parts += _section("Signals", "", width)
        parts.append(signals)
    parts += _section("Verdict", "", width)
    for piece in (verdict.verdict, verdict.estimates, verdict.oracle, verdict.ledger, verdict.cost):
        parts += piece(report, width)
    if not report.get("scenario") and report.get("advice"):
        parts += _section("Advice", "[cost]", width)
        parts += programs.advice(report, width)
    return parts


def _programs(report: dict, width: int) -> list[RenderableType]:
    """What a scenario, of which all this is known, needs not."""
    return [
        *_section("Processes", "", width),
        programs.processes(report, width),
        *programs.wakers(report, width),
        *_section("Descriptors", "in: received  out: sent", width),
        *programs.descriptors(report, width),
        *programs.accepted(report, width),
    ]


def _header(report: dict, width: int) -> list[Text]:
    """What ran, where, and a loud line where it did not run to its end."""
    options, host = report.get("options") or {}, report.get("host") or {}
    target = report.get("target") or {}
    what = clean(
        report.get("scenario") or " ".join(map(str, target.get("command") or [])) or "a program"
    )
    asked = []
    if options.get("lang") == "c":
        asked.append("in C")
    if options.get("proto") == "none":
        asked.append(plural(options.get("messages"), "round"))
    elif options.get("proto"):
        proto = PROTOCOLS.get(options["proto"], clean(options["proto"]))
        sockets = options.get("sockets") or 1
        asked.append(proto if sockets == 1 else f"{number(sockets)} × {proto}")
    if (
        report.get("scenario")
        and options.get("messages") is not None
        and options.get("proto") != "none"
    ):
        size = f" of {plural(options['size'], 'byte')}" if options.get("size") is not None else ""
        asked.append(plural(options["messages"], "message") + size)
        if options.get("interval_ns") is not None:
            asked.append(
                f"one every {duration(options['interval_ns'])}"
                if options["interval_ns"]
                else "no interval"
            )
    if options.get("open_loop"):
        asked.append("open loop")
    title = Text().append("iotrace  ", style="dim")
    title.append(what, style="bold").append("  " + ", ".join(asked) if asked else "")
    cpus = f", {plural(host['cpus'], 'CPU')}" if host.get("cpus") else ""
    place = (
        f"Linux {clean(host['kernel'])} {clean(host.get('arch') or '')}{cpus}"
        if host.get("kernel")
        else ""
    )
    lines = [Text(fit(title.plain, width)) if title.cell_len > width else title]
    if options.get("net"):
        lines.append(Text(_link(options["net"])))
    if place:
        lines.append(Text(fit(place, width).rstrip(), style="dim"))
    status = target.get("exit_status")
    alarms = (
        [ENDED[report["ended"]]] if report.get("scenario") and report.get("ended") in ENDED else []
    )
    if report.get("failure"):
        alarms.append(_failed(report))
    if not report.get("scenario"):
        lines += _of_program(report)
    elif status and report.get("ended") not in (*ENDED, "failed"):
        alarms.append(f"THE PROGRAM FAILED with exit status {status}")
    for alarm in alarms:
        lines += [
            Text(f"!! {part}".ljust(width), style=verdict.LOUD)
            for part in textwrap.wrap(alarm, width - 3)
        ]
    return lines


def _failed(report: dict) -> str:
    """What failed in iotrace itself, and what this report lacks for it."""
    lacks = (
        "TRACING ENDED EARLY, and this is what was captured until then"
        if report.get("ended") == "failed"
        else "NAMES AND CALLS STILL OPEN MAY BE MISSING, and nothing else"
    )
    return f"{lacks}: iotrace failed ({clean(report['failure'])})"


def _link(net: dict) -> str:
    """What carries the messages between two namespaces, and what it does to them."""
    words = [f"at most {bits(net['rate'])} a second"] if net.get("rate") else []
    words += [f"{duration(net['delay'])} later"] if net.get("delay") else []
    words += [f"{share(net['loss'], 1)} lost"] if net.get("loss") else []
    return f"through a veth link: {', '.join(words) or 'no limit'}"


def _of_program(report: dict) -> list[Text]:
    """How long a program was traced, what is left out, and how it ended."""
    target, options, window = (
        report.get("target") or {},
        report.get("options") or {},
        report.get("window_ns"),
    )
    words = [f"traced for {duration(window[1] - window[0])}"] if window else []
    attached = target.get("attached") or []
    if attached:
        words.append(
            f"attached to {plural(len(attached), 'process')}, "
            f"{plural(sum(its.get('threads') or 0 for its in attached), 'thread')}"
        )
    if report.get("ended") in _HOW:
        words.append(_HOW[report["ended"]])
    if target.get("exit_status"):
        words.append(f"exit status {target['exit_status']}")
    if options.get("follow") is False:
        words.append("what it started was not followed")
    lines = [Text(", ".join(words), style="dim")] if words else []
    if options.get("trace"):
        asked = " ".join(f"-e {clean(its)}" for its in options["trace"])
        lines.append(
            Text(
                f"{asked}: other calls are not in this report; their time counts as user",
                style="yellow",
            )
        )
    return lines


def _section(title: str, remark: str | Text, width: int) -> list[Text]:
    """A blank line and a rule with its title at the left and a remark at the right."""
    remark = Text(remark, style="dim") if isinstance(remark, str) else remark
    line = Text().append("── ", style="dim").append(title, style="bold").append(" ")
    tail = remark.cell_len + 1 if remark.cell_len else 0
    line.append("─" * max(width - line.cell_len - tail, 1), style="dim")
    if tail:
        line.append(" ").append_text(remark)
    return [Text(""), line]
