"""The report's tables: phases, threads, system calls and signals; speaks to no kernel interface."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tracer.output import phase_names
from tracer.output.format import Result
from tracer.output.units import MISSING, clean, duration, number, plural, share, size, stacked
from tracer.report.contract import NOTICE_SPANS, PHASES, STATES

PHASE_STYLES = dict(zip(PHASES, ("cyan", "yellow", "magenta", "green"), strict=True))
_INSIDE = {name: f"· {name}" for name in NOTICE_SPANS}  # rows of a part of the phase above
# each state, its cell in a thread's bar and its style
_STATES = tuple(zip(STATES, "·░▓█", ("cyan", "yellow", "magenta", "green"), strict=True))
BAR = 16
MOST_CALLS, MOST_THREADS = 16, 16
SHORTEST_NAME = 4  # cells
# A thread that was blocked for so much of its life, and had so little of the CPU time of the busiest, is idle.
IDLE, LITTLE = 0.5, 0.02
_ALIKE = 3  # idle threads that become one row


def _table(width: int, first: str, *columns: str) -> Table:
    """A table without lines, all columns but the first to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True, overflow="ellipsis", max_width=width // 3)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def fitted(table: Table, width: int, names: int | None = None) -> Table:
    """Two spaces between columns where there is room, else one; where that is too wide, names are cut (the column
    `names`, if there is one), and nothing else is."""
    console = Console(width=4 * width, markup=False)
    if console.measure(table).maximum > width:
        table.padding = (0, 1, 0, 0)
    if names is not None and (excess := console.measure(table).maximum - width) > 0:
        cells = [*table.columns[names].cells, table.columns[names].header]
        longest = max(console.measure(cell).maximum for cell in cells)
        longest = min(longest, table.columns[names].max_width or longest)
        table.columns[names].max_width = max(longest - excess, SHORTEST_NAME)
    return table


def phases(report: Result, width: int = 80, brief: bool = False) -> Table | Text:
    """count, min, p50, p90, p99, max and total (ns in the report) of each phase, and its share of the whole time.
    brief: without those that take no time."""
    measured = report.get("phases") or {}
    names = [name for name in PHASES if name in measured]
    if not any((measured[name] or {}).get("count") for name in names):
        return Text("no operation: no phases to measure", style="yellow")
    total_ns = sum((measured[name] or {}).get("total_ns") or 0 for name in names)
    table = _table(width, "phase", "count", "min", "p50", "p90", "p99", "max", "total", "share")
    if "notice" in names and _notice_is_split(report, brief):
        place = names.index("notice") + 1
        names[place:place] = [name for name in NOTICE_SPANS if name in measured]
    copy = phase_names.copy_name(report)
    for name in names:
        phase = measured[name] or {}
        if brief and not phase.get("max_ns"):
            continue  # no operation has it
        count = phase.get("count")
        times = [
            duration(phase.get(key), fixed=True) if count else MISSING
            for key in ("min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns", "total_ns")
        ]
        table.add_row(
            Text(
                _INSIDE.get(name, phase_names.shown(name, copy)),
                style=PHASE_STYLES.get(name, "dim"),
            ),
            number(count),
            *times,
            share(phase.get("total_ns") if count else None, total_ns),
        )
    return fitted(table, width)


# What the words of the phases and of the figure mean.
_WORDS = {
    "wait": "no data yet",
    "notice": "it was there, and not fetched",
    "waking": "until told",
    "fetching": "told, and not come to receive",
    "completion": "copied, and the program did not know",
}
_TOLD = "told: a call said so"
_TELL = ("select", "poll", "epoll-lt", "epoll-et")  # models whose figure has the word


def words(report: Result, width: int = 80) -> list[Text]:
    """What the words of the phases that took time mean."""
    measured = report.get("phases") or {}
    copy = phase_names.copy_name(report)
    meanings = {name: _WORDS.get(name, phase_names.MEANINGS[copy]) for name in PHASES}
    parts = [
        f"{phase_names.shown(name, copy)}: {meaning}"
        for name, meaning in meanings.items()
        if (measured.get(name) or {}).get("max_ns")
    ]
    if not parts:
        return []
    if (report.get("figure") or {}).get("model") in _TELL:
        parts.append(_TOLD)
    return [Text(line, style="dim") for line in textwrap.wrap("; ".join(parts), width)]


_MOST_KILLED = 3  # that are named


