"""Which aio_read a receive serves, and what told the program of it (docs/model.md), request by request."""

from __future__ import annotations

from reference import signals
from reference.order import Operation
from reference.story import Call, Story


def served(story: Story, receives: list[Call]) -> list[tuple[int, int] | None]:
    """For each receive, in the order of their ends, when the aio_read that it serves was called, and by whom; None: it
    serves none. Requests on one descriptor are served in the order in which they were made."""
    waiting = sorted(story.aio_reads)
    found: list[tuple[int, int] | None] = []
    for call in receives:
        mine = [its for its in waiting if its[2] == call.fd and its[0] <= call.end]
        if mine:
            waiting.remove(mine[0])
            found.append(mine[0][:2])
        else:
            found.append(None)
    return found


def complete(story: Story, operations: list[Operation]) -> None:
    """Sets when the program knew of each that an aio_read asked for, in place, and what told it."""
    mine = sorted(
        (op for op in operations if op.wait_kind == "posix-aio"), key=lambda op: op.copy_end
    )
    untold = list(mine)
    for signal in completions(story):
        first = next((op for op in untold if op.copy_end <= signal.time), None)
        if first is not None:  # the process' completions are told in their order
            untold.remove(first)
            first.done, first.completion_kind = signal.time, "signal"
            first.more |= {
                "signal": signal.number,
                "generated": signal.generated,
                "delivered": signal.time,
            }
    for op in untold:
        notice(story, op, untold)


def completions(story: Story) -> list[signals.Told]:
    """The signals that say that a request is complete, in the order in which a thread was told."""
    tids = {signal.tid for signal in story.signals}
    told = [its for tid in tids for its in signals.told(story, tid)]
    return sorted((its for its in told if its.code == signals.SI_ASYNCIO), key=lambda its: its.time)


def notice(story: Story, op: Operation, untold: list[Operation]) -> None:
    """What told of one that no signal told of: a thread that the helper made, aio_suspend, or nothing that is seen."""
    later = [its for its in untold if its.receiver_tid == op.receiver_tid]
    again = min((its.copy_end for its in later if its.copy_end > op.copy_end), default=None)
    ran = thread_that_tells(story, op, again)
    if ran is not None:
        op.done, op.completion_kind = max(op.done, ran), "thread"
        return
    woken = suspended(story, op)
    if woken is not None:
        op.done, op.completion_kind = max(op.done, woken), "suspend"
        return
    op.estimated.add("done")  # the program may look for itself
    asks = [its.ask for its in untold if its.tid == op.tid and its.ask >= op.copy_end]
    called = [time for time, tid in story.suspends if tid == op.tid and time >= op.copy_end]
    if called and (not asks or min(called) < min(asks)):
        op.done, op.completion_kind = max(op.done, min(called)), "suspend"


def thread_that_tells(story: Story, op: Operation, again: int | None) -> int | None:
    """When the thread that the helper made after its receive first ran; None: it made none before it received again."""
    made = [
        its for its in sorted(story.born) if its[2] == op.receiver_tid and its[0] >= op.copy_end
    ]
    if not made or (again is not None and made[0][0] >= again):
        return None
    return made[0][3]


def suspended(story: Story, op: Operation) -> int | None:
    """When the aio_suspend returned in which the asking thread was when the data came; None: it was in none."""
    futexes = [its for its in story.calls if its.name == "futex" and its.tid == op.tid]
    ended = sorted((its for its in futexes if its.end >= op.copy_end), key=lambda its: its.end)
    if not ended or ended[0].start > op.copy_end:
        return None
    called = [time for time, tid in story.suspends if tid == op.tid and time <= ended[0].start]
    return ended[0].end if called and max(called) >= op.ask else None
