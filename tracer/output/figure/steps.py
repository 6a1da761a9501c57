"""The rows of the figure, step by step: of a call, a signal, a wake-up, and of the operation's boundaries."""

from __future__ import annotations

from collections.abc import Callable

from tracer.output.figure.rows import FREE, RETURNS_FROM_HANDLER, Figure, Row, Step, comment
from tracer.output.units import clean, duration, number, plural

AGAIN = ("EAGAIN", "EWOULDBLOCK")
SUBMISSIONS = ("io_submit", "io_uring_enter")
# where completions are waited for
COMPLETIONS = ("io_getevents", "io_pgetevents", "io_uring_enter", "futex")
# what a call is called where that says more than its own name: (name, the operation's `how`)
SLEEPS_IN = {("futex", "suspend"): "aio_suspend (futex)"}
REQUESTS = {"poll armed": "no data: polls", "given to a worker": "gives to worker"}
BY_DEVICE = ("device", "after io_submit")  # how a read was done that no program's thread copied
# what the kernel does with the data, at the beginning and at the end
COPIED = ("copy to user", "copy complete")
MOVED = ("moves data", "data is moved")
_WAKE_CELLS = 16  # of the kernel's column


def rows_of(step: Step, figure: Figure) -> list[Row]:
    """The rows of one step; none of readiness and copy, which the operation's boundaries stand for."""
    drawn = _DRAWN.get(step["kind"])
    return drawn(step, figure) if drawn else []


# calls


def _call(step: Step, figure: Figure) -> list[Row]:
    label, style = _result(step, _is_complete(step, figure))
    rows = [] if _enter(step) is None else [_entry(step, figure)]
    if step.get("exit_ns") is not None:
        rows.append(_return(step, figure, label, style))
    return rows


def _entry(step: Step, figure: Figure) -> Row:
    """The arrow into the kernel, with how long the thread slept there."""
    helper = figure.is_helper(step.get("tid"))
    kernel = "no data ready" if _finds_nothing(step, figure) else ""
    row = Row(
        _enter(step),
        application=_name(step, figure),
        application_style="bold",
        by_helper=helper,
        arrow="call",
        label="system call",
        kernel=kernel,
    )
    if step.get("blocked_ns") and _count(step) == 1:
        asleep = comment(f"blocked {duration(step['blocked_ns'])}", "cyan", helper)
        asleep.kernel, asleep.kernel_style = " ·" if kernel else "", "dim"
        row.after = [asleep]
    return row


def _finds_nothing(step: Step, figure: Figure) -> bool:
    """Whether the call's entry is to be followed by 'no data ready': not where it waits for a completion."""
    if _name(step, figure) in SLEEPS_IN.values() or _only_asks(step):
        return False
    if step.get("waits") and figure.operation.get("how") in BY_DEVICE:
        return False
    if isinstance(step.get("result"), str) and step["result"] not in AGAIN and _count(step) == 1:
        return False  # refused for another reason: it says nothing of the data
    known = figure.times["ready"] is not None
    return _is_early(step, figure) and (known or _is_polling(step, figure))


def _return(step: Step, figure: Figure, label: str, style: str) -> Row:
    """The arrow out of the kernel, and what the thread has or knows after it."""
    row = Row(
        step["exit_ns"],
        6,
        by_helper=figure.is_helper(step.get("tid")),
        arrow="return",
        label=label,
        label_style=style,
    )
    result, complete = step.get("result"), _is_complete(step, figure)
    if _count(step) > 1:
        _repeated(row, step)
    elif _only_asks(step) and not row.by_helper:
        row.after = [comment(FREE, "green")]
    elif step.get("brings_data"):
        has = "knows it was moved" if figure.moved else "has the data"
        row.application, row.application_style = has, "green"
    elif step.get("waits") and isinstance(result, int) and (result > 0 or label == "complete"):
        wording = "told: complete" if complete else "told: readable"
        row.application = "told" if step.get("signal") else wording
    return row


def _repeated(row: Row, step: Step) -> None:
    """The return of calls that are drawn as one says how many there were, and how close together."""
    count, enter = _count(step), _enter(step)
    polling = ", polling" if step.get("result") in AGAIN else ""
    row.application, row.application_style = f"× {number(count)}{polling}", "bold red"
    row.kernel = f"every {duration((step['exit_ns'] - enter) / count)}" if enter else ""
    row.kernel_style = "dim"


def _result(step: Step, complete: bool) -> tuple[str, str]:
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
        opens = (step.get("name") or "").startswith("accept")
        return f"{'new fd' if opens else 'return'} {result}", ""
    return clean(result), "red"


def _only_asks(step: Step) -> bool:
    """Whether the call gives a request to the kernel, and need not wait for anything."""
    return step.get("name") in SUBMISSIONS and not (step.get("waits") or step.get("blocked_ns"))


