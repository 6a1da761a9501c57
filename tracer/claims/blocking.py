"""Claim 1: a blocking read leaves the CPU to others; from recvfrom(2) and a process beside it on the same CPU."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Wanted, percent, span, spread
from tracer.claims.trace_view import length

NUMBER = 1
NAME = "blocking"
SENTENCE = "A blocking read uses no CPU while it waits, and others run meanwhile."
SOURCE = "Stevens, UNP 6.2, figure 6.1"
RUNS = {"reader": Wanted("trials.neighbour", interval_ns=20_000_000, compared=True)}
MOST_CPU = 0.05  # of the wait: entering the call, falling asleep and waking
LEAST_OTHERS = (
    0.05  # of the wait on that very CPU, which all that runs on this machine may want too
)


def judge(runs: Runs) -> Judgement:
    """The reader's share of a CPU while it waits; the neighbour's, while the reader sleeps."""
    used, others, found = [], [], Findings()
    for run in runs["reader"]:
        waits = run.waits()
        asleep = run.blocked(run.asker, waits)
        used.append(run.on_cpu(run.asker, waits) / length(waits))
        tids = [its["tid"] for its in run.report["threads"] if its["tid"] != run.asker]
        others.append(max((run.on_cpu(tid, waits) for tid in tids), default=0) / length(waits))
        found.must(asleep > 0, "the reader never slept")
    found.must(max(used) <= MOST_CPU, "the waiting reader uses a CPU")
    found.must(min(others) >= LEAST_OTHERS, "another process on its CPU does not get it")
    return found.judgement(
        f"while it waits the reader has a CPU for {span(spread(used), percent)} of the time, "
        f"and another process on the same CPU for {span(spread(others), percent)}"
    )
