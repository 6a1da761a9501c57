"""The comparison that everybody quotes: M. Kerrisk, The Linux Programming Interface (2010), table 63-9.

CPU seconds for 100,000 operations on Linux 2.6.25, one of N pipes readable in each.
"""

from __future__ import annotations

from typing import Literal

from tracer.report.bench.shapes import Call, Published, PublishedRow

SOURCE = "M. Kerrisk, The Linux Programming Interface, table 63-9"
KERNEL = "2.6.25"
_SIZES = (10, 100, 1000, 10_000)
_SECONDS: dict[Literal["select", "poll", "epoll-lt"], tuple[float, ...]] = {
    "select": (0.73, 3.0, 35.0, 930.0),
    "poll": (0.61, 2.9, 35.0, 990.0),
    "epoll-lt": (0.41, 0.42, 0.53, 0.66),
}


def table() -> Published:
    """The table, for a result."""
    rows: list[PublishedRow] = [
        {"call": call, "n": n, "cpu_s": seconds}
        for call, column in _SECONDS.items()
        for n, seconds in zip(_SIZES, column, strict=True)
    ]
    return {"source": SOURCE, "kernel": KERNEL, "rows": rows}


def ratio(call: Call, n: int, to: int) -> float | None:
    """How many times as much the call took with n as with `to`; None where the table does not say."""
    seconds = {row["n"]: row["cpu_s"] for row in table()["rows"] if row["call"] == call}
    return seconds[n] / seconds[to] if {n, to} <= seconds.keys() else None
