"""What a report says of any program: processes, descriptors and advice as tables and text; speaks to no kernel
interface."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from tracer.output.format import Result
from tracer.output.terminal.lines import entry, fit
from tracer.output.terminal.tables import fitted, more
from tracer.output.units import MISSING, clean, duration, number, plural, share

MOST_PROCESSES, MOST_DESCRIPTORS, MOST_ADVICE = 12, 12, 8
_ALIKE = 4  # connections from one address that become one line
_FILES = "files"
_ADDED = (
    "operations",
    "receives",
    "received_messages",
    "received_bytes",
    "received_unmeasured",
    "looks",
    "sends",
    "sent_messages",
    "sent_bytes",
    "sent_unmeasured",
    "sends_blocked",
    "accepts",
    "connects",
    "accept_slept_ns",
    "connect_slept_ns",
    "wait_ns",
    "notice_ns",
    "copy_ns",
)  # counts: what can be added up
_IO_THREAD = re.compile(
    r"^(iou-(?:sqp|wrk))-\d+"
)  # io_uring's, that count as threads of the process
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size(count: int | None) -> str:
    """Bytes with three significant digits: '912 B', '1.21 MiB'."""
    if count is None:
        return MISSING
    for scale, unit in _SIZES:
        if count >= scale:
            value = count / scale
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return f"{count} B"


def processes(report: Result, width: int = 80, most: int | None = None) -> Table | Text:
    """One line a process, and one for each group of its threads where they have several names: the I/O model of its
    operations, and what its threads spent most of their time on."""
    listed = report.get("processes") or []
    if not listed:
        return Text("no process was seen", style="yellow")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    numbers = ("pid", "threads", "operations")
    for name in ("pid", "name", "threads", "operations", "model", "its threads were mostly"):
        justify: JustifyMethod = "right" if name in numbers else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")
    count = 0
    for process in listed[:MOST_PROCESSES]:
        groups = process.get("groups") or []
        if most is not None and count and table.row_count + 1 + len(groups) > most:
            break
        count += 1
        table.add_row(str(process.get("tgid") or MISSING), *_process(process))
        for group in groups if most is None else groups[: max(most - 1, 0)]:
            table.add_row("", *_process(group, "  "))
    return fitted(more(table, len(listed) - count, "process"), width)


def _process(threads: Result, indent: str = "") -> tuple[str, ...]:
    doing, model = threads.get("activity") or {}, threads.get("model") or {}
    mostly = (
        f"{doing['mostly']} {share(doing.get('share'), 1)}"
        if doing.get("mostly")
        else "this and that"
    )
    name = (
        model.get("instead")
        or (model.get("name") if threads.get("operations") else None)
        or MISSING
    )
    idle = f" ({doing['idle_threads']} idle)" if doing.get("idle_threads") else ""
    thread_name = _IO_THREAD.sub(r"\1 (kernel)", clean(threads.get("name") or MISSING))
    return (
        indent + thread_name,
        f"{number(threads.get('threads'))}{idle}",
        number(threads.get("operations")),
        name,
        mostly,
    )


def descriptors(report: Result, width: int = 80, most: int = MOST_DESCRIPTORS) -> list[Text]:
    """Two lines each: what the descriptor is; then how much went over it, where the time of its receives went, and how
    many of its sends had to wait. Connections that have one address in common are one."""
    rows = _grouped(report.get("descriptors") or [])
    if not rows:
        return [
            Text(
                "no call and no completion was seen to receive, send, accept or connect",
                style="yellow",
            )
        ]
    columns = ("in", "bytes", "wait", "notice", "copy", "out", "bytes", "blocked")
    lines = [Text("".join(f"{column:>10}" for column in columns), style="dim")]
    for row in rows[:most]:
        into, out = row["receives"], row["sends"]
        times = [
            duration(row[name], fixed=True) if row["operated"] else MISSING
            for name in ("wait_ns", "notice_ns", "copy_ns")
        ]
        words = [
            number(into or None),
            _moved(row, "received") if into else MISSING,
            *times,
            number(out or None),
            _moved(row, "sent") if out else MISSING,
            number(row["sends_blocked"] if out else None),
        ]
        label = row["label"] + _beside(row)
        lines += [
            Text(fit(label, width).rstrip(), style="bold"),
            Text("".join(f"{word:>10}" for word in words)),
        ]
    if len(rows) > most:
        hidden = plural(len(rows) - most, "descriptor")
        lines.append(Text(f"and {hidden} more, in --json", style="dim italic"))
    return lines


def _moved(row: Result, verb: str) -> str:
    """The bytes that were received or sent; "≥" where those of some messages are not known, "?" of all."""
    unknown = row[f"{verb}_unmeasured"]
    if unknown and unknown == row[f"{verb}_messages"]:
        return "?"
    return ("≥ " if unknown else "") + size(row[f"{verb}_bytes"])


def _beside(row: Result) -> str:
    """What else a descriptor was used for: connections, messages of which one call took several, looks at data."""
    words = [f"{plural(row['accepts'], 'connection')} accepted"] if row["accepts"] else []
    words += [
        f"{number(row[f'{verb}_messages'])} messages {verb}"
        for verb, calls in (("received", "receives"), ("sent", "sends"))
        if row[f"{verb}_messages"] > row[calls]
    ]
    words += [f"{plural(row['looks'], 'look')} at data that stayed"] if row["looks"] else []
    return "".join(f"  {text}" for text in words)


def accepted(report: Result, width: int = 80) -> list[Text]:
    """How many connections were accepted and made; nothing where there were none."""
    listed = report.get("descriptors") or []
    parts = [
        f"{plural(count, 'connection')} {verb}"
        for key, verb in (("accepts", "accepted"), ("connects", "made"))
        if (count := _total(listed, key))
    ]
    blocked = _total(listed, "accept_slept_ns") + _total(listed, "connect_slept_ns")
    asleep = f"; {duration(blocked)} asleep in those calls" if blocked else ""
    return entry("connections", ", ".join(parts) + asleep, width) if parts else []


def _grouped(descriptors: list[Result]) -> list[Result]:
    """Descriptors with their labels and their counts; those of one process that have an address in common, added up."""
    groups: dict[tuple[int | None, str], list[Result]] = defaultdict(list)
    for descriptor in descriptors:
        groups[descriptor.get("tgid"), _common(descriptor.get("file"))].append(descriptor)
    rows = []
    for (_, common), members in groups.items():
        if common and len(members) >= _ALIKE:
            most = max(members, key=lambda descriptor: descriptor.get("operations") or 0)
            rows.append(
                _added(
                    members,
                    f"{len(members):,}× {common}"
                    if common != _FILES
                    else f"{len(members):,} files, most of all {clean(most['file'])}",
                )
            )
        else:
            rows += [_added([descriptor], _label(descriptor)) for descriptor in members]
    return sorted(rows, key=lambda row: -row["operations"])


def _added(members: list[Result], label: str) -> dict[str, Any]:
    row = {key: _total(members, key) for key in _ADDED}
    return row | {
        "label": label,
        "operated": row["wait_ns"] + row["notice_ns"] + row["copy_ns"] > 0,
    }


def _total(members: list[Result], key: str) -> int:
    return sum(member.get(key) or 0 for member in members)


def _label(descriptor: Result) -> str:
    """Number and name; of a SysV message queue, which has no number, the name alone."""
    name = clean(descriptor.get("file") or "?")
    return name if name.startswith("SysV ") else f"{_number(descriptor)}<{name}>"


def _number(descriptor: Result) -> str:
    """The descriptor, or what stands for it where io_uring knows the file by an index of its own."""
    fd = descriptor.get("fd")
    return MISSING if fd is None else str(fd) if fd >= 0 else "registered "


def _common(file: str | None) -> str:
    """TCP:[127.0.0.1:80->*] of a connection to a server (the lower port is taken for the server's), "files" of what has
    a path, '' of others."""
    if (file or "").startswith("/"):
        return _FILES
    protocol, bracket, rest = (file or "").partition(":[")
    local, arrow, remote = rest.removesuffix("]").partition("->")
    if not (bracket and arrow and protocol.startswith(("TCP", "UDP"))):
        return ""
    local_port, remote_port = (int(address.rpartition(":")[2]) for address in (local, remote))
    return f"{protocol}:[{local}->*]" if local_port < remote_port else f"{protocol}:[*->{remote}]"


def advice(report: Result, width: int = 80) -> list[Text]:
    """What could be better, each with its evidence."""
    advice_list = report.get("advice") or []
    lines: list[Text] = []
    for index, advised in enumerate(advice_list[:MOST_ADVICE], 1):
        where = f", {_number(advised)}<{clean(advised['file'])}>" if advised.get("file") else ""
        cost = f" [{duration(advised['cost_ns'])}]" if advised.get("cost_ns") else ""
        process = f"{clean(advised.get('process') or MISSING)} {advised.get('tgid') or MISSING}"
        text = advised.get("text") or MISSING
        lines += entry(
            f"{index}.", f"{clean(advised.get('rule'))}: {process}{where}: {text}{cost}", width
        )
    if len(advice_list) > MOST_ADVICE:
        lines.append(Text(f"and {len(advice_list) - MOST_ADVICE} more, in --json", style="dim"))
    return lines


def wakers(report: Result, width: int = 80) -> list[Text]:
    """Who woke the threads of the process that used most CPU."""
    listed = report.get("processes") or []
    wakings = (listed[0].get("wakers") or []) if listed else []
    if not wakings:
        return []
    names = [
        " ".join(
            [clean(waker.get("name") or "thread"), *[str(waker["tid"])] * bool(waker.get("tid"))]
        )
        + f" {plural(waker.get('count'), 'time')}"
        for waker in wakings[:4]
    ]
    return entry(
        "woken by", f"{', '.join(names)} (of {clean(listed[0].get('name') or MISSING)})", width
    )
