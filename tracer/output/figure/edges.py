"""The edges of the figure's application: heavy where a thread has a CPU, dotted where it has none: from its sleep or
preemption to its switch-in. And the sender's: while it is in its send."""

from __future__ import annotations

from tracer.output.figure.rows import Figure, Step


def draw(figure: Figure) -> None:
    """Sets the edges of all rows: the left one is the asking thread's, the right one the helper's."""
    calls = [
        step for step in figure.steps if step["kind"] == "call" and step.get("enter_ns") is not None
    ]
    last_ns = max(row.time_ns for row in figure.rows if row.time_ns is not None)
    _left(figure, _sleeps(figure, figure.asker, calls, last_ns))
    _right(figure, calls, last_ns)
    _sending(figure)


def _left(figure: Figure, sleeps: list[tuple[int, int]]) -> None:
    for row in figure.rows:
        time_ns = row.bound if row.time_ns is None else row.time_ns
        if time_ns is not None and _within(time_ns, row.time_ns is None, sleeps):
            row.left = "┊"


def _right(figure: Figure, calls: list[Step], last_ns: int) -> None:
    """The helper's edge is there from its first entry, or the comment that names it, to its last exit."""
    helped = [
        time_ns
        for call in calls
        if call.get("tid") == figure.helper
        for time_ns in (call["enter_ns"], call.get("exit_ns") or last_ns)
    ]
    if figure.helper is not None and not helped:  # a kernel's thread: it makes no calls
        runs = [step["at_ns"] for step in figure.steps if _switches(step, figure.helper)]
        helped = [*runs, figure.times["copy_end"] or last_ns] if runs else []
    if figure.helper is None or not helped:
        return
    sleeps, first, end = _sleeps(figure, figure.helper, calls, last_ns), min(helped), max(helped)
    for row in figure.rows:
        time_ns = row.bound if row.time_ns is None else row.time_ns
        if time_ns is None:
            continue
        begins = row.time_ns is None and row.by_helper and time_ns < first
        ends = time_ns == end and row.time_ns is not None
        if begins or first <= time_ns < end or ends:
            row.right = "┊" if _within(time_ns, row.time_ns is None, sleeps) else "┃"


def _sending(figure: Figure) -> None:
    send = figure.send
    for row in figure.rows if send else []:
        time_ns = row.bound if row.time_ns is None else row.time_ns
        if time_ns is not None and send:
            last = time_ns == send["exit_ns"] and row.time_ns is not None
            row.sending = last or send["enter_ns"] <= time_ns < send["exit_ns"]


def _switches(step: Step, tid: int) -> bool:
    """Whether the thread gets a CPU or loses it in this step."""
    return bool(step["kind"] in ("run", "away") and step.get("tid") == tid)


def _sleeps(
    figure: Figure, tid: int | None, calls: list[Step], last_ns: int
) -> list[tuple[int, int]]:
    """When thread `tid` had no CPU, ns since base: of each call in which it slept (its entry, the last switch-in or
    else its exit), and all other times."""
    sleeps = [
        (step["at_ns"] - 1, step["end_ns"])  # it has none from that very moment on
        for step in figure.steps
        if step["kind"] in ("away", "wait") and step.get("tid") == tid
    ]
    for call in calls:
        if call.get("tid") != tid or not call.get("blocked_ns") or (call.get("count") or 1) > 1:
            continue
        leave = call.get("exit_ns") or last_ns + 1
        runs = [
            step["at_ns"]
            for step in figure.steps
            if step["kind"] == "run"
            and step.get("tid") == tid
            and call["enter_ns"] < step["at_ns"] <= leave
        ]
        sleeps.append((call["enter_ns"], runs[-1] if runs else leave))
    return sleeps


def _within(time_ns: int, comment: bool, sleeps: list[tuple[int, int]]) -> bool:
    """Whether `time_ns` is in a sleep: an event stands at its time, a comment just after the event above it."""
    return any(
        (begin <= time_ns if comment else begin < time_ns) and time_ns < end
        for begin, end in sleeps
    )
