"""From a report's figure to its rows, in the order of time: which steps are shown, and which rows share a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracer.output.figure import prelude
from tracer.output.figure.notes import notes_of
from tracer.output.figure.rows import FREE, RETURNS_FROM_HANDLER, Figure, Row, Step, comment
from tracer.output.figure.steps import SUBMISSIONS, boundary_rows, rows_of
from tracer.output.format import Result
from tracer.output.units import clean
from tracer.report.contract import BOUNDARIES

_HELPER_CELLS = 19  # of the application's column


@dataclass(frozen=True)
class Limits:
    """How long a figure may be. aways: times without a CPU that have rows of their own; calls: that are drawn, or else
    the first and the last so many; brief: whether sentences about what the rows show already are left out."""

    aways: int = 3
    calls: int = 12
    first: int = 4
    last: int = 6
    brief: bool = False


WHOLE = Limits()


def build(report: Result, limits: Limits = WHOLE) -> Figure | None:
    """The report's figure; None where the report has none, or that has no steps."""
    drawn = report.get("figure") or {}
    timed = [(time, step) for step in drawn.get("steps") or [] if (time := _time(step)) is not None]
    if not timed:
        return None
    steps = [step for _, step in sorted(timed, key=lambda pair: pair[0])]
    figure = _bare(_operation(report, drawn), drawn, steps)
    _find_helper(figure)
    _choose_aways(figure, limits.aways)
    rows = [row for step in _shortened(steps, limits) for row in rows_of(step, figure)]
    rows += boundary_rows(figure, rows)
    figure.rows = _merged(sorted(rows, key=lambda row: (row.time_ns, row.order)))
    _mark(figure)
    _comment(report, figure)
    figure.notes = [*notes_of(figure, limits.brief)]
    shown = (its for row in figure.rows for its in (*row.before, row, *row.after))
    figure.rows = [*prelude.rows(figure), *shown]
    return figure


def _time(step: Step) -> int | None:
    for key in ("enter_ns", "at_ns", "generated_ns", "delivered_ns", "exit_ns"):
        time: int | None = step.get(key)
        if time is not None:
            return time
    return None


def _operation(report: Result, drawn: Result) -> Result:
    """The operation that is drawn; empty where the report has none of that index."""
    operations: Sequence[Result] = report.get("operations") or []
    chosen = drawn.get("operation")
    return operations[chosen] if chosen is not None and chosen < len(operations) else {}


def _bare(operation: Result, drawn: Result, steps: list[Step]) -> Figure:
    """A figure without rows: its boundaries, the asking thread, and the submission that slept though it should not."""
    return Figure(
        [],
        operation,
        drawn,
        _boundaries(operation, steps),
        _estimated(operation, steps),
        _asker(operation, steps),
        steps,
        asleep_in_submission=_asleep_in_submission(steps),
        moved=any(step["kind"] == "copy" and step.get("moved") for step in steps),
    )


def _boundaries(operation: Result, steps: list[Step]) -> dict[str, int | None]:
    """The operation's boundaries; those that it lacks come from the steps."""
    times: dict[str, int | None] = {name: operation.get(f"{name}_ns") for name in BOUNDARIES}
    for step in steps:
        if step["kind"] == "ready" and times["ready"] is None:
            times["ready"] = step["at_ns"]
        if step["kind"] == "copy" and times["copy_start"] is None:
            times["copy_start"], times["copy_end"] = step.get("at_ns"), step.get("end_ns")
    if times["ask"] is None:
        times["ask"] = _time(steps[0])
    return times


def _estimated(operation: Result, steps: list[Step]) -> set[str]:
    """The boundaries that are estimated, by the operation or, where there is none, by the steps."""
    estimated = {clean(name).removesuffix("_ns") for name in operation.get("estimated") or []}
    boundary = {"ready": "ready", "copy": "copy_start"}
    if not operation:
        estimated |= {
            boundary[step["kind"]]
            for step in steps
            if step.get("estimated") and step["kind"] in boundary
        }
    return estimated


