"""What is said below the figure: which operation it is, and where this kernel does otherwise than the textbook."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.figure.rows import Figure
from tracer.output.format import Result
from tracer.output.units import duration, plural


def caption(figure: Figure, count: int) -> str:
    """The operation that is drawn, of `count`: how much it received, and how long it took. Where not all of them are of
    its kind, it is the median of those that are."""
    size, total = figure.operation.get("bytes"), figure.between("ask", "done")
    facts = [plural(size, "byte")] if size is not None else []
    facts += [f"{duration(total)} from asking to done"] if total is not None else []
    return f"{_which(figure, count)}: {', '.join(facts)}."


def _which(figure: Figure, count: int) -> str:
    if count <= 1:
        return "The only operation"
    operation, alike = f"Operation {figure.operation['index']}, the", figure.drawn.get("of", count)
    if alike == 1:
        return f"{operation} only one of its kind"
    return f"{operation} median of {alike:,}" + (" of its kind" if alike < count else "")


def notes_of(figure: Figure, brief: bool = False) -> Iterator[str]:
    """Sentences about what the textbook's figure does not show; brief: without those about what the rows show."""
    if queued := figure.operation.get("queued_ns"):
        yield f"The data had been in the queue for {duration(queued)} before it was asked for."
    if inside := figure.operation.get("waits_inside"):
        yield (
            f"After its first bytes the receive waited {plural(len(inside), 'time')} for the rest, "
            f"{duration(figure.waited_inside())} in all: that is wait, not copy."
        )
    aways = [step["end_ns"] - step["at_ns"] for step in figure.steps if step["kind"] == "away"]
    if rest := sorted(aways)[: -len(figure.aways) or None]:
        times = plural(len(rest), "more time" if figure.aways else "time")
        yield f"Without a CPU {times}, for {duration(sum(rest))} in all."
    if figure.finds_completion:
        yield (
            "The completion lies in memory that the program shares with the kernel: it finds it without a call, "
            "and when is not seen. Done stands at the copy's end."
        )
    if not brief:
        yield from _of_the_sender(figure)
    if figure.operation.get("handover"):
        yield "Not in the textbook: told in one thread, received in another."
    elif figure.helper is not None and figure.helper_reads:
        yield (
            f"Not in the textbook: a second thread ({figure.helper}) waits and receives in its place."
        )
    elif figure.asleep_in_submission:
        yield f"Not in the textbook: {figure.asleep_in_submission} itself slept; asking was not free."


def _of_the_sender(figure: Figure) -> Iterator[str]:
    """Where in the sender's own call the data was made ready."""
    send, ready = figure.send, figure.times["ready"]
    if not send or ready is None:
        return
    if ready > send["exit_ns"]:
        yield f"The send had returned {duration(ready - send['exit_ns'])} before the data was there."
        return
    yield f"Not in the textbook: {duration(send['exit_ns'] - ready)} of the sender's own send follow DATA READY."


def nothing_to_draw(report: Result) -> str:
    """Why there is no figure."""
    if report.get("self_wakeups"):
        return "No operation to draw: what came in, the program's own threads had written."
    return "No operation to draw: no call or completion that says anything brought data in."
