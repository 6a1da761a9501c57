"""How a program waits, in a sentence for its model: what most of the operations did, not what the model's name lets
expect."""

from __future__ import annotations

from tracer.analysis.verdict.facts import IN_THE_ASKING, TOLD_ONLY, Manner

MOST = 0.5  # of the operations that show the model: what that many did is said of the thread
_CALLS = {"select": "select", "poll": "poll", "epoll-lt": "epoll_wait", "epoll-et": "epoll_wait"}
_OTHERS = {
    "signal": "A signal tells the thread, whatever it does, that data is there; then it receives.",
    "posix-aio": (
        "A thread of the C library's receives; the one that asked is told when the data is in its buffer."
    ),
    "linux-aio": "Reads are submitted, and their completions collected later.",
    "io-uring": "Reads are queued in a ring, and completions read from another.",
}


def sentence(manner: Manner) -> str:
    """What the thread does while it waits, and when it has been told."""
    if manner.model == "blocking":
        return _blocking(manner)
    if manner.model == "nonblocking":
        return _nonblocking(manner)
    return _multiplexed(manner) if manner.model in _CALLS else _free(manner)


def copies_in(manner: Manner) -> str:
    """The call inside which the thread that asked copied in most operations; '' if there is none."""
    if not _are_most(manner.copied_inside, manner.operations):
        return ""
    return "io_submit" if manner.model == "linux-aio" else "io_uring_enter"


def _free(manner: Manner) -> str:
    """Of a model that leaves the thread free: whether it used that."""
    if manner.waits_in and manner.model == "signal":
        return (
            f"The thread sleeps in {manner.waits_in} until a signal says that data is there; then it "
            "receives."
        )
    if manner.done == IN_THE_ASKING:
        return _in_the_asking(manner)
    if manner.done == TOLD_ONLY:
        sleeps = f", and the thread sleeps in {manner.waits_in}" * bool(manner.waits_in)
        return f"Polls are submitted{sleeps} until one says that data is there; then it receives."
    asleep = f" Until then the thread sleeps in {manner.waits_in}, by choice." * bool(
        manner.waits_in
    )
    return _OTHERS[manner.model] + asleep


def _in_the_asking(manner: Manner) -> str:
    """Of requests that the call which submitted them carried out."""
    call = "io_submit" if manner.model == "linux-aio" else "io_uring_enter"
    if manner.waits_in == call:
        return f"The thread sleeps in {call}, where it asks, until the data is there, and that call copies it."
    return f"Reads are submitted by {call}, which finds the data there and copies it."


def _blocking(manner: Manner) -> str:
    if _are_most(manner.asleep, manner.operations):
        return "The thread sleeps in the receive call until the data is there, and that call copies it."
    return "The thread would sleep in the receive call; mostly the data is there already, and it is copied."


def _nonblocking(manner: Manner) -> str:
    if manner.busy:
        return "The thread asks again and again; nothing sleeps, and waiting costs a CPU."
    return (
        "The thread asks again and again; between its questions it does something else, or sleeps."
    )


def _multiplexed(manner: Manner) -> str:
    call = _CALLS[manner.model]
    told = (
        "is told once for each arrival"
        if manner.model == "epoll-et"
        else "is told what is readable"
    )
    if _are_most(manner.handed, manner.shown):
        return f"One thread {told} by {call}, and another one receives."
    if _are_most(manner.asleep, manner.shown):
        return f"The thread sleeps in {call}, {told}, then receives."
    if _are_most(manner.elsewhere, manner.shown):
        return f"The thread sleeps in {manner.elsewhere_in}, asks {call}, {told}, then receives."
    if manner.busy:
        asks = f"The thread asks {call} again and again, which does not sleep: waiting costs a CPU."
        return f"{asks} It {told}, then receives."
    if _are_most(manner.asked, manner.shown):
        return f"The thread asks {call} now and then, {told}, then receives."
    slept = f"before {manner.asleep:,} of {manner.shown:,} receives it slept there"
    return f"The thread asks {call}, {told}, then receives; {slept}."


def _are_most(count: int, of: int) -> bool:
    return count > 0 and count >= MOST * of