def _asker(operation: Result, steps: list[Step]) -> int | None:
    """The thread that wanted the data: the one that was told of it, else that of the library's call, else of the first
    call, else the operation's."""
    if handover := operation.get("handover"):
        told: int = handover["tid"]
        return told
    for kind in ("library", "call"):
        for step in steps:
            if step["kind"] == kind and step.get("tid") is not None:
                tid: int = step["tid"]
                return tid
    return operation.get("tid")


def _asleep_in_submission(steps: list[Step]) -> str | None:
    """The first call that submitted and slept, although it was not a call that waits."""
    for step in steps:
        submits = step["kind"] == "call" and step.get("name") in SUBMISSIONS
        if submits and step.get("blocked_ns") and not step.get("waits"):
            return clean(step.get("name") or "?")
    return None


def _find_helper(figure: Figure) -> None:
    """The other thread that is drawn: the first that received the data, else the first."""
    others = [
        step
        for step in figure.steps
        if step["kind"] in ("call", "run") and step.get("tid") not in (figure.asker, None)
    ]
    reading = [step for step in others if step["kind"] == "call" and step.get("brings_data")]
    if others:
        figure.helper, figure.helper_reads = (reading or others)[0]["tid"], bool(reading)


def _choose_aways(figure: Figure, most: int) -> None:
    """The longest times without a CPU have rows of their own; the others are in the edges, and in a note."""
    aways = [step for step in figure.steps if step["kind"] == "away"]
    figure.aways = sorted(aways, key=lambda step: step["at_ns"] - step["end_ns"])[:most]


def _shortened(steps: list[Step], limits: Limits) -> list[Step]:
    """No more calls than that: those in the middle become one step of kind 'more'."""
    calls = [step for step in steps if step["kind"] == "call"]
    middle = calls[limits.first : -limits.last] if len(calls) > limits.calls else []
    middle = [step for step in middle if not step.get("brings_data")]
    if not middle:
        return steps
    hidden = {id(step) for step in (*middle, *_within(steps, middle))}
    more: Step = {
        "kind": "more",
        "at_ns": middle[0]["enter_ns"],
        "tid": middle[0].get("tid"),
        "count": sum(step.get("count") or 1 for step in middle),
    }
    return [
        more if step is middle[0] else step
        for step in steps
        if step is middle[0] or id(step) not in hidden
    ]


def _within(steps: list[Step], calls: list[Step]) -> Iterator[Step]:
    """The wakings of these calls' threads, and their times on a CPU again, inside the calls."""
    for step in steps:
        if step["kind"] in ("run", "wake") and any(
            call.get("tid") == step.get("tid")
            and (call.get("enter_ns") or 0) <= step["at_ns"] <= (call.get("exit_ns") or 0)
            for call in calls
        ):
            yield step


# what may share a line, and every part of a row that it then takes over
_PARTS = (
    "application",
    "application_style",
    "arrow",
    "label",
    "label_style",
    "kernel",
    "kernel_style",
)


def _merged(rows: list[Row]) -> list[Row]:
    """Rows of one instant share a line where their cells are free."""
    merged: list[Row] = []
    for row in rows:
        last = merged[-1] if merged else None
        if last is None or not _has_room(last, row):
            merged.append(row)
            continue
        for name in _PARTS:
            setattr(last, name, getattr(last, name) or getattr(row, name))
        last.by_helper |= row.by_helper
        last.after += row.after
        last.marks |= row.marks
    return merged


def _has_room(row: Row, later: Row) -> bool:
    """Whether `later` fits into the line of `row`. A call's return shares no line with an event in the kernel, except
    with the copy's end."""
    if row.time_ns != later.time_ns or (row.after and (later.application or later.arrow)):
        return False
    if row.by_sender or later.by_sender:
        return False
    returns = later.arrow == "return" and row.kernel and "copy_end" not in row.marks
    return not (
        (row.application and later.application)
        or (row.kernel and later.kernel)
        or (row.arrow and later.arrow)
        or returns
    )


