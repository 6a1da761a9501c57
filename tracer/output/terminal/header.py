"""The head of a report: what ran, where, and a loud line where it did not run to its end."""

from __future__ import annotations

from rich.text import Text

from tracer.output.format import Result
from tracer.output.machine import bound
from tracer.output.terminal.lines import alarm, fitted, wrap
from tracer.output.units import bits, clean, duration, number, plural, share

PROTOCOLS = {"udp": "UDP", "tcp": "TCP", "unix": "unix datagrams", "pipe": "pipe", "file": "file"}
ENDED = {
    "interrupted": "INTERRUPTED: this is what was captured until then",
    "timeout": "TIMED OUT: this is what was captured until then",
}
_REDACTED = "redacted: addresses, paths and arguments of commands were left out"
_HOW = {"interrupted": "until it was interrupted", "duration": "until -d was over"}


def lines(report: Result, width: int) -> list[Text]:
    """The head's lines, of at most `width` cells."""
    options = report.get("options") or {}
    return [
        fitted(_title(report), width),
        *([Text(_link(options["net"]))] if options.get("net") else []),
        *_place(report.get("host") or {}, options, width),
        *([Text(_REDACTED, style="yellow")] if report.get("redacted") else []),
        *(_of_program(report) if not report.get("scenario") else []),
        *(line for text in _alarms(report) for line in alarm(text, width)),
    ]


def title(report: Result) -> str:
    """The scenario or the command, and what was asked of it, where no columns part them."""
    return ": ".join(filter(None, (f"iotrace {_subject(report)}", ", ".join(_asked(report)))))


def _title(report: Result) -> Text:
    """The same with columns."""
    asked = _asked(report)
    line = Text().append("iotrace  ", style="dim").append(_subject(report), style="bold")
    return line.append("  " + ", ".join(asked) if asked else "")


def _subject(report: Result) -> str:
    command = (report.get("target") or {}).get("command") or []
    return clean(report.get("scenario") or " ".join(map(str, command)) or "a program")


def _asked(report: Result) -> list[str]:
    """In words: the language, what messages go through, and how many of what size are sent how fast."""
    options = report.get("options") or {}
    words = ["in C"] if options.get("lang") == "c" else []
    if options.get("proto") == "none":
        words.append(plural(options.get("messages"), "round"))
    else:
        words += _through(options) if options.get("proto") else []
        words += _messages(options) if report.get("scenario") else []
    return words + ["open loop"] * bool(options.get("open_loop"))


def _through(options: Result) -> list[str]:
    proto = PROTOCOLS.get(options["proto"], clean(options["proto"]))
    sockets = options.get("sockets") or 1
    return [proto if sockets == 1 else f"{number(sockets)} × {proto}"]


def _messages(options: Result) -> list[str]:
    if options.get("messages") is None:
        return []
    size = f" of {plural(options['size'], 'byte')}" if options.get("size") is not None else ""
    words = [plural(options["messages"], "message") + size]
    interval = options.get("interval_ns")
    if interval is not None:
        words.append(f"one every {duration(interval)}" if interval else "no interval")
    return words


def _place(host: Result, options: Result, width: int) -> list[Text]:
    """The kernel and the machine, and what of it both sides were bound to."""
    if not host.get("kernel"):
        return []
    cpus = f", {plural(host['cpus'], 'CPU')}" if host.get("cpus") else ""
    place = f"Linux {clean(host['kernel'])} {clean(host.get('arch') or '')}{cpus}"
    place = "; ".join((place, *bound(options)))
    return [Text(line, style="dim") for line in wrap(place, width)]


def _alarms(report: Result) -> list[str]:
    """What the reader must not overlook."""
    ended, scenario = report.get("ended"), report.get("scenario")
    status = (report.get("target") or {}).get("exit_status")
    alarms = [ENDED[ended]] if scenario and ended in ENDED else []
    if report.get("failure"):
        alarms.append(_failed(report))
    if scenario and status and ended not in (*ENDED, "failed"):
        alarms.append(f"THE PROGRAM FAILED with exit status {status}")
    return alarms


def _failed(report: Result) -> str:
    """What failed in iotrace itself, and what this report lacks for it."""
    lacks = (
        "TRACING ENDED EARLY, and this is what was captured until then"
        if report.get("ended") == "failed"
        else "NAMES AND CALLS STILL OPEN MAY BE MISSING, and nothing else"
    )
    return f"{lacks}: iotrace failed ({clean(report['failure'])})"


def _link(net: Result) -> str:
    """What carries the messages between two namespaces, and what it does to them."""
    words = [f"at most {bits(net['rate'])} a second"] if net.get("rate") else []
    words += [f"{duration(net['delay'])} later"] if net.get("delay") else []
    words += [f"{share(net['loss'], 1)} lost"] if net.get("loss") else []
    cards = [clean(name) for name in net.get("nics") or []]
    link = f"from {cards[1]} to {cards[0]}" if cards else "through a veth link"
    return f"{link}: {', '.join(words) or 'no limit'}"


def _of_program(report: Result) -> list[Text]:
    """How long a program was traced, what is left out, and how it ended."""
    expressions = (report.get("options") or {}).get("trace")
    words = _tracing(report)
    lines = [Text(", ".join(words), style="dim")] if words else []
    if expressions:
        asked = " ".join(f"-e {clean(expression)}" for expression in expressions)
        text = f"{asked}: other calls are not in this report; their time counts as user"
        lines.append(Text(text, style="yellow"))
    return lines


def _tracing(report: Result) -> list[str]:
    target, window = report.get("target") or {}, report.get("window_ns")
    words = [f"traced for {duration(window[1] - window[0])}"] if window else []
    attached = target.get("attached") or []
    if attached:
        threads = sum(process.get("threads") or 0 for process in attached)
        words.append(f"attached to {plural(len(attached), 'process')}, {plural(threads, 'thread')}")
    if report.get("ended") in _HOW:
        words.append(_HOW[report["ended"]])
    if target.get("exit_status"):
        words.append(f"exit status {target['exit_status']}")
    if (report.get("options") or {}).get("follow") is False:
        words.append("what it started was not followed")
    return words
