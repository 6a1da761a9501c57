"""Figures as plain text: columns that stand under each other, below 100 columns wide."""

from __future__ import annotations

from typing import Any


def render(title: str, head: list[str], rows: list[list[str]]) -> str:
    """A table; the first column is left-aligned, the others right-aligned."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: list[str]) -> str:
        return "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()

    return "\n".join(
        [
            title,
            "",
            "  " + line(head),
            "  " + "  ".join("-" * width for width in widths),
            *("  " + line(row) for row in rows),
        ]
    )


def spread(figure: dict[str, Any], digits: int = 0) -> list[str]:
    """[median, low–high] of rounds.median()."""
    return [
        f"{figure['median']:,.{digits}f}",
        f"{figure['low']:,.{digits}f}–{figure['high']:,.{digits}f}",
    ]


def goal(
    name: str, reached: float | bool, limit: float | bool, *, most: bool = True
) -> dict[str, Any]:
    """One goal of docs/performance.md: what was asked, what was reached."""
    met = (
        reached == limit
        if isinstance(limit, bool)
        else reached <= limit
        if most
        else reached >= limit
    )
    return {"goal": name, "reached": reached, "limit": limit, "most": most, "met": bool(met)}