def _mark(figure: Figure) -> None:
    """Say which rows stand for asking and being done; those two have no row of their own where a call is the event."""
    own = [row for row in figure.rows if not row.by_sender]
    asking = [row for row in own if row.time_ns == figure.times["ask"]]
    if asking:
        asking[0].marks.add("ask")
    done = figure.times["done"]
    if done is not None and done == figure.times["copy_end"]:
        next(row for row in figure.rows if "copy_end" in row.marks).marks.add("done")
    elif done is not None:
        ending = [row for row in own if row.time_ns == done]
        ending[-1].marks.add("done")
    for row in figure.rows:
        row.boundary = bool(row.marks)


def _comment(report: Result, figure: Figure) -> None:
    """Lines that are no events: what the asking thread does while it waits without a call, and who the helper is."""
    free = _before_it_continues(figure)
    if free is not None and not free.after:
        free.after.append(comment(FREE, "green"))
    if figure.helper is not None:
        _name_helper(figure)
    if _sleeps_elsewhere(report, figure):
        for row in figure.rows:
            for line in row.after:
                if line.application == FREE:
                    line.application, line.left = "free; sleeps anyway", "┊"


def _before_it_continues(figure: Figure) -> Row | None:
    """The row after which the asking thread is in no call while the data comes, for half of the wait or longer."""
    ask, ready = figure.times["ask"], figure.times["ready"]
    own = [row for row in figure.rows if (row.application or row.arrow) and not row.by_sender]
    away_ns = {step[key] for step in figure.aways for key in ("at_ns", "end_ns")}
    own = [
        row for row in own if not row.by_helper and (row.arrow or row.time_ns not in away_ns)
    ]  # a thread that loses its CPU does nothing by itself
    if ask is None or ready is None or ready <= ask:
        return None
    before = [row for row in own if row.time_ns is not None and row.time_ns <= ready]
    after = [row for row in own if row.time_ns is not None and row.time_ns > ready]
    in_call = not before or before[-1].arrow == "call"
    if not before or (in_call and before[-1].label != RETURNS_FROM_HANDLER):
        return None
    if before[-1].application.startswith("×"):  # it asked again and again
        return None
    until = after[0].time_ns if after else figure.times["done"]
    since = before[-1].time_ns
    if since is None or until is None or 2 * (until - since) < ready - ask:
        return None
    return before[-1]


def _name_helper(figure: Figure) -> None:
    """A comment before the helper's first row."""
    first = next((row for row in figure.rows if row.by_helper), None)
    if first is None:
        return
    text = f"{helper_word(figure)} {figure.helper}"
    text = text if len(text) <= _HELPER_CELLS else f"thread {figure.helper}"
    first.before.append(comment(text, "yellow", by_helper=True))
    first.before[-1].names_helper = True


def helper_word(figure: Figure) -> str:
    """What the other thread is."""
    if figure.operation.get("handover"):
        return "thread"
    return "kernel worker" if figure.operation.get("how") == "worker" else "helper thread"


def _sleeps_elsewhere(report: Result, figure: Figure) -> bool:
    """Whether the thread that asked slept most of its time, and in none of the calls that are drawn: free need not mean
    busy, a program may sleep in a call that is no receive."""
    threads: Sequence[Result] = report.get("threads") or []
    thread = next((candidate for candidate in threads if candidate.get("tid") == figure.asker), {})
    cpu = (thread.get("kernel_ns") or 0) + (thread.get("user_ns") or 0)
    slept = any(
        step.get("blocked_ns")
        for step in figure.steps
        if step["kind"] == "call" and step.get("tid") == figure.asker
    )
    return not slept and (thread.get("blocked_ns") or 0) > cpu
