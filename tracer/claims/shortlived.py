"""Claim 14: what a connection costs that brings one message; from poll(2), epoll_ctl(2) and epoll_wait(2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted, count, ratio, spread
from tracer.claims.costs import shown
from tracer.claims.rounds import above, below, times
from tracer.claims.trace_view import TraceView

NUMBER = 14
NAME = "short-lived"
SENTENCE = (
    "With short-lived connections epoll takes a call more, epoll_ctl, and costs more than poll."
)
CLAUSES = ("epoll takes a call more than poll", "epoll costs more than poll")
SOURCE = (
    "Gammo, Brecht, Shukla and Pariag, Comparing and Evaluating epoll, select, and poll Event Mechanisms, Ottawa Linux "
    "Symposium 2004, vol. 1, p. 215 (page from memory), abstract: much time in very many epoll_ctl "
    "calls; but of the whole server, without idle connections: select and poll perform comparably"
)
RUNS = {"short-lived": Wanted("trials.shortlived", messages=300, proto="none", compared=True)}
WAYS = {"poll": ("poll",), "epoll": ("epoll_ctl", "epoll_wait")}  # what waiting for one takes


def judge(runs: Runs) -> Judgement:
    """The calls of one connection, and what they cost, by poll and by epoll."""
    findings = Findings()
    made = {way: [_calls(run, names) for run in runs["short-lived"]] for way, names in WAYS.items()}
    if not all(min(of_way) for of_way in made.values()):
        return Judgement(Verdict.UNTESTED, "", "there were no short-lived connections")
    cost = {way: _costs(runs["short-lived"], names) for way, names in WAYS.items()}
    findings.must(
        above([epoll - poll for epoll, poll in zip(made["epoll"], made["poll"], strict=True)], 1),
        "epoll does not take a call more",
    )
    findings.must(below(cost["poll"], cost["epoll"]), "epoll does not cost more than poll")
    each = ", ".join(
        f"{way} {count(spread(made[way]).middle)} "
        f"{'call' if spread(made[way]).middle == 1 else 'calls'}, {shown(cost[way])}"
        for way in ("epoll", "poll")
    )
    more = ratio(times(cost["epoll"], cost["poll"]))
    return findings.judgement(f"a connection of one message: {each} ({more})")


def _calls(run: TraceView, names: tuple[str, ...]) -> float:
    """Calls a connection."""
    return sum(len(run.of_class(name)) for name in names) / run.messages


def _costs(rounds: Sequence[TraceView], names: tuple[str, ...]) -> list[float]:
    """Time in these calls, a connection, ns: by the median of each call in each round, and how often it was made."""
    return [
        sum(
            float(np.median(calls.end - calls.start)) * len(calls) / run.messages
            for name in names
            if len(calls := run.of_class(name))
        )
        for run in rounds
    ]
