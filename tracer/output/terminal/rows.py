"""The rows of the figure: steps and boundaries in time order, and who sleeps; speaks to no kernel interface."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracer.output.terminal.units import clean, duration, number, plural
from tracer.report.contract import BOUNDARIES

MOST_CALLS, FIRST_CALLS, LAST_CALLS = 12, 4, 6
AGAIN = ("EAGAIN", "EWOULDBLOCK")
SUBMISSIONS = ("io_submit", "io_uring_enter")
COMPLETIONS = (
    "io_getevents",
    "io_pgetevents",
    "io_uring_enter",
    "futex",
)  # where completions are waited for
SLEEPS_IN = {("futex", "suspend"): "aio_suspend (futex)"}
REQUESTS = {"poll armed": "no data: polls", "given to a worker": "gives to worker"}
BY_DEVICE = ("device", "after io_submit")  # how a read was done that no program's thread copied


@dataclass
class Row:
    """One line: what the application does, what crosses, what the kernel does.

    `at` is ns since base, None for a comment.
    """

    at: int | None
    order: int = 0
    application: str = ""
    application_style: str = ""
    by_helper: bool = False
    arrow: str | None = None  # call, return, both, library
    label: str = ""
    label_style: str = ""
    kernel: str = ""
    kernel_style: str = ""
    boundary: bool = False
    marks: set[str] = field(default_factory=set)  # the boundaries this row stands for
    before: list["Row"] = field(default_factory=list)
    after: list["Row"] = field(default_factory=list)
    when: str = ""
    left: str = "┃"
    right: str = "│"
    bound: int | None = None  # the time at which a comment stands


@dataclass
class Figure:
    """All rows, the operation's boundaries (ns since base) and what the caption needs."""

    rows: list[Row]
    operation: dict
    times: dict[str, int | None]
    estimated: set[str]
    asker: int | None
    steps: list[dict]
    helper: int | None = None
    helper_reads: bool = False
    asleep_in_submission: str | None = None

    def at(self, boundary: str) -> int | None:
        """The index of the row that stands for `boundary`."""
        return next((index for index, row in enumerate(self.rows) if boundary in row.marks), None)

    def between(self, begin: str, end: str) -> int | None:
        """Nanoseconds between two boundaries, None where one is unknown."""
        first, last = self.times.get(begin), self.times.get(end)
        return None if first is None or last is None else last - first

    def is_estimated(self, begin: str, end: str) -> bool:
        return bool({begin, end} & self.estimated)

    def insert(self, index: int, phase: str) -> None:
        """A row with no event before position `index`, for a bracket that needs room."""
        sign = " ·" if phase in ("wait", "notice") else " ↓"
        self.rows.insert(index, Row(None, kernel=sign, kernel_style="dim"))

    def settle(self) -> None:
        """Fill the time column and the edges, once all rows are there."""
        previous = None
        for row in self.rows:
            if row.at is None:
                row.bound = previous
                continue
            row.when = "0" if previous is None else "+" + duration(row.at - previous)
            previous = row.at
        _edges(self)


def build(report: dict) -> Figure | None:
    """Rows for the report's figure; None where the report has no figure or the figure has no steps."""
    drawn = report.get("figure")
    steps = [step for step in (drawn or {}).get("steps") or [] if _time(step) is not None]
    if not drawn or not steps:
        return None
    steps = sorted(steps, key=_time)
    operations, chosen = report.get("operations") or [], drawn.get("operation")
    operation = operations[chosen] if chosen is not None and chosen < len(operations) else {}
    times, estimated = _boundaries(operation, steps)
    asker = _asker(operation, steps)
    figure = Figure([], operation, times, estimated, asker, steps)
    others = [
        step["tid"]
        for step in steps
        if step["kind"] in ("call", "run") and step.get("tid") not in (asker, None)
    ]
    if others:
        reading = [
            s["tid"]
            for s in steps
            if s["kind"] == "call" and s.get("brings_data") and s.get("tid") in others
        ]
        figure.helper, figure.helper_reads = (reading or others)[0], bool(reading)
    figure.asleep_in_submission = next(
        (
            clean(s.get("name") or "?")
            for s in steps
            if s["kind"] == "call"
            and s.get("name") in SUBMISSIONS
            and s.get("blocked_ns")
            and not s.get("waits")
        ),
        None,
    )
    rows = [row for step in _shortened(steps) for row in _rows_of(step, figure)]
    rows += _boundary_rows(figure, rows)
    figure.rows = _merged(sorted(rows, key=lambda row: (row.at, row.order)))
    _mark(figure)
    _comment(report, figure, steps)
    figure.rows = [part for row in figure.rows for part in (*row.before, row, *row.after)]
    return figure


