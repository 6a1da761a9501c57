"""Which signal told a thread that there is data (docs/model.md): signals taken one by one."""

from __future__ import annotations

from dataclasses import dataclass

from reference.story import Call, Signal, Story

SIGIO, SIGRTMIN = 29, 32
SI_ASYNCIO = -4
POLL_CODES = range(1, 7)  # POLL_IN to POLL_HUP


@dataclass
class Told:
    """A thread was told of a signal: when, which one, when it was sent (0: not seen), why, of which descriptor (None:
    it does not say), and whether it waited for it."""

    time: int
    number: int
    generated: int
    code: int
    fd: int | None
    by_sigwait: bool


def says_data(number: int, code: int) -> bool:
    """Whether a signal says that there is data."""
    if number == SIGIO:
        return code != SI_ASYNCIO
    return number >= SIGRTMIN and code in POLL_CODES


def told(story: Story, tid: int) -> list[Told]:
    """All signals that a thread was told of, in the order in which it was told."""
    pending: dict[int, Signal] = {}  # a signal that is pending is not sent again
    found = []
    for _, what, happening in sorted(_happenings(story, tid), key=lambda its: its[:2]):
        if what == "generated" and isinstance(happening, Signal):
            matters = says_data(happening.number, happening.code) or happening.code == SI_ASYNCIO
            if matters:
                pending.setdefault(happening.number, happening)
        elif what == "handled" and isinstance(happening, Signal):
            sent = pending.pop(happening.number, None)
            assert happening.delivered is not None
            generated = sent.generated or 0 if sent else 0
            found.append(
                Told(
                    happening.delivered,
                    happening.number,
                    generated,
                    happening.code,
                    named(happening),
                    False,
                )
            )
        elif isinstance(happening, Call):
            sent = pending.pop(happening.result, None)
            if sent is not None:  # else there is no telling why it was sent
                generated = sent.generated or 0
                found.append(
                    Told(happening.end, sent.number, generated, sent.code, named(sent), True)
                )
    return found


def that_counts(story: Story, tid: int, since: int, until: int) -> Told | None:
    """The last signal that said that there is data, told after `since` (ns) and not after `until`."""
    of_data = [
        its
        for its in told(story, tid)
        if says_data(its.number, its.code) and since < its.time <= until
    ]
    return of_data[-1] if of_data else None


def named(signal: Signal) -> int | None:
    """The descriptor that its siginfo names: only F_SETSIG makes it do so."""
    return signal.fd if signal.number != SIGIO and signal.code in POLL_CODES else None


def _happenings(story: Story, tid: int) -> list[tuple[int, str, Signal | Call]]:
    """(when, "generated", "handled" or "taken", what): in this order where they come at one time."""
    found: list[tuple[int, str, Signal | Call]] = []
    for signal in story.signals:
        if signal.tid == tid and signal.generated is not None:
            found.append((signal.generated, "generated", signal))
        if signal.tid == tid and signal.delivered is not None:
            found.append((signal.delivered, "handled", signal))
    for call in story.calls:
        if call.tid == tid and call.name == "rt_sigtimedwait" and call.result > 0:
            found.append((call.end, "taken", call))
    return found
