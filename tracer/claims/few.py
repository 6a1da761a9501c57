"""Claim 13: what select(2), poll(2) and epoll_wait(2) cost with few descriptors."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, percent, ratio
from tracer.claims.costs import RUNS, Costs, costs, shown
from tracer.claims.rounds import below, less, times, would_show

__all__ = ["RUNS"]

NUMBER = 13
NAME = "few"
SENTENCE = "With few descriptors, too, epoll_wait costs less than poll, and poll less than select."
PARTS = (("epoll_wait", "poll"), ("epoll_wait", "select"), ("poll", "select"))
CLAUSES = tuple(f"{less} costs less than {more}" for less, more in PARTS)
SOURCE = (
    "Kerrisk, TLPI, 1st ed. (2010), 63.4.5, table 63-9, p. 1365 (from memory: with 10, 0.61 s of poll, 0.73 of select, "
    "0.41 of epoll for 100,000 calls); the same table of 2006 at "
    "man7.org/conf/lca2006/Linux_2.6_changes/epoll_2d.html (1.12, 1.28, 0.65); otherwise libev, ev(3), "
    "EVBACKEND_EPOLL: for few descriptors a little slower than poll and select"
)
OPTIONAL = frozenset({"cold"})


def judge(runs: Runs) -> Judgement:
    """The cost of a call with the fewest descriptors, one call after the other; and where other work has swept the
    caches in between. That poll and select are not told apart is said, and is no reason against the rest."""
    findings = Findings()
    warm, cold = costs(runs["warm"]), costs(runs.get("cold", ()))
    if warm is None:
        return Judgement(Verdict.UNTESTED, "", "select, poll and epoll_wait were not all called")
    for cheaper, dearer in PARTS:
        if cheaper == "epoll_wait":
            its = below(_of(warm, cheaper), _of(warm, dearer))
            findings.must(its, f"{cheaper} does not cost less than {dearer}")
        elif (its := less(_of(warm, cheaper), _of(warm, dearer))) is not None:
            findings.must(its, f"{cheaper} does not cost less than {dearer}")
        else:
            findings.but.append(_not_told(warm, cheaper, dearer))
    swept = ""
    if cold:
        swept = f"; where other work has swept the caches: {_each(cold)}"
        findings.but += _where_swept(cold)
    return findings.judgement(f"{min(warm['poll'])} descriptors: {_each(warm)}{swept}")


def _where_swept(cold: Costs) -> list[str]:
    """The parts of the claim that do not show with swept caches, each with what shows in its place."""
    where = "where other work has swept the caches, "
    answers = [(*part, less(*(_of(cold, call) for call in part))) for part in PARTS]
    return [
        where + _not_told(cold, cheaper, dearer)
        if its is None
        else f"{where}{cheaper} costs more than {dearer}"
        for cheaper, dearer, its in answers
        if not its
    ]


def _not_told(found: Costs, one: str, other: str) -> str:
    """That two calls were not told apart, and how much would have been."""
    share = would_show(_of(found, one), _of(found, other))
    return f"{one} and {other} were not told apart ({percent(share)} would have shown)"


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