def _time(step: dict) -> int | None:
    for key in ("enter_ns", "at_ns", "generated_ns", "delivered_ns", "exit_ns"):
        if step.get(key) is not None:
            return step[key]
    return None


def _boundaries(operation: dict, steps: list[dict]) -> tuple[dict[str, int | None], set[str]]:
    times = {name: operation.get(f"{name}_ns") for name in BOUNDARIES}
    estimated = {clean(name).removesuffix("_ns") for name in operation.get("estimated") or []}
    for step in steps:
        if step["kind"] == "ready" and times["ready"] is None:
            times["ready"] = step["at_ns"]
        if step["kind"] == "copy" and times["copy_start"] is None:
            times["copy_start"], times["copy_end"] = step.get("at_ns"), step.get("end_ns")
        if step.get("estimated") and not operation:
            estimated |= (
                {"ready"}
                if step["kind"] == "ready"
                else {"copy_start"}
                if step["kind"] == "copy"
                else set()
            )
    if times["ask"] is None:
        times["ask"] = _time(steps[0])
    return times, estimated


def _asker(operation: dict, steps: list[dict]) -> int | None:
    """The thread that wanted the data: who called the library, else who made the first call, else the operation's."""
    for kind in ("library", "call"):
        for step in steps:
            if step["kind"] == kind and step.get("tid") is not None:
                return step["tid"]
    return operation.get("tid")


