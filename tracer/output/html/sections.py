"""The parts of the page that are text and tables: what the terminal says, in its words, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol
from xml.etree.ElementTree import Element

from tracer.output import phase_names
from tracer.output.format import Result
from tracer.output.html.elements import Child, el, section, table
from tracer.output.terminal import header, verdict
from tracer.output.terminal.lines import INDENT
from tracer.output.units import duration, number, plural, share
from tracer.report.contract import NOTICE_SPANS, PHASES, STATES


class Line(Protocol):
    """A line of the terminal's."""

    @property
    def plain(self) -> str:
        """Without its style."""


ENDLESS = 100_000  # columns: no line is wrapped
MOST_ROWS = 200
_TIMES = ("min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns", "total_ns")


def head(report: Result) -> Element:
    """What ran where, and loud lines where it did not run to its end."""
    _, *others = (line.plain.strip() for line in header.lines(report, ENDLESS))
    return el(
        "header",
        el("h1", header.title(report)),
        *(el("p", line, class_="alarm" if line.startswith("!!") else "") for line in others),
    )


def verdict_section(report: Result) -> Element:
    """The model, why, what was estimated, and whether the workload says the same."""
    lines = [*verdict.verdict(report, ENDLESS), *verdict.estimates(report, ENDLESS)]
    return section("verdict", "Verdict", _entries([*lines, *verdict.oracle(report, ENDLESS)]))


def trust(report: Result) -> Element:
    """The ledger, what tracing cost, the sender's side, and where the machine sleeps."""
    told = (verdict.ledger, verdict.cost, verdict.latency, verdict.sender, verdict.machine)
    lines = [line for say in told for line in say(report, ENDLESS)]
    return section("trust", "Ledger and cost", _entries(lines))


def _entries(lines: Iterable[Line]) -> Element:
    """The terminal's entries as a list of terms and what is said of each."""
    children: list[Child] = []
    for line in lines:
        label, body = line.plain[:INDENT].strip(), line.plain[INDENT:].strip()
        if line.plain.startswith("!!"):
            children.append(el("dd", line.plain.strip(), class_="alarm"))
            continue
        if label:
            children.append(el("dt", label))
        children.append(el("dd", body))
    return el("dl", *children)


def phases(report: Result) -> Element:
    """Each phase's distribution, as a table; the charts are put beside it."""
    measured = report.get("phases") or {}
    rows: list[list[Child]]
    total = sum((measured.get(name) or {}).get("total_ns") or 0 for name in PHASES)
    copy = phase_names.copy_name(report)
    rows = [
        [
            _phase(name, copy),
            number(phase.get("count")),
            *(duration(phase.get(key)) if phase.get("count") else "–" for key in _TIMES),
            share(phase.get("total_ns"), total),
        ]
        for name in _with_parts(PHASES)
        if (phase := measured.get(name) or {})
    ]
    heads = ("phase", "count", "min", "p50", "p90", "p99", "max", "total", "share")
    said = (
        f"ask → wait → ready → notice → {copy} → completion → done; percentiles are times that were seen. Notice is in "
        "two parts: waking, until the program was told, and fetching, until it came to receive."
    )
    if copy != phase_names.COPY:
        said += f" The {copy}: {phase_names.MEANINGS[copy]}."
    words = [el("p", line) for _, line in _labelled(verdict.queued(report, ENDLESS))]
    charts = el("div", id="phase-charts", class_="charts")
    listed = table(heads, rows, "Each phase over all operations")
    return section("phases", "Phases", el("p", said), listed, *words, charts)


def _with_parts(names: Iterable[str]) -> Iterator[str]:
    """The phases, and behind notice its two parts."""
    for name in names:
        yield name
        yield from NOTICE_SPANS if name == "notice" else ()


def _phase(name: str, copy: str) -> Element:
    """A phase's name with its colour; a part of notice stands further in."""
    if name in NOTICE_SPANS:
        return el("span", f"· {name}", class_="part")
    return el("span", phase_names.shown(name, copy), class_=f"key {name}")


