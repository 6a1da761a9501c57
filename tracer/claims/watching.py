"""Claim 5: how the cost of select(2), poll(2) and epoll_wait(2) grows with the number of descriptors."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, ratio, spread
from tracer.claims.costs import CALLS, RUNS, Costs, costs, growth, shown
from tracer.claims.rounds import above, under

__all__ = ["RUNS"]

NUMBER = 5
NAME = "watching"
SENTENCE = "select's and poll's cost per call grows with the number of descriptors watched, epoll's does not."
CLAUSES = ("select's cost grows", "poll's cost grows", "epoll's cost does not grow")
SOURCE = (
    "Kerrisk, TLPI, 1st ed. (2010), 63.4.5, table 63-9, p. 1365 (from memory: 10 → 1000 descriptors, poll ×57, select "
    "×48, epoll ×1.3); the same table of 2006 at man7.org/conf/lca2006/Linux_2.6_changes/epoll_2d.html (×140, ×118, "
    "×1.4)"
)
OPTIONAL = frozenset({"cold"})
GROWS = 10  # at least: how many times as much a call costs with 100 times as many descriptors
STAYS = 1.5  # less than that many times as much: it does not grow


def judge(runs: Runs) -> Judgement:
    """How the cost of each call grows from the fewest descriptors to the most, one call after the other; and where
    other work has swept the caches in between."""
    findings = Findings()
    warm = costs(runs["warm"])
    if warm is None:
        return Judgement(Verdict.UNTESTED, "", "select, poll and epoll_wait were not all called")
    fewest, most = min(warm["poll"]), max(warm["poll"])
    findings.must(most >= 25 * fewest, "the numbers of descriptors hardly differ")
    grows = {call: growth(warm[call]) for call in CALLS}
    for call in ("select", "poll"):
        findings.must(above(grows[call], GROWS), f"{call} does not grow with the number")
    findings.must(under(grows["epoll_wait"], STAYS), "epoll_wait grows with the number")
    swept, cold = "", costs(runs.get("cold", ()))
    if cold:
        swept = f"; where other work has swept the caches: {_each(cold)}"
        if not under(growth(cold["epoll_wait"]), STAYS):
            findings.but.append("where other work has swept the caches, epoll_wait grows too")
    return findings.judgement(f"{fewest} → {most} descriptors: {_each(warm)}{swept}")


def _each(found: Costs) -> str:
    return ", ".join(f"{call} {_grown(found[call])}" for call in CALLS)


def _grown(by_number: dict[int, list[float]]) -> str:
    few, many = by_number[min(by_number)], by_number[max(by_number)]
    return f"{shown(few)} → {shown(many)} ({ratio(spread(growth(by_number)).middle)})"