def _notice_is_split(report: Result, brief: bool) -> bool:
    """Whether the two parts of notice are worth a row each. brief: only where it was told, or one thread of it was, and
    came to receive later."""
    measured = report.get("phases") or {}
    notice, fetching = (
        (measured.get(name) or {}).get("total_ns") or 0 for name in ("notice", "fetching")
    )
    return _drawn_is_handed_over(report) or (2 * fetching > notice if brief else fetching > 0)


def _drawn_is_handed_over(report: Result) -> bool:
    """Whether the operation of the figure was told of in one thread and received in another."""
    operations, drawn = report.get("operations") or [], report.get("figure") or {}
    index: int | None = drawn.get("operation")
    if index is None or index >= len(operations):
        return False
    return bool(operations[index].get("handover"))


def threads(report: Result, width: int = 80, most: int = MOST_THREADS) -> Table | Text:
    """Where each thread's time went: four states that add up to its traced lifetime, a bar of them, and its CPU use."""
    listed = report.get("threads") or []
    if not listed:
        return Text("no thread was seen", style="yellow")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("tid", justify="right", no_wrap=True)
    table.add_column("name", no_wrap=True, overflow="ellipsis", max_width=14)
    for state, _, style in _STATES:
        table.add_column(state, justify="right", no_wrap=True, header_style=style)
    table.add_column("CPU", justify="right", no_wrap=True)
    table.add_column("")
    weight = [thread for thread in listed if _lifetime(thread)] or listed
    idle = [] if report.get("scenario") else _idle(weight)
    left = sorted(_without(weight, idle), key=_cpu_ns, reverse=True)
    shown = left[: most - bool(idle)]
    for thread in shown:
        table.add_row(
            str(thread.get("tid", MISSING)),
            clean(thread.get("name") or MISSING),
            *_states_of(thread),
        )
    if idle:
        together = {f"{state}_ns": sum(t.get(f"{state}_ns") or 0 for t in idle) for state in STATES}
        table.add_row("", f"{len(idle)} others", *_states_of(together))
    hidden = len(listed) - len(shown) - len(idle)
    return fitted(more(table, hidden, "thread"), width, names=1)


def _cpu_ns(thread: Result) -> int:
    return (thread.get("kernel_ns") or 0) + (thread.get("user_ns") or 0)


def _idle(threads: list[Result]) -> list[Result]:
    """The threads that did next to nothing beside others that did something, where they are several."""
    most_ns = max(map(_cpu_ns, threads), default=0)
    idle = [
        thread
        for thread in threads
        if (thread.get("blocked_ns") or 0) >= IDLE * _lifetime(thread)
        and _cpu_ns(thread) <= LITTLE * most_ns
    ]
    return idle if len(idle) >= _ALIKE else []


def _without(threads: list[Result], some: list[Result]) -> list[Result]:
    ids = {id(thread) for thread in some}
    return [thread for thread in threads if id(thread) not in ids]


def _states_of(thread: Result) -> tuple[str | Text, ...]:
    """The cells of a thread's four states, its share of a CPU, and the bar."""
    states_ns = [thread.get(f"{state}_ns") or 0 for state in STATES]
    bar = Text()
    cells = stacked(states_ns, "".join(glyph for _, glyph, _ in _STATES), BAR)
    for text, (_, _, style) in zip(cells, _STATES, strict=True):
        bar.append(text, style=style)
    times = (duration(state_ns, fixed=True) for state_ns in states_ns)
    return *times, share(_cpu_ns(thread), _lifetime(thread)), bar


def together(report: Result, width: int = 80) -> list[Text]:
    """Context switches of all threads, and the memory that a scenario had for itself; nothing where none is known."""
    listed, expected = report.get("threads") or [], report.get("expected") or {}
    sleeps, preempted = (
        sum(thread.get(key) or 0 for thread in listed) for key in ("switches", "preemptions")
    )
    words = (
        [
            f"{plural(len(listed), 'thread')}, {plural(sleeps + preempted, 'context switch')} "
            f"({number(preempted)} preempted)"
        ]
        if any("switches" in thread for thread in listed)
        else []
    )
    words += _killed(listed)
    if expected.get("anonymous_bytes"):
        words.append(f"memory of its own: {size(expected['anonymous_bytes'])}")
    return [Text(line, style="dim") for line in textwrap.wrap("; ".join(words), width)]


