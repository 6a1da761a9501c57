"""Claim 4: one process for many connections, or a thread for each; from sched_switch and proc_pid_status(5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tracer.claims.claim import (
    Findings,
    Judgement,
    Runs,
    Spread,
    Verdict,
    Wanted,
    count,
    span,
    spread,
)
from tracer.claims.trace_view import TraceView

NUMBER = 4
NAME = "connections"
SENTENCE = "One process handles N connections with fewer switches and less memory than N threads."
SOURCE = "Stevens, UNP 6.2 and chapter 30; Kegel, The C10K problem"
SOCKETS = 50
_THREADS = Wanted(
    "threads", messages=100, interval_ns=1_000_000, sockets=SOCKETS, native=True, compared=True
)
_CROWD = Wanted("trials.crowdthreads", messages=10, proto="none", compared=True)
RUNS = {
    "threads": _THREADS,
    "one process": replace(_THREADS, program="epoll_lt"),
    "threads, all at once": _CROWD,
    "one process, all at once": replace(_CROWD, program="trials.crowdprocess"),
}
EQUAL = 0.9  # of the value of the threads: one process saves something only below this


def judge(runs: Runs) -> Judgement:
    """Switches per message, when one connection at a time has a message and when all have; memory of the process
    alone."""
    findings = Findings()
    if not all(run.operations for rounds in runs.values() for run in rounds):
        return Judgement(Verdict.UNTESTED, "", "no data was received")
    threads, one_process, threads_crowded, process_crowded = (
        _switches(runs[name]) for name in RUNS
    )
    size = {
        name: spread(_noted(run.expected["anonymous_bytes"]) for run in runs[name])
        for name in ("threads", "one process")
    }
    workers = spread(_noted(run.expected["threads"]) for run in runs["threads"]).middle
    findings.must(
        _fewer(size["one process"], size["threads"]), "one process does not take less memory"
    )
    findings.must(
        _fewer(process_crowded, threads_crowded), "one process does not switch less often"
    )
    if not _fewer(one_process, threads):
        findings.but.append(
            "when one connection at a time has a message, there is nothing to save: "
            f"{count(one_process.middle)} switches a message, threads {count(threads.middle)}"
        )
    return findings.judgement(
        f"{SOCKETS} connections, a message on all at once: {span(process_crowded, count)} switches a message, threads "
        f"{span(threads_crowded, count)}; memory of its own {_kib(size['one process'])}, of {count(workers)} threads "
        f"{_kib(size['threads'])}, without their kernel stacks"
    )


def _switches(runs: Sequence[TraceView]) -> Spread:
    """Switches away to sleep, per message, of all threads of the process that receives."""
    return spread(
        sum(thread["switches"] for thread in run.threads_beside(run.asker)) / len(run.operations)
        for run in runs
    )


def _noted(count: int | None) -> int:
    """A number that the program noted; raises ValueError if the recording is older than that note."""
    if count is None:
        raise ValueError("this recording does not say how much memory the program had")
    return count


def _fewer(one: Spread, threads: Spread) -> bool:
    return one.apart_from(threads) and one.middle < EQUAL * threads.middle


def _kib(bytes_: Spread) -> str:
    return f"{bytes_.middle / 1024:,.0f} KiB"
