"""What holds a program back, in a line."""

from __future__ import annotations

from tracer.analysis.counts.purposes import CHILDREN, SIGNALS, THREADS, TIME, WAITS
from tracer.analysis.verdict.facts import MostEventsLost
from tracer.analysis.verdict.held_back import (
    COMPUTING,
    DISK,
    ELSEWHERE,
    LOCKS,
    NEXT,
    NO_CPU,
    NOTHING,
    PEER,
    HeldBack,
)
from tracer.quantities import duration, share
from tracer.report.contract import HeldBack as Entry

_WORDS = {
    COMPUTING: "CPU: it computes",
    NO_CPU: "waiting for a CPU that other threads have",
    DISK: "disk: it waits for files",
    PEER: "a peer: it waits for answers, data or room from outside",
    LOCKS: "locks: it waits for what another thread has locked",
    NOTHING: "nothing to do",
}
_IDLE_FOR = {
    NEXT: "the next request",
    WAITS[THREADS]: "its other threads",
    WAITS[CHILDREN]: "its children",
    WAITS[TIME]: "a time to come",
    WAITS[SIGNALS]: "a signal",
}
_SHORT = {COMPUTING: "computing", PEER: "a peer"}


def entry(fact: HeldBack, lost: MostEventsLost | None) -> Entry:
    """The report's `held_back`; lost: if most events of the recording were lost, how many."""
    if lost:
        return _undecided(f"cannot tell: {lost.lost:,} of {lost.counted:,} events were lost")
    if fact.what is None:
        return _undecided(_why_not(fact))
    return {
        "what": fact.what,
        "share": round(fact.ns / fact.of_ns, 4),
        "ns": fact.ns,
        "of_ns": fact.of_ns,
        "text": f"{_WORDS[fact.what]}, {_of(fact)}",
    }


def _undecided(text: str) -> Entry:
    return {"what": None, "share": None, "ns": None, "of_ns": None, "text": text}


def _of(fact: HeldBack) -> str:
    part = f"{share(fact.ns, fact.of_ns)} of the {duration(fact.of_ns)}"
    if fact.what != NOTHING:
        return f"{part} in which there was work"
    text = f"{part} that it was seen"
    if fact.idle_for and fact.idle_for != ELSEWHERE:
        text += f", mostly waiting for {_IDLE_FOR[fact.idle_for]}"
    most = max(fact.by_ns, key=fact.by_ns.__getitem__, default=None)
    if most is None:
        return text
    work_ns = sum(fact.by_ns.values())
    part = f"{_SHORT.get(most, most)} {share(fact.by_ns[most], work_ns)}"
    return f"{text}; of its {duration(work_ns)} of work: {part}"


def _why_not(fact: HeldBack) -> str:
    work_ns = sum(fact.by_ns.values())
    if fact.unknown_ns > work_ns:
        return f"cannot tell: what {duration(fact.unknown_ns)} of waits were for was not recorded"
    if not work_ns:
        return "cannot tell: no thread was seen to do or to wait for anything"
    ordered = sorted(fact.by_ns.items(), key=lambda item: -item[1])[:3]
    parts = ", ".join(f"{_SHORT.get(what, what)} {share(ns, work_ns)}" for what, ns in ordered)
    return f"no one thing: {parts} of the {duration(work_ns)} in which there was work"