def _labelled(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    for line in lines:
        yield line.plain[:INDENT].strip(), line.plain[INDENT:].strip()


def slowest(report: Result) -> Element:
    """The slowest operations, each explained in a sentence."""
    entries = [_slow(report, its) for its in report.get("slowest") or []]
    if not entries:
        return section("slowest", "The slowest operations", el("p", "There is no operation."))
    return section("slowest", "The slowest operations", el("ol", *entries, class_="slowest"))


def _slow(report: Result, operation: Result) -> Element:
    times = operation["phases"]
    index = operation["index"]
    parts = phase_names.listed(times, phase_names.copy_name_at(report, index))
    told = "; ".join(reason["text"] for reason in operation["reasons"])
    return el(
        "li",
        el("strong", f"#{number(index)}: {duration(sum(times.values()))}"),
        f" ({parts}). ",
        f"{told[:1].upper()}{told[1:]}. " if told else "",
        el("button", "show it in the timeline", type="button", data_operation=index),
    )


def threads(report: Result) -> Element:
    """Where each thread's time went, with a bar."""
    listed: Sequence[Result] = report.get("threads") or []
    rows: list[list[Child]]
    heads = ("thread", "", *STATES, "CPU")
    rows = [
        [
            f"{thread.get('name') or '–'} ({thread.get('tid')})",
            _bar([thread.get(f"{state}_ns") or 0 for state in STATES]),
            *(duration(thread.get(f"{state}_ns")) for state in STATES),
            share(thread.get("cpu_ns"), _lifetime(thread)),
        ]
        for thread in listed[:MOST_ROWS]
    ]
    body = table(heads, rows, "Where each thread's time went", 2)
    return section("threads", "Threads", _state_legend(), body, _more(listed, "thread"))


def _lifetime(thread: Result) -> int:
    return sum(thread.get(f"{state}_ns") or 0 for state in STATES)


def _state_legend() -> Element:
    keys = [el("span", state, class_=f"key {state}") for state in STATES]
    return el("p", *(child for key in keys for child in (key, " ")), class_="legend")


def _bar(parts: list[int], names: Sequence[str] = STATES) -> Element:
    """Parts of a whole as a bar 100 wide."""
    whole = sum(parts) or 1
    said = ", ".join(
        f"{name} {share(part, whole)}" for name, part in zip(names, parts, strict=True)
    )
    bar = el("svg", viewBox="0 0 100 10", class_="bar", role="img", aria_label=said)
    bar.set("preserveAspectRatio", "none")
    x = 0.0
    for name, part in zip(names, parts, strict=True):
        width = 100 * part / whole
        bar.append(el("rect", x=f"{x:.2f}", width=f"{width:.2f}", height=10, class_=name))
        x += width
    return bar


def syscalls(report: Result) -> Element:
    """System calls by name, those with the largest total first."""
    listed: Sequence[Result] = report.get("syscalls") or []
    rows: list[list[Child]]
    longest = max((call.get("total_ns") or 0 for call in listed), default=0)
    rows = [
        [
            call["name"],
            _bar(
                [call.get("total_ns") or 0, longest - (call.get("total_ns") or 0)],
                ("kernel", "rest"),
            ),
            number(call.get("calls")),
            *(duration(call.get(key)) for key in ("p50_ns", "p99_ns", "max_ns", "total_ns")),
            ", ".join(f"{name} {number(n)}" for name, n in (call.get("errors") or {}).items()),
        ]
        for call in listed[:MOST_ROWS]
    ]
    heads = ("call", "time in it", "calls", "p50", "p99", "max", "total", "errors")
    body = table(heads, rows, "System calls, from entry to exit", 2)
    return section("syscalls", "System calls", body, _more(listed, "call"))


def descriptors(report: Result) -> Element | None:
    """How each descriptor was used; nothing where there is none."""
    listed: Sequence[Result] = report.get("descriptors") or []
    if not listed:
        return None
    rows = [
        [
            f"{its['fd']}",
            its.get("file") or "–",
            f"{its['tgid']}",
            *(number(its.get(key)) for key in ("receives", "received_bytes", "receive_again")),
            *(number(its.get(key)) for key in ("sends", "sent_bytes")),
            *(duration(its.get(f"{name}_ns")) for name in PHASES),
        ]
        for its in listed[:MOST_ROWS]
    ]
    heads = ("fd", "file", "process", "receives", "bytes", "EAGAIN", "sends", "bytes", *PHASES)
    body = table(heads, rows, "How each descriptor was used", 3)
    return section("descriptors", "Descriptors", body, _more(listed, "descriptor"))


def signals(report: Result) -> Element | None:
    """Signals by name; nothing where there was none."""
    keys = ("generated", "delivered", "taken", "merged", "overflowed")
    rows = [
        [its["name"], *(number(its.get(key)) for key in keys)]
        for its in report.get("signals") or []
    ]
    if not rows:
        return None
    heads = ("signal", "sent", "delivered", "taken", "merged", "overflowed")
    return section("signals", "Signals", table(heads, rows, "Signals"))


def advice(report: Result) -> Element | None:
    """What could be better, the dearest first; of a scenario nothing, since it is as it is on purpose."""
    told = [] if report.get("scenario") else report.get("advice") or []
    entries = [
        el(
            "li",
            f"{its.get('process') or 'process'} ({its['tgid']})",
            f", descriptor {its['fd']} {its.get('file') or ''}: " if its["fd"] >= 0 else ": ",
            its["text"],
            f". It cost {duration(its['cost_ns'])}." if its.get("cost_ns") else ".",
        )
        for its in told
    ]
    return section("advice", "Advice", el("ul", *entries)) if entries else None


def _more(listed: Sequence[Result], noun: str) -> Element | None:
    left = len(listed) - MOST_ROWS
    return el("p", f"… {plural(left, 'more ' + noun)} are not in this table.") if left > 0 else None
