"""Claim 13: what select(2), poll(2) and epoll_wait(2) cost with few descriptors."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, ratio
from tracer.claims.costs import RUNS, Costs, costs, shown
from tracer.claims.rounds import below, times

__all__ = ["RUNS"]

NUMBER = 13
NAME = "few"
SENTENCE = "With few descriptors, too, epoll_wait costs less than poll and select."
CLAUSES = ("epoll_wait costs less than poll", "epoll_wait costs less than select")
SOURCE = (
    "Kerrisk, TLPI, 1st ed. (2010), 63.4.5, table 63-9, p. 1365 (from memory: with 10, 0.61 s of poll, 0.73 of select, "
    "0.41 of epoll for 100,000 calls); the same table of 2006 at "
    "man7.org/conf/lca2006/Linux_2.6_changes/epoll_2d.html (1.12, 1.28, 0.65); otherwise libev, ev(3), "
    "EVBACKEND_EPOLL: for few descriptors a little slower than poll and select"
)
OPTIONAL = frozenset({"cold"})


def judge(runs: Runs) -> Judgement:
    """The cost of a call with the fewest descriptors, one call after the other; and where other work has swept the
    caches in between."""
    findings = Findings()
    warm = costs(runs["warm"])
    if warm is None:
        return Judgement(Verdict.UNTESTED, "", "select, poll and epoll_wait were not all called")
    fewest = min(warm["poll"])
    epoll = _of(warm, "epoll_wait")
    for other in ("poll", "select"):
        findings.must(below(epoll, _of(warm, other)), f"epoll_wait does not cost less than {other}")
    swept, cold = "", costs(runs.get("cold", ()))
    if cold:
        swept = f"; where other work has swept the caches: {_each(cold)}"
        if not all(below(_of(cold, "epoll_wait"), _of(cold, its)) for its in ("poll", "select")):
            findings.but.append("where other work has swept the caches, it does not show")
    return findings.judgement(f"{fewest} descriptors: {_each(warm)}{swept}")


def _of(found: Costs, call: str) -> list[float]:
    """The cost with the fewest descriptors, of each round (ns)."""
    return found[call][min(found[call])]


def _each(found: Costs) -> str:
    epoll = _of(found, "epoll_wait")
    others = ", ".join(
        f"{call} {shown(_of(found, call))} ({ratio(times(_of(found, call), epoll))})"
        for call in ("poll", "select")
    )
    return f"epoll_wait {shown(epoll)}, {others}"
