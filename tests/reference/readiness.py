"""Which readiness belongs to which receive of a socket: docs/model.md's rule, followed receive by receive."""

from __future__ import annotations

from dataclasses import dataclass

LATE_NS = 1_000_000  # how long after a polling receive its own readiness may still come


@dataclass
class Receive:
    """A receive of one socket. empty_at: when the socket was last known to be empty (ns), None: it never was; messages:
    how many it takes."""

    end: int
    empty_at: int | None
    polled: bool
    stream: bool
    messages: int = 1


def one_by_one(receives: list[Receive], readies: list[int]) -> list[tuple[int | None, int | None]]:
    """(ready, late) of each receive of one socket, in their order; None where there is none."""
    queue = sorted(readies)
    found: list[tuple[int | None, int | None]] = []
    last_end: int | None = None
    for i, receive in enumerate(receives):
        next_end = receives[i + 1].end if i + 1 < len(receives) else None
        ready = late = spent = None
        # the socket was empty: what was ready before is spent
        while receive.empty_at is not None and queue and queue[0] < receive.empty_at:
            spent = queue.pop(0)
        soon = queue and receive.polled and (next_end is None or comes(queue, receive) <= next_end)
        soon = soon and comes(queue, receive) - receive.end < LATE_NS
        if queue and queue[0] <= receive.end:
            ready = queue.pop(0)
            taken = 1
            while (
                queue and queue[0] <= receive.end and (receive.stream or taken < receive.messages)
            ):
                queue.pop(0)
                taken += 1
            if taken < receive.messages and soon:
                queue.pop(0)  # that of its last message
        elif spent is not None and not receive.polled and (last_end is None or spent > last_end):
            ready = spent  # it came between looking and falling asleep
        elif soon:
            late = queue.pop(0)
        found.append((ready, late))
        last_end = receive.end
    return found


def comes(queue: list[int], receive: Receive) -> float:
    """The first readiness after a receive's end; never: infinity."""
    return next((time for time in queue if time > receive.end), float("inf"))
