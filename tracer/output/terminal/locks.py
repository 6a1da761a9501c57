"""Who waited for whom on which futex, as a table; speaks to no kernel interface."""

from __future__ import annotations

from rich.table import Table

from tracer.output.format import Result
from tracer.output.units import clean, duration, number

MOST_WORDS, MOST_PAIRS = 4, 4
LEAST_SHARE = 0.05  # of the longest total: words that were waited for less are not shown


def of_report(report: Result, width: int = 80) -> Table | None:
    """The words waited for longest, with who waited for whom; None where nobody slept on one."""
    words = report.get("locks") or []
    if not words:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", width=None)
    for name in ("futex", "what it is"):
        table.add_column(name, no_wrap=True)
    for name in ("waits", "who", "for whom", "longest", "total"):
        table.add_column(name, justify="right", no_wrap=True)
    longest = max(word.get("waited_ns") or 0 for word in words)
    for word in [word for word in words if (word.get("waited_ns") or 0) >= LEAST_SHARE * longest][
        :MOST_WORDS
    ]:
        first = True
        for pair in (word.get("between") or [])[:MOST_PAIRS]:
            table.add_row(
                clean(word.get("address")) if first else "",
                clean(word.get("kind")) if first else "",
                number(pair.get("count")),
                str(pair.get("waiter")),
                str(pair["waker"]) if pair.get("waker") else "?",
                duration(pair.get("longest_ns")),
                duration(pair.get("waited_ns")),
            )
            first = False
    return table
