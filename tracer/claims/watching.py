"""Claim 5: what select(2), poll(2) and epoll_wait(2) cost by the number of descriptors, and epoll_ctl(2) beside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracer.claims.claim import (
    Findings,
    Judgement,
    Runs,
    Spread,
    Verdict,
    Wanted,
    ratio,
    spread,
    time,
)
from tracer.claims.trace_view import TraceView, of_class
from tracer.kernel import syscalls

NUMBER = 5
NAME = "watching"
SENTENCE = (
    "select's and poll's cost per call grows with the number of descriptors watched, epoll's does not; with "
    "few descriptors they do not differ; with short-lived connections epoll_ctl costs."
)
SOURCE = "Kerrisk, TLPI 63.4.5; epoll(7)"
RUNS = {
    "many": Wanted("trials.watching", messages=40, proto="none", compared=True),
    "short-lived": Wanted("trials.shortlived", messages=300, proto="none", compared=True),
}
GROWS = 10  # times what a call on the fewest costs, for 250 times as many
STAYS = 2
ALIKE = 0.1  # with few descriptors the calls differ by less than so much of what they differ by with many
CALLS = ("select", "poll", "epoll_wait")
SHORT_LIVED = {
    "poll": ("poll",),
    "epoll": ("epoll_ctl", "epoll_wait"),
}  # what waiting for one connection takes

# Of each call the time on a CPU from entry to exit is taken, in each round its median for each number of descriptors.


def judge(runs: Runs) -> Judgement:
    """The growth of each call from the fewest descriptors to the most; the calls with the fewest beside each other;
    what one short-lived connection costs either way."""
    found = Findings()
    rounds = [{call: _by_size(run, call) for call in CALLS} for run in runs["many"]]
    if not all(by_size for its in rounds for by_size in its.values()):
        return Judgement(Verdict.UNTESTED, "", "select, poll and epoll_wait were not all called")
    least, most = min(rounds[0]["poll"]), max(rounds[0]["poll"])
    growth = {
        call: spread(_last(its[call]) / _first(its[call]) for its in rounds) for call in CALLS
    }
    few = {call: spread(_first(its[call]) for its in rounds) for call in CALLS}
    many = {call: spread(_last(its[call]) for its in rounds) for call in CALLS}
    found.must(most > 16 * least, "the numbers of descriptors hardly differ")
    for call in ("select", "poll"):
        found.must(growth[call].least >= GROWS, f"{call} does not grow with the number")
    found.must(growth["epoll_wait"].most <= STAYS, "epoll_wait grows with the number")
    _alike_when_few(few, many, least, found)
    if not all(
        len(run.of_class(call)) for run in runs["short-lived"] for call in SHORT_LIVED["epoll"]
    ):
        return Judgement(Verdict.UNTESTED, "", "there were no short-lived connections")
    poll, epoll, calls = _short_lived(runs["short-lived"])
    found.must(
        epoll.middle > poll.middle and epoll.apart_from(poll),
        "epoll_ctl costs a short connection nothing",
    )
    costs = ", ".join(
        f"{call} {time(few[call].middle)} → {time(many[call].middle)} ({ratio(growth[call].middle)})"
        for call in CALLS
    )
    return found.judgement(
        f"{least} → {most} descriptors: {costs}; a connection of one message: epoll {calls['epoll']:.0f} calls, "
        f"{time(epoll.middle)}, poll {calls['poll']:.0f} call, {time(poll.middle)}"
    )


def _alike_when_few(
    few: dict[str, Spread], many: dict[str, Spread], least: int, found: Findings
) -> None:
    """What the calls differ by with the fewest descriptors, beside what they differ by with the most."""
    dear = max(few, key=lambda call: few[call].middle)
    cheap = min(few, key=lambda call: few[call].middle)
    more = few[dear].middle - few[cheap].middle
    unlike = (
        f"with {least} descriptors {dear} costs {time(more)} more than {cheap} "
        f"({ratio(few[dear].middle / few[cheap].middle)})"
    )
    widest = max(its.middle for its in many.values()) - min(its.middle for its in many.values())
    found.must(more < ALIKE * widest, unlike)
    if few[dear].apart_from(few[cheap]):
        found.but.append(unlike)


def _by_size(run: TraceView, call: str) -> dict[int, float]:
    """Median ns on a CPU of a call on so many descriptors: as the kernel was told of them by poll's second argument
    and by epoll_ctl; select is told of the highest one alone, which stands in their place."""
    calls = run.of_class(call)
    calls = calls.take(calls.result > 0)
    took = calls.end - calls.start - calls.slept
    key = {"select": calls.fd, "poll": calls.arg.astype(np.int64), "epoll_wait": calls.fd}[call]
    medians = {its: float(np.median(took[key == its])) for its in np.unique(key).tolist()}
    if call == "epoll_wait":
        added = of_class(run.set_up, "epoll_ctl")
        added = added.take((added.arg == syscalls.EPOLL_CTL_ADD) & (added.result == 0))
        return {int((added.fd == epoll).sum()): its for epoll, its in medians.items()}
    return medians


def _first(by_size: dict[int, float]) -> float:
    return by_size[min(by_size)]


def _last(by_size: dict[int, float]) -> float:
    return by_size[max(by_size)]


def _short_lived(rounds: Sequence[TraceView]) -> tuple[Spread, Spread, dict[str, float]]:
    """(ns that waiting for one connection costs with poll, with epoll; calls of each)."""
    costs: dict[str, list[float]] = {"poll": [], "epoll": []}
    calls: dict[str, float] = {}
    for run in rounds:
        for way, names in SHORT_LIVED.items():
            mine = [run.of_class(name) for name in names]
            costs[way].append(sum(float(np.median(its.end - its.start)) for its in mine))
            calls[way] = sum(len(its) for its in mine) / run.messages
    return spread(costs["poll"]), spread(costs["epoll"]), calls