def _name(step: Step, figure: Figure) -> str:
    name = clean(step.get("name") or "?")
    return SLEEPS_IN.get((name, figure.operation.get("how") or ""), name)


def _count(step: Step) -> int:
    return step.get("count") or 1


def _enter(step: Step) -> int | None:
    """Time (ns) of the call's entry; of its exit where the entry was before tracing began."""
    enter: int | None = step.get("enter_ns")
    return step.get("exit_ns") if enter is None else enter


def _is_early(step: Step, figure: Figure) -> bool:
    """Whether the call was entered before the data was there; also true where one of the two is unknown."""
    ready, enter = figure.times["ready"], _enter(step)
    return ready is None or enter is None or enter < ready


def _is_polling(step: Step, figure: Figure) -> bool:
    return step.get("result") in AGAIN and _is_early(step, figure)


def _is_complete(step: Step, figure: Figure) -> bool:
    """Whether the copy was over when the call returned."""
    leave, copied = step.get("exit_ns"), figure.times["copy_end"]
    return leave is not None and copied is not None and leave >= copied


# other steps


def _more(step: Step, figure: Figure) -> list[Row]:
    helper = figure.is_helper(step.get("tid"))
    return [Row(step["at_ns"], 0, f"… {number(step['count'])} more calls", "dim", helper)]


def _library(step: Step, figure: Figure) -> list[Row]:
    row = Row(step["enter_ns"], 0, clean(step.get("name") or "?"), "bold")
    row.arrow, row.label, row.after = "library", "library call", [comment(FREE, "green")]
    return [row]


def _wake(step: Step, figure: Figure) -> list[Row]:
    text = f"wakes tid {step.get('tid')}"
    kernel = text if len(text) <= _WAKE_CELLS else f"wakes {step.get('tid')}"
    return [Row(step["at_ns"], 3, kernel=kernel)]


def _run(step: Step, figure: Figure) -> list[Row]:
    if any((away["end_ns"], away["tid"]) == (step["at_ns"], step["tid"]) for away in figure.aways):
        return []  # the end of that time without a CPU has a row
    helper = figure.is_helper(step.get("tid"))
    slept = any(its["kind"] == "call" and its.get("tid") == step.get("tid") for its in figure.steps)
    return [Row(step["at_ns"], 3, "has a CPU again" if slept else "has a CPU", by_helper=helper)]


def _wait(step: Step, figure: Figure) -> list[Row]:
    """A wait inside the receive, or several: from falling asleep to having a CPU again."""
    helper, count = figure.is_helper(step.get("tid")), _count(step)
    text = "waits for the rest" if count == 1 else f"waits × {number(count)}"
    asleep = comment(f"blocked {duration(step['blocked_ns'])}", "cyan", helper)
    falls = Row(step["at_ns"], 5, text, "", helper, kernel="no more data", after=[asleep])
    return [falls, Row(step["end_ns"], 5, "has a CPU again", by_helper=helper)]


def _away(step: Step, figure: Figure) -> list[Row]:
    """The thread loses its CPU, and gets one again."""
    if not any(step is shown for shown in figure.aways):
        return []
    helper, took = figure.is_helper(step.get("tid")), duration(step["end_ns"] - step["at_ns"])
    if step.get("state") == "preempted":
        text, style, kernel = f"preempted {took}", "red", _next(step)
    else:
        text, style, kernel = f"sleeps {took}", "cyan", f"({clean(step.get('call') or 'no call')}"
        kernel = kernel[: _WAKE_CELLS - 1] + ")"
    row = Row(step["at_ns"], 2, text, style, helper, kernel=kernel, kernel_style="dim")
    return [row, Row(step["end_ns"], 3, "has a CPU again", by_helper=helper)]


def _next(step: Step) -> str:
    """Who got the CPU, in the kernel's column."""
    gets = step.get("next")
    if gets is None:
        return "to: not recorded"
    if not gets["tid"]:
        return "CPU is idle"
    return clean(f"to {gets.get('name') or gets['tid']}")[:_WAKE_CELLS]


def _handover(step: Step, figure: Figure) -> list[Row]:
    row = Row(step["at_ns"], 2, f"wakes thread {step.get('to')}", kernel=_through(step))
    return [row]


def _through(step: Step) -> str:
    """In which call the thread slept that is woken."""
    name = clean(step.get("through") or "?")
    return f"by a {name}" if name == "futex" else f"from {name}"


def _request(step: Step, figure: Figure) -> list[Row]:
    event = step.get("what")
    text = REQUESTS.get(event or "", clean(event or "?"))
    return [Row(step["at_ns"], 1, kernel=text)]


