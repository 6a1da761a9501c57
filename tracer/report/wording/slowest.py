"""Why operations were slow, as the report has it (`slowest`, on request): each fact as a sentence."""

from __future__ import annotations

from typing import Any, ClassVar, assert_never

from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.slowest import (
    IDLE,
    NOT_SEEN,
    AsleepIn,
    Computed,
    Copied,
    HandedOver,
    InCall,
    NoCpu,
    NoData,
    Sent,
    Slowest,
    Why,
    WokenLate,
)
from tracer.analysis.steps.step import ReportPart, Results
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.report.contract import SlowReason

_WHILE = {
    "notice": "while its data lay there",
    "copy": "during the copy",
    "completion": "after the copy, before it knew",
}
_SCALES = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"))


class SlowestPart(ReportPart):
    """The report's `slowest`."""

    NEEDS = (Slowest, ThreadStates, Identity)
    ON_REQUEST: ClassVar[str] = "slowest"

    def finish(self, results: Results) -> dict[str, Any]:
        names = _Names(results)
        return {
            "slowest": [
                {
                    "index": slow.index,
                    "phases": slow.phases,
                    "reasons": [_reason(fact, names) for fact in slow.why],
                }
                for slow in results[Slowest]
            ]
        }


class _Names:
    """What threads are called."""

    def __init__(self, results: Results) -> None:
        self._names = {thread.tid: thread.name for thread in results[ThreadStates]}
        self._identity = results[Identity]

    def of(self, tid: int) -> str | None:
        """A thread's name and ID; None where there is no such."""
        if tid in (IDLE, NOT_SEEN):
            return None
        shown = self._identity.shown({"tid": tid})["tid"]
        if tid not in self._names:
            return f"thread {shown} (not traced)"
        return f"{self._names[tid] or 'thread'} ({shown})"


def _reason(fact: Why, names: _Names) -> SlowReason:
    match fact:
        case NoData():
            return {"what": "no data", "who": None, "ns": fact.ns, "text": _no_data(fact)}
        case Sent(ns, tid):
            who = names.of(tid)
            return {"what": "sender", "who": who, "ns": ns, "text": _sent(fact, who)}
        case WokenLate(ns, waker):
            who = names.of(waker)
            by = f"by {who}" if who else "by an interrupt"
            text = f"{time(ns)} passed from the data's arrival until it was woken, {by}"
            return {"what": "wake-up", "who": who, "ns": ns, "text": text}
        case HandedOver(ns, teller):
            who = names.of(teller)
            text = f"{time(ns)} passed from the data's arrival until {who} was told, which handed it over"
            return {"what": "handed over", "who": who, "ns": ns, "text": text}
        case NoCpu(ns, holder, phase):
            who = names.of(holder)
            text = f"{time(ns)} it waited for a CPU {_WHILE[phase]}: {_held(holder, who)}"
            return {"what": "no CPU", "who": who, "ns": ns, "text": text}
        case AsleepIn(ns, call, waker, phase):
            who = names.of(waker)
            where = f"in {call} " if call else ""
            ended = f", until {who} woke it" if who else ""
            text = f"{time(ns)} it slept {where}{_WHILE[phase]}{ended}"
            return {"what": "asleep", "who": who, "ns": ns, "text": text}
        case _:
            return _own(fact)


def _own(fact: InCall | Computed | Copied) -> SlowReason:
    """What the thread did itself."""
    match fact:
        case InCall(ns, call, phase):
            text = f"{time(ns)} it was in {call} {_WHILE[phase]}"
            return {"what": "in a call", "who": None, "ns": ns, "text": text}
        case Computed(ns, phase):
            text = f"{time(ns)} it computed {_WHILE[phase]}"
            return {"what": "computing", "who": None, "ns": ns, "text": text}
        case Copied(ns, count):
            text = f"{time(ns)} the call that brought {count:,} bytes took"
            return {"what": "copy", "who": None, "ns": ns, "text": text}
        case _:
            assert_never(fact)


def _no_data(fact: NoData) -> str:
    text = f"{time(fact.ns)} no data had come"
    if fact.asleep * 2 >= fact.ns:
        return f"{text}: the thread slept" + (f" in {fact.call}" if fact.call else "")
    if fact.runnable * 2 >= fact.ns:
        return f"{text}: the thread waited for a CPU meanwhile"
    if fact.asked > 1:
        return f"{text}: the thread asked {fact.asked:,} times"
    return f"{text}: the thread went on executing"


def _sent(fact: Sent, who: str | None) -> str:
    if who is None:
        return "it was brought by an interrupt on an idle CPU: from a network, a device or a timer"
    if not fact.traced:
        return f"it came while {who} had that CPU: it sent the data, or was interrupted for it"
    busy = fact.ns - fact.asleep - fact.runnable
    did = max(
        (fact.asleep, f"slept {time(fact.asleep)} of that time"),
        (fact.runnable, f"waited {time(fact.runnable)} of that time for a CPU"),
        (busy, f"had a CPU for {time(busy)} of that time"),
    )
    return f"it came from {who}, or as that was interrupted; it {did[1]}"


def _held(holder: int, who: str | None) -> str:
    if who:
        return f"{who} had it last"
    return "it was idle" if holder == IDLE else "who had it was not seen"


def time(ns: int) -> str:
    """A time in three digits, as a person would say it."""
    for scale, unit in _SCALES:
        if ns >= scale:
            return f"{ns / scale:.3g} {unit}"
    return f"{ns} ns"
