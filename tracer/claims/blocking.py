"""Claim 1: a blocking read leaves the CPU to others; from recvfrom(2) and another process on the same CPU."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Wanted, percent, span, spread
from tracer.claims.rounds import above, under
from tracer.claims.trace_view import length

NUMBER = 1
NAME = "blocking"
SENTENCE = "A blocking read uses no CPU while it waits, and others run meanwhile."
CLAUSES = ("the reader uses no CPU while it waits", "others run meanwhile")
SOURCE = (
    "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.2, figure 6.1, p. 155 (page from memory), which says "
    "blocked of the whole call; here it is asleep while it waits"
)
RUNS = {"reader": Wanted("trials.neighbour", interval_ns=20_000_000, compared=True)}
MOST_CPU = 0.05  # at most, of the wait: the reader enters the call, falls asleep and wakes
LEAST_OTHERS = 0.05  # at least, of the wait: other work on this machine may use that CPU too


def judge(runs: Runs) -> Judgement:
    """The share of a CPU that the reader has while it waits, and the share that the other process has meanwhile."""
    reader_shares, neighbour_shares, findings = [], [], Findings()
    for run in runs["reader"]:
        waits = run.waits()
        asleep_ns = run.blocked(run.asker, waits)
        reader_shares.append(run.on_cpu(run.asker, waits) / length(waits))
        tids = [thread["tid"] for thread in run.report["threads"] if thread["tid"] != run.asker]
        neighbour_shares.append(
            max((run.on_cpu(tid, waits) for tid in tids), default=0) / length(waits)
        )
        findings.must(asleep_ns > 0, "the reader never slept")
    findings.must(under(reader_shares, MOST_CPU), "the waiting reader uses a CPU")
    findings.must(
        above(neighbour_shares, LEAST_OTHERS), "another process on its CPU does not get it"
    )
    return findings.judgement(
        f"while it waits the reader has a CPU for {span(spread(reader_shares), percent)} of the time, "
        f"and another process on the same CPU for {span(spread(neighbour_shares), percent)}"
    )