def _signal(step: Step, figure: Figure) -> list[Row]:
    name, rows = clean(step.get("name")), []
    if step.get("generated_ns") is not None:
        rows.append(Row(_sent(step, figure), 2, kernel=f"sends {name}"))
    handled = not step.get("taken")  # else a call returns with it
    if step.get("delivered_ns") is not None and handled:
        row = Row(step["delivered_ns"], 5, "signal handler", "bold")
        row.arrow, row.label, row.label_style = "return", name, "yellow"
        rows.append(row)
    return rows


def _sent(step: Step, figure: Figure) -> int:
    """When the signal was sent (ns): by the waking of the thread that took it, at the latest. The kernel tells of the
    signal only after that (kernel/signal.c: complete_signal wakes, trace_signal_generate comes last)."""
    sent: int = step["generated_ns"]
    ready = figure.times["ready"]
    if not step.get("taken") or ready is None:
        return sent
    wakes: list[int] = [its["at_ns"] for its in figure.steps if its["kind"] == "wake"]
    return min((wake for wake in wakes if ready <= wake <= sent), default=sent)


def _arrival(step: Step, figure: Figure) -> list[Row]:
    """Data that came after that of the operation: it may be what wakes the thread."""
    count = _count(step)
    kernel = "more data comes" if count == 1 else f"{number(count)} more arrive"
    return [Row(step["at_ns"], 1, kernel=kernel, kernel_style="green")]


def _handler_end(step: Step, figure: Figure) -> list[Row]:
    helper = figure.is_helper(step.get("tid"))
    return [Row(step["at_ns"], 6, "handler ends", "", helper, "call", RETURNS_FROM_HANDLER)]


def _send(step: Step, figure: Figure) -> list[Row]:
    """The sender's call; where it began before the data was asked for, its return alone."""
    enters = Row(step["enter_ns"], -2, "send", "bold", arrow="call", label="system call")
    returns = Row(step["exit_ns"], 8, arrow="return", label="return")
    enters.by_sender = returns.by_sender = True
    ask = figure.times["ask"]
    return [returns] if ask is not None and step["enter_ns"] < ask else [enters, returns]


_DRAWN: dict[str, Callable[[Step, Figure], list[Row]]] = {
    "call": _call,
    "send": _send,
    "more": _more,
    "library": _library,
    "wake": _wake,
    "run": _run,
    "wait": _wait,
    "away": _away,
    "handover": _handover,
    "request": _request,
    "arrival": _arrival,
    "signal": _signal,
    "handler_end": _handler_end,
}


# boundaries


def boundary_rows(figure: Figure, rows: list[Row]) -> list[Row]:
    """Rows for the boundaries at whose time none of `rows`, the steps' rows, stands."""
    taken_ns = {row.time_ns for row in rows if not row.by_sender}
    return [*_ask_row(figure, taken_ns), *_kernel_rows(figure), *_done_row(figure, taken_ns)]


def _ask_row(figure: Figure, taken_ns: set[int | None]) -> list[Row]:
    ask = figure.times["ask"]
    if ask is None or ask in taken_ns:
        return []
    return [Row(ask, -1, _tilde(figure, "ask") + "wants the data", "bold")]


def _kernel_rows(figure: Figure) -> list[Row]:
    """Readiness and the copy; one row for all of them where a device did both."""
    times = figure.times
    if figure.operation.get("how") in BY_DEVICE and times["ready"] == times["copy_end"]:
        row = _kernel_row(figure, "copy_end", 1, "DEVICE IS DONE", "bold green")
        row.marks = {"ready", "copy_start", "copy_end"}
        return [row]
    early = times["ask"] == times["ready"] and figure.operation.get("queued_ns")
    begins, ends = MOVED if figure.moved else COPIED
    wordings = (
        ("ready", 1, "data was there" if early else "DATA READY", "bold green"),
        ("copy_start", 4, begins, "bold magenta"),
        ("copy_end", 6, ends, "magenta"),
    )
    return [_kernel_row(figure, *wording) for wording in wordings if times[wording[0]] is not None]


def _kernel_row(figure: Figure, boundary: str, order: int, text: str, style: str) -> Row:
    kernel = _tilde(figure, boundary) + text
    time_ns = figure.times[boundary]
    return Row(time_ns, order, kernel=kernel, kernel_style=style, marks={boundary})


def _done_row(figure: Figure, taken_ns: set[int | None]) -> list[Row]:
    done = figure.times["done"]
    if figure.finds_completion and done is not None:
        return [Row(done, 7, "~ finds completion", "green")]
    if done is None or done in taken_ns or done == figure.times["copy_end"]:
        return []
    in_thread = figure.operation.get("how") == "thread"
    text = "a new thread is told" if in_thread else "knows it is done"
    return [Row(done, 7, _tilde(figure, "done") + text, "green")]


def _tilde(figure: Figure, boundary: str) -> str:
    return "~ " if boundary in figure.estimated else ""
