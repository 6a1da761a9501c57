"""The edges of the figure's application: heavy where a thread has a CPU, dotted from its sleep to its switch-in."""

from __future__ import annotations

from tracer.output.terminal.rows import Figure, Step


def draw(figure: Figure) -> None:
    """Sets the edges of all rows: the left one is the asking thread's, the right one the helper's."""
    calls = [
        step for step in figure.steps if step["kind"] == "call" and step.get("enter_ns") is not None
    ]
    last = max(row.at for row in figure.rows if row.at is not None)
    _left(figure, _sleeps(figure, figure.asker, calls, last))
    _right(figure, calls, last)


def _left(figure: Figure, sleeps: list[tuple[int, int]]) -> None:
    for row in figure.rows:
        at = row.bound if row.at is None else row.at
        if at is not None and _within(at, row.at is None, sleeps):
            row.left = "┊"


def _right(figure: Figure, calls: list[Step], last: int) -> None:
    """The helper's edge is there from its first entry, or the comment that names it, to its last exit."""
    helped = [
        at
        for call in calls
        if call.get("tid") == figure.helper
        for at in (call["enter_ns"], call.get("exit_ns") or last)
    ]
    if figure.helper is None or not helped:
        return
    sleeps, first, end = _sleeps(figure, figure.helper, calls, last), min(helped), max(helped)
    for row in figure.rows:
        at = row.bound if row.at is None else row.at
        if at is None:
            continue
        begins = row.at is None and row.by_helper and at < first
        ends = at == end and row.at is not None
        if begins or first <= at < end or ends:
            row.right = "┊" if _within(at, row.at is None, sleeps) else "┃"


def _sleeps(figure: Figure, tid: int | None, calls: list[Step], last: int) -> list[tuple[int, int]]:
    """From each call in which `tid` slept: (entry, switch-in or exit), ns since base."""
    sleeps = []
    for call in calls:
        if call.get("tid") != tid or not call.get("blocked_ns") or (call.get("count") or 1) > 1:
            continue
        leave = call.get("exit_ns") or last + 1
        runs = [
            step["at_ns"]
            for step in figure.steps
            if step["kind"] == "run"
            and step.get("tid") == tid
            and call["enter_ns"] < step["at_ns"] <= leave
        ]
        sleeps.append((call["enter_ns"], runs[-1] if runs else leave))
    return sleeps


def _within(at: int, comment: bool, sleeps: list[tuple[int, int]]) -> bool:
    """Whether `at` is in one of them: an event stands at its time, a comment just after the event above it."""
    return any((begin <= at if comment else begin < at) and at < end for begin, end in sleeps)
