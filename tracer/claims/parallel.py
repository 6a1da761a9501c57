"""Claim 10: two threads that compute, on one CPU and on two; from sched_switch, how long both had a CPU."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted, percent, time
from tracer.report.contract import Pair, Report

NUMBER = 10
NAME = "cpus"
SENTENCE = "On one CPU two threads never run at the same time; on two they do."
CLAUSES = ("on one CPU two threads never run at the same time", "on two they do")
SOURCE = "Bryant and O'Hallaron, CS:APP, 3rd ed. (2016), 1.9.2, p. 24, and 8.2.2, p. 733 (pages from memory)"
RUNS = {
    "one CPU": Wanted("concurrent", proto="none", compared=True),
    # longer: on a busy machine the threads seldom have both CPUs
    "two CPUs": Wanted("parallel", proto="none", messages=60, compared=True),
}
OPTIONAL = frozenset({"two CPUs"})


def judge(runs: Runs) -> Judgement:
    """The overlap of the two threads' times on a CPU."""
    findings = Findings()
    one, two = (
        [pair for run in runs.get(name, ()) if (pair := _pair(run.report))] for name in RUNS
    )
    if not one or (runs.get("two CPUs") and not two):
        return Judgement(
            Verdict.UNTESTED,
            "",
            "other work on this machine left the two threads too little of a CPU",
        )
    findings.must(
        not any(pair["overlap_ns"] for pair in one), "on one CPU both ran at the same time"
    )
    evidence = f"one CPU: both ran at the same time for {_of_possible(one)}"
    if not two:
        judgement = findings.judgement(evidence)
        if judgement.verdict == Verdict.HOLDS:
            return Judgement(Verdict.UNTESTED, evidence, "there is no second CPU to run on")
        return judgement
    findings.must(any(pair["overlap_ns"] for pair in two), "on two CPUs they never did")
    return findings.judgement(f"{evidence}; on two for {_of_possible(two)}")


def _of_possible(pairs: list[Pair]) -> str:
    """How long both threads had a CPU, of the CPU time of the thread that had less."""
    overlap = sum(pair["overlap_ns"] for pair in pairs)
    possible = sum(pair["possible_ns"] for pair in pairs)
    return f"{time(overlap)} of {time(possible)} ({percent(overlap / max(1, possible))})"


def _pair(report: Report) -> Pair | None:
    """The two threads that computed longest; None if they had too little CPU time to be compared."""
    return report["lanes"]["pairs"][0] if report["lanes"] else None
