"""The listing of events as text, one line each, much as strace -f writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from tracer.output.format import Format, Kind, Options, Result
from tracer.output.units import clean, to_ascii

Event: TypeAlias = Result  # as tracer/analysis/listing gives them
_AT_ONCE = 1000  # lines in a piece
_OTHERS: dict[str, Callable[[Event], str]] = {
    "signal": lambda event: f"--- {event['name']} {{si_code={event['code']}}} ---",
    "library": lambda event: f"{event['name']}(fd={event['fd']})  [C library]",
    "created": lambda event: f"+++ created by {event['by']} in process {event['process']} +++",
    "attached": lambda event: f"+++ attached, of process {event['process']} +++",
    "started": lambda event: f"+++ started, process {event['process']} +++",
    "exited": lambda event: f"+++ {event['how']} +++",
}


def lines(events: Iterable[Event]) -> Iterator[str]:
    """Milliseconds since the start, thread, and what happened; a call stands where it returned, with the time of its
    entry and, in <>, the seconds it took."""
    yield f"{'ms':>14}  {'tid':>7}  event"
    for event in events:
        text = _call(event) if event["kind"] in ("call", "open") else _OTHERS[event["kind"]](event)
        yield f"{event['time_ns'] / 1e6:14.6f}  {event['tid']:>7}  {clean(text)}"


def _call(event: Event) -> str:
    words = []
    for name, value in event["arguments"]:
        if name == "fd":
            words.append(
                f"{value}<{event['file']}>" if event["file"] and not event["opens"] else value
            )
        elif name == "dirfd":
            words.append(value)
        else:
            words.append(f"{name}={value}")
    text = f"{event['name']}({', '.join(words) or '…'}"
    if event["kind"] == "open":
        return f"{text} <unfinished ...>"
    if event.get("trapped"):
        return f"{text}) = ? <trapped by a filter: SIGSYS>"
    failure = f" {event['error']} ({event['message']})" if "error" in event else ""
    opened = f"<{event['file']}>" if event["opens"] and event["file"] else ""
    result = hex(event["result"]) if event["result"] >> 32 > 0 else event["result"]  # an address
    if event.get("unentered"):
        return f"{text}) = {result}{opened}{failure} <not entered: a filter or tracer answered>"
    longer = ">" if event["entered_before"] else ""  # it was inside when iotrace came
    return f"{text}) = {result}{opened}{failure} <{longer}{event['duration_ns'] / 1e9:.6f}>"


def _in_pieces(events: Iterable[Event], options: Options) -> Iterator[str]:
    remaining = lines(events)
    unicode = options.unicode and "ascii" not in options.switches
    while batch := list(islice(remaining, _AT_ONCE)):
        piece = "\n".join(batch) + "\n"
        yield piece if unicode else to_ascii(piece)


FORMAT = Format(renders={Kind.LISTING: _in_pieces})
