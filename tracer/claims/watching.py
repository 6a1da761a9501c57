"""Claim 5: what select(2), poll(2) and epoll_wait(2) cost by the number of descriptors, and what epoll_ctl(2) costs."""

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
GROWS = 10  # at least: how many times as much a call costs with 250 times as many descriptors
STAYS = 2  # at most: the same for a call whose cost does not grow
ALIKE = 0.1  # at most: the difference between the calls with few descriptors, of the difference with many
CALLS = ("select", "poll", "epoll_wait")
SHORT_LIVED = {
    "poll": ("poll",),
    "epoll": ("epoll_ctl", "epoll_wait"),
}  # what waiting for one connection takes

# The cost of a call is the time on a CPU from entry to exit: in each round the median for each number of descriptors.


def judge(runs: Runs) -> Judgement:
    """How the cost of each call grows from the fewest descriptors to the most; how the calls differ with the fewest;
    the cost of one short-lived connection with poll and with epoll."""
    findings = Findings()
    rounds = [{call: _by_size(run, call) for call in CALLS} for run in runs["many"]]
    if not all(by_size for medians in rounds for by_size in medians.values()):
        return Judgement(Verdict.UNTESTED, "", "select, poll and epoll_wait were not all called")
    fewest, most_fds = min(rounds[0]["poll"]), max(rounds[0]["poll"])
    growth = {
        call: spread(_last(medians[call]) / _first(medians[call]) for medians in rounds)
        for call in CALLS
    }
    at_fewest = {call: spread(_first(medians[call]) for medians in rounds) for call in CALLS}
    at_most = {call: spread(_last(medians[call]) for medians in rounds) for call in CALLS}
    findings.must(most_fds > 16 * fewest, "the numbers of descriptors hardly differ")
    for call in ("select", "poll"):
        findings.must(growth[call].least >= GROWS, f"{call} does not grow with the number")
    findings.must(growth["epoll_wait"].most <= STAYS, "epoll_wait grows with the number")
    _alike_when_few(at_fewest, at_most, fewest, findings)
    if not all(
        len(run.of_class(call)) for run in runs["short-lived"] for call in SHORT_LIVED["epoll"]
    ):
        return Judgement(Verdict.UNTESTED, "", "there were no short-lived connections")
    poll, epoll, calls = _short_lived(runs["short-lived"])
    findings.must(
        epoll.middle > poll.middle and epoll.apart_from(poll),
        "epoll_ctl costs a short connection nothing",
    )
    costs = ", ".join(
        f"{call} {time(at_fewest[call].middle)} → {time(at_most[call].middle)} ({ratio(growth[call].middle)})"
        for call in CALLS
    )
    return findings.judgement(
        f"{fewest} → {most_fds} descriptors: {costs}; a connection of one message: epoll {calls['epoll']:.0f} calls, "
        f"{time(epoll.middle)}, poll {calls['poll']:.0f} call, {time(poll.middle)}"
    )


def _alike_when_few(
    few: dict[str, Spread], many: dict[str, Spread], least: int, findings: Findings
) -> None:
    """Checks that the calls differ little with the fewest descriptors, compared with the most."""
    dear = max(few, key=lambda call: few[call].middle)
    cheap = min(few, key=lambda call: few[call].middle)
    difference_ns = few[dear].middle - few[cheap].middle
    unlike = (
        f"with {least} descriptors {dear} costs {time(difference_ns)} more than {cheap} "
        f"({ratio(few[dear].middle / few[cheap].middle)})"
    )
    widest_ns = max(spread_ns.middle for spread_ns in many.values()) - min(
        spread_ns.middle for spread_ns in many.values()
    )
    findings.must(difference_ns < ALIKE * widest_ns, unlike)
    if few[dear].apart_from(few[cheap]):
        findings.but.append(unlike)


def _by_size(run: TraceView, call: str) -> dict[int, float]:
    """Number of descriptors → median time on a CPU of a call (ns). The number is poll's second argument, or how many
    epoll_ctl added; for select, which does not pass it, the highest descriptor stands for it."""
    calls = run.of_class(call)
    calls = calls.take(calls.result > 0)
    cpu_ns = calls.end - calls.start - calls.slept
    keys = {"select": calls.fd, "poll": calls.arg.astype(np.int64), "epoll_wait": calls.fd}[call]
    medians = {key: float(np.median(cpu_ns[keys == key])) for key in np.unique(keys).tolist()}
    if call == "epoll_wait":
        added = of_class(run.set_up, "epoll_ctl")
        added = added.take((added.arg == syscalls.EPOLL_CTL_ADD) & (added.result == 0))
        return {int((added.fd == epoll).sum()): median for epoll, median in medians.items()}
    return medians


def _first(by_size: dict[int, float]) -> float:
    return by_size[min(by_size)]


def _last(by_size: dict[int, float]) -> float:
    return by_size[max(by_size)]


def _short_lived(rounds: Sequence[TraceView]) -> tuple[Spread, Spread, dict[str, float]]:
    """(cost of waiting for one connection with poll, ns; the same with epoll; calls per connection of each)."""
    costs: dict[str, list[float]] = {"poll": [], "epoll": []}
    calls: dict[str, float] = {}
    for run in rounds:
        for interface, names in SHORT_LIVED.items():
            of_way = [run.of_class(name) for name in names]
            costs[interface].append(
                sum(
                    float(np.median(calls_of_name.end - calls_of_name.start))
                    for calls_of_name in of_way
                )
            )
            calls[interface] = sum(len(calls_of_name) for calls_of_name in of_way) / run.messages
    return spread(costs["poll"]), spread(costs["epoll"]), calls