def _shortened(steps: list[dict]) -> list[dict]:
    """At most MOST_CALLS calls: those in the middle become one step of kind 'more'."""
    calls = [step for step in steps if step["kind"] == "call"]
    if len(calls) <= MOST_CALLS:
        return steps
    middle = [step for step in calls[FIRST_CALLS:-LAST_CALLS] if not step.get("brings_data")]
    hidden = {id(step) for step in middle}
    more = {
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


def _rows_of(step: dict, figure: Figure) -> list[Row]:
    kind, tid = step["kind"], step.get("tid")
    helper = figure.helper is not None and tid is not None and tid != figure.asker
    if kind == "call":
        return _call_rows(step, figure, helper)
    if kind == "more":
        return [Row(step["at_ns"], 0, f"… {number(step['count'])} more calls", "dim", helper)]
    if kind == "library":
        return [
            Row(
                step["enter_ns"],
                0,
                clean(step.get("name") or "?"),
                "bold",
                False,
                "library",
                "library call",
                after=[Row(None, application="free for other work", application_style="green")],
            )
        ]
    if kind == "wake":
        text = f"wakes tid {tid}"
        return [Row(step["at_ns"], 2, kernel=text if len(text) <= 16 else f"wakes {tid}")]
    if kind == "run":
        return [Row(step["at_ns"], 3, "has a CPU again", by_helper=helper)]
    if kind == "request":
        return [
            Row(
                step["at_ns"],
                1,
                kernel=REQUESTS.get(step.get("what"), clean(step.get("what") or "?")),
            )
        ]
    if kind == "signal":
        name, rows = clean(step.get("name")), []
        if step.get("generated_ns") is not None:
            rows.append(Row(step["generated_ns"], 4, kernel=f"sends {name}"))
        if step.get("delivered_ns") is not None and not step.get(
            "taken"
        ):  # else a call returns with it
            rows.append(
                Row(
                    step["delivered_ns"],
                    5,
                    "signal handler",
                    "bold",
                    False,
                    "return",
                    name,
                    "yellow",
                )
            )
        return rows
    if kind == "handler_end":
        return [Row(step["at_ns"], 6, "handler ends", "", helper, "call", "rt_sigreturn")]
    return []  # ready and copy are drawn from the operation's boundaries


def _call_rows(step: dict, figure: Figure, helper: bool) -> list[Row]:
    name, count = clean(step.get("name") or "?"), step.get("count") or 1
    name = SLEEPS_IN.get((name, figure.operation.get("how")), name)
    enter, leave, result = step.get("enter_ns"), step.get("exit_ns"), step.get("result")
    enter = leave if enter is None else enter  # entered before tracing began
    ready = figure.times["ready"]
    early = ready is None or enter is None or enter < ready
    polling = result in AGAIN and early
    copied = figure.times["copy_end"]
    complete = leave is not None and copied is not None and leave >= copied
    label, style = _result(step, complete)
    if not (step.get("waits") or step.get("brings_data") or polling or step.get("blocked_ns")):
        text = name if count == 1 else f"{name} × {number(count)}"
        free = [Row(None, application="free for other work", application_style="green")]
        return [
            Row(
                enter,
                0,
                text,
                "",
                helper,
                "both",
                label,
                style,
                after=free if name in SUBMISSIONS and not helper else [],
            )
        ]
    rows = []
    if enter is not None:
        kernel = "no data ready" if early and (ready is not None or polling) else ""
        if (
            name in SLEEPS_IN.values()
            or step.get("waits")
            and figure.operation.get("how") in BY_DEVICE
        ):
            kernel = ""
        rows.append(Row(enter, 0, name, "bold", helper, "call", "system call", kernel=kernel))
        if step.get("blocked_ns") and count == 1:
            rows[0].after = [
                Row(
                    None,
                    application=f"blocked {duration(step['blocked_ns'])}",
                    application_style="cyan",
                    by_helper=helper,
                    kernel=" ·" if kernel else "",
                    kernel_style="dim",
                )
            ]
    if leave is not None:
        row = Row(leave, 6, "", "", helper, "return", label, style)
        if count > 1:
            row.application = (
                f"× {number(count)}, polling" if result in AGAIN else f"× {number(count)}"
            )
            row.kernel, row.kernel_style = (
                f"every {duration((leave - enter) / count)}" if enter else "",
                "dim",
            )
            row.application_style = "bold red"
        elif step.get("brings_data"):
            row.application, row.application_style = "has the data", "green"
        elif step.get("waits") and isinstance(result, int) and (result > 0 or label == "complete"):
            row.application = (
                "told" if step.get("signal") else "told: complete" if complete else "told: readable"
            )
        rows.append(row)
    return rows


def _result(step: dict, complete: bool) -> tuple[str, str]:
    """What the returning arrow says, and its style; `complete`: the copy was over when the call returned."""
    result = step.get("result")
    if step.get("brings_data") and isinstance(result, int) and result >= 0:
        return plural(result, "byte"), "green"
    if step.get("signal"):
        return clean(step["signal"]), "yellow"
    if step.get("waits") and step.get("name") in COMPLETIONS and result in (0, 1) and complete:
        return "complete", ""
    if step.get("waits") and isinstance(result, int):
        return ("timed out" if result == 0 else "complete" if complete else "readable"), ""
    if result is None:
        return "return", ""
    if isinstance(result, int):
        return f"return {result}", ""
    return clean(result), "red"


def _boundary_rows(figure: Figure, rows: list[Row]) -> list[Row]:
    times, made, there = figure.times, [], {row.at for row in rows}
    tilde = {name: "~ " if name in figure.estimated else "" for name in BOUNDARIES}
    if times["ask"] is not None and times["ask"] not in there:
        made.append(Row(times["ask"], -1, tilde["ask"] + "wants the data", "bold"))
    if figure.operation.get("how") in BY_DEVICE and times["ready"] == times["copy_end"]:
        made.append(
            Row(
                times["copy_end"],
                1,
                kernel=tilde["copy_end"] + "DEVICE IS DONE",
                kernel_style="bold green",
                marks={"ready", "copy_start", "copy_end"},
            )
        )
    elif times["ready"] is not None:
        early = times["ask"] == times["ready"] and figure.operation.get("queued_ns")
        text = "data was there" if early else "DATA READY"
        made.append(
            Row(
                times["ready"],
                1,
                kernel=tilde["ready"] + text,
                kernel_style="bold green",
                marks={"ready"},
            )
        )
    if times["copy_start"] is not None and not any("copy_start" in row.marks for row in made):
        made.append(
            Row(
                times["copy_start"],
                4,
                kernel=tilde["copy_start"] + "copy to user",
                kernel_style="bold magenta",
                marks={"copy_start"},
            )
        )
    if times["copy_end"] is not None and not any("copy_end" in row.marks for row in made):
        made.append(
            Row(
                times["copy_end"],
                6,
                kernel=tilde["copy_end"] + "copy complete",
                kernel_style="magenta",
                marks={"copy_end"},
            )
        )
    if (
        times["done"] is not None
        and times["done"] not in there
        and times["done"] != times["copy_end"]
    ):
        text = (
            "a new thread is told"
            if figure.operation.get("how") == "thread"
            else "knows it is done"
        )
        made.append(Row(times["done"], 7, tilde["done"] + text, "green"))
    return made


def _merged(rows: list[Row]) -> list[Row]:
    """Rows of one instant share a line where their cells are free."""
    merged: list[Row] = []
    for row in rows:
        last = merged[-1] if merged else None
        free = (
            last is not None
            and last.at == row.at
            and not last.after
            and not (
                (last.application and row.application)
                or (last.kernel and row.kernel)
                or (last.arrow and row.arrow)
                or (row.arrow == "return" and last.kernel and "copy_end" not in last.marks)
            )
        )
        if not free:
            merged.append(row)
            continue
        for name in (
            "application",
            "application_style",
            "arrow",
            "label",
            "label_style",
            "kernel",
            "kernel_style",
        ):
            setattr(last, name, getattr(last, name) or getattr(row, name))
        last.by_helper |= row.by_helper
        last.after += row.after
        last.marks |= row.marks
    return merged


def _mark(figure: Figure) -> None:
    """Say which rows stand for asking and being done; those two have no row of their own where a call is the event."""
    asking = [row for row in figure.rows if row.at == figure.times["ask"]]
    if asking:
        asking[0].marks.add("ask")
    done = figure.times["done"]
    if done is not None and done == figure.times["copy_end"]:
        next(row for row in figure.rows if "copy_end" in row.marks).marks.add("done")
    elif done is not None:
        ending = [row for row in figure.rows if row.at == done]
        ending[-1].marks.add("done")
    for row in figure.rows:
        row.boundary = bool(row.marks)


def _comment(report: dict, figure: Figure, steps: list[dict]) -> None:
    """Lines that are no events: what the asking thread does while it waits without a call, and who the helper is."""
    asking = next((row for row in figure.rows if row.application.endswith("wants the data")), None)
    if asking is not None:
        asking.after.append(Row(None, application="free for other work", application_style="green"))
    if figure.helper is not None:
        first = next((row for row in figure.rows if row.by_helper), None)
        if first is not None:
            text = f"{'kernel worker' if figure.operation.get('how') == 'worker' else 'helper thread'} {figure.helper}"
            text = text if len(text) <= 19 else f"thread {figure.helper}"
            first.before.append(
                Row(None, application=text, application_style="yellow", by_helper=True)
            )
    # Free need not mean busy: a program may sleep in a call that is no receive. Then say so.
    thread = next((t for t in report.get("threads") or [] if t.get("tid") == figure.asker), {})
    cpu = (thread.get("kernel_ns") or 0) + (thread.get("user_ns") or 0)
    slept = any(
        s.get("blocked_ns") for s in steps if s["kind"] == "call" and s.get("tid") == figure.asker
    )
    if not slept and (thread.get("blocked_ns") or 0) > cpu:
        for row in figure.rows:
            for comment in row.after:
                if comment.application == "free for other work":
                    comment.application, comment.left = "free; sleeps anyway", "┊"


def _edges(figure: Figure) -> None:
    """The edges of the application: heavy where the thread has a CPU, dotted from falling asleep to its switch-in."""
    calls = [
        step for step in figure.steps if step["kind"] == "call" and step.get("enter_ns") is not None
    ]
    last = max(row.at for row in figure.rows if row.at is not None)
    asking = _sleeps(figure, figure.asker, calls, last)
    helping = _sleeps(figure, figure.helper, calls, last)
    helped = [
        at
        for call in calls
        if call.get("tid") == figure.helper
        for at in (call["enter_ns"], call.get("exit_ns") or last)
    ]
    for index, row in enumerate(figure.rows):
        at = row.bound if row.at is None else row.at
        if at is None:
            continue
        if _within(at, row.at is None, asking):
            row.left = "┊"
        if figure.helper is None or not helped:
            continue
        begins = row.at is None and row.by_helper and at < min(helped)
        if begins or min(helped) <= at < max(helped) or at == max(helped) and row.at is not None:
            row.right = "┊" if _within(at, row.at is None, helping) else "┃"


def _sleeps(figure: Figure, tid: int | None, calls: list[dict], last: int) -> list[tuple[int, int]]:
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
    """An event stands at its time; a comment stands just after the event above it."""
    return any((begin <= at if comment else begin < at) and at < end for begin, end in sleeps)
