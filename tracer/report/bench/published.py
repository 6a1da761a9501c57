"""The comparison that everybody quotes: M. Kerrisk, The Linux Programming Interface (2010), table 63-9.

CPU seconds for 100,000 operations on Linux 2.6.25, one of N pipes readable in each.
"""

from __future__ import annotations

from tracer.report.bench.shapes import Published, PublishedRow

SOURCE = "M. Kerrisk, The Linux Programming Interface, table 63-9"
KERNEL = "2.6.25"
_SIZES = (10, 100, 1000, 10_000)
_SECONDS: tuple[PublishedRow, ...] = tuple(
    {"call": call, "n": n, "cpu_s": seconds}
    for call, column in (
        ("select", (0.73, 3.0, 35.0, 930.0)),
        ("poll", (0.61, 2.9, 35.0, 990.0)),
        ("epoll-lt", (0.41, 0.42, 0.53, 0.66)),
    )
    for n, seconds in zip(_SIZES, column, strict=True)
)


def table() -> Published:
    """The table, for a result."""
    return {"source": SOURCE, "kernel": KERNEL, "rows": list(_SECONDS)}


def ratio(call: str, n: int, to: int) -> float | None:
    """How many times as much the call took with n as with `to`; None where the table does not say."""
    seconds = {(row["call"], row["n"]): row["cpu_s"] for row in _SECONDS}
    return seconds[call, n] / seconds[call, to] if {(call, n), (call, to)} <= seconds.keys() else None  # type: ignore[arg-type,index]  # a call that is not in the table is looked for, too
