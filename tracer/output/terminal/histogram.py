"""Log2 histograms as BCC's print_log2_hist draws them (src/python/bcc/table.py); speaks to no kernel interface."""

from __future__ import annotations

from rich.text import Text

from tracer.output.format import Result
from tracer.output.units import clean, duration

STARS = 40


def log2(histogram: Result | None, name: str = "nsecs", width: int = 80) -> list[Text]:
    """Lines for `histogram`, {lower bound (a power of two, or 0) as a string or integer: count}, in nanoseconds.

    As in BCC the first row holds 0 and 1, and rows between are drawn where empty; those before the first are left out.
    An empty histogram gives no lines.
    """
    rows: dict[int, int] = {}
    for bound, count in (histogram or {}).items():
        slot = max(int(bound).bit_length(), 1)
        rows[slot] = rows.get(slot, 0) + int(count)
    slots = [slot for slot, count in rows.items() if count > 0]
    if not slots:
        return []
    digits = max(10, len(str((1 << max(slots)) - 1)))
    counts = max(8, *(len(str(rows[slot])) for slot in slots))
    stars = min(STARS, width - (2 * digits + 4) - (counts + 4) - 2)
    most = max(rows.values())
    head = f"     {clean(name):<{digits * 2 - 1}} : {'count':<{counts}}  distribution"
    lines = [Text(head, style="dim")]
    for slot in range(min(slots), max(slots) + 1):
        low, high, count = (1 << slot) >> 1 if slot > 1 else 0, (1 << slot) - 1, rows.get(slot, 0)
        line = Text(f"{low:>{digits}} -> {high:<{digits}} : {count:<{counts}} |")
        line.append(("*" * int(stars * count / most)).ljust(stars), style="cyan")
        lines.append(line.append("|"))
    return lines


def of_report(report: Result, width: int = 80) -> list[Text]:
    """The histograms of the phases and of the system calls, each with a heading; one line where there are none."""
    lines: list[Text] = []
    phases, calls = report.get("phases") or {}, report.get("syscalls") or []
    named = [
        (f"phase {name}", phase or {})
        for name, phase in phases.items()
        if (phase or {}).get("max_ns")
    ]
    named += [(f"system call {call.get('name')}", call) for call in calls]
    for name, entry in named:
        drawn = log2(entry.get("hist"), width=width)
        if not drawn:
            continue
        median = entry.get("p50_ns")
        heading = Text(clean(name), style="bold")
        if median is not None:
            heading.append(f"  median {duration(median)}", style="dim")
        lines += [*([Text("")] if lines else []), heading, *drawn]
    return lines or [Text("this report holds no histograms", style="yellow")]