def _killed(listed: list[Result]) -> list[str]:
    """The threads that a signal ended, a signal at a time."""
    names: dict[str, list[str]] = {}
    for thread in listed:
        if thread.get("killed_by"):
            name = f"{clean(thread.get('name') or MISSING)} {thread.get('tid')}"
            names.setdefault(clean(thread["killed_by"]), []).append(name)
    return [
        f"killed by {signal}: {', '.join(some[:_MOST_KILLED])}"
        + (f" and {plural(len(some) - _MOST_KILLED, 'thread')} more" if some[_MOST_KILLED:] else "")
        for signal, some in names.items()
    ]


def _lifetime(thread: Result) -> int:
    start, end = thread.get("start_ns"), thread.get("end_ns")
    if start is not None and end is not None:
        return int(end - start)
    return sum(thread.get(f"{state}_ns") or 0 for state in STATES)


def more(table: Table, hidden: int, noun: str) -> Table:
    if hidden > 0:
        table.caption, table.caption_justify = f"and {plural(hidden, noun)} more, in --json", "left"
    return table


def states_legend() -> Text:
    """What the cells of a thread's bar mean."""
    legend = Text()
    for state, glyph, style in _STATES:
        legend.append(f"{glyph} ", style=style).append(f"{state}  ", style="dim")
    legend.rstrip()
    return legend


def syscalls(report: Result, width: int = 80, most: int = MOST_CALLS) -> Table | Text:
    """Each system call: how often, with which errors, and its times; the dearest first."""
    calls = report.get("syscalls") or []
    if not calls:
        return Text("no system call was seen", style="yellow")
    table = _table(width, "system call", "calls", "p50", "p99", "max", "total")
    table.add_column("errors", overflow="fold", style="red")
    ordered = sorted(calls, key=lambda call: -(call.get("total_ns") or 0))
    # what a filter refused is never left out: it took no time, and may be all that went wrong
    shown = [call for i, call in enumerate(ordered) if i < most or call.get("unentered")]
    for call in shown:
        name = _call_name(call)
        if call.get("library"):
            table.add_row(
                name, number(call.get("calls")), *[MISSING] * 4, Text("a library call", style="dim")
            )
            continue
        timed = (call.get("calls") or 0) > (call.get("unentered") or 0)
        times = [
            duration(call.get(key), fixed=True) if timed else MISSING
            for key in ("p50_ns", "p99_ns", "max_ns", "total_ns")
        ]
        table.add_row(name, number(call.get("calls")), *times, _errors(call))
    return fitted(more(table, len(ordered) - len(shown), "system call"), width)


def _call_name(call: Result) -> str:
    """Of a call of another ABI with the name that it has there: i386:3 read."""
    return clean(" ".join(filter(None, (call.get("name"), call.get("abi_name")))))


def _errors(call: Result) -> str:
    errors = sorted((call.get("errors") or {}).items(), key=lambda item: -(item[1] or 0))
    words = [f"{clean(name)} {number(count)}" for name, count in errors if count]
    trapped = call.get("trapped") or 0
    refused = (call.get("unentered") or 0) - trapped
    words += [f"trapped (SIGSYS) {number(trapped)}"] if trapped else []
    words += [f"not entered {number(refused)}"] if refused > 0 else []
    return ", ".join(words)


def signals(report: Result, width: int = 80) -> Table | None:
    """Signals sent, delivered to a handler or taken by a wait; those merged into a pending one, and those that found
    the queue full. None if none."""
    listed = [
        signal
        for signal in report.get("signals") or []
        if any(
            signal.get(key) for key in ("generated", "delivered", "taken", "merged", "overflowed")
        )
    ]
    if not listed:
        return None
    taking = any(signal.get("taken") for signal in listed)
    table = _table(width, "signal", "sent", "delivered", *["taken"] * taking)
    table.add_column("", style="dim")
    for signal in listed:
        counts = [signal.get("generated"), signal.get("delivered"), *[signal.get("taken")] * taking]
        left = (counts[0] or 0) - sum(count or 0 for count in counts[1:])
        notes = [
            f"{number(signal[key])} {meaning}"
            for key, meaning in (
                ("merged", "merged into a pending one"),
                ("overflowed", "found the queue full"),
            )
            if signal.get(key)
        ]
        notes += [f"{number(left)} not yet taken or handled"] if left > 0 else []
        table.add_row(clean(signal.get("name")), *map(number, counts), ", ".join(notes))
    return table
