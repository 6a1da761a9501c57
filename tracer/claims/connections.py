"""Claim 4: one process for many connections, or a thread for each; from sched_switch and proc_pid_status(5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted, count, span, spread
from tracer.claims.rounds import below
from tracer.claims.trace_view import TraceView

NUMBER = 4
NAME = "connections"
SENTENCE = (
    "One process that multiplexes serves N connections with less memory than a thread for each, and with fewer "
    "switches where several have a message at once."
)
CLAUSES = (
    "one process takes less memory",
    "one process switches less where several have a message",
)
SOURCE = (
    "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.8, p. 175: one process with select in the place of one for "
    "each client (page from memory); Kegel, The C10K problem, http://www.kegel.com/c10k.html, I/O Strategies, 4: a "
    "thread for each client, whose stack costs memory"
)
SOCKETS = 50
_THREADS = Wanted("threads", messages=100, interval_ns=1_000_000, sockets=SOCKETS, compared=True)
_CROWD = Wanted("trials.crowd_threads", messages=10, proto="none", compared=True)
RUNS = {
    "threads": _THREADS,
    "one process": replace(_THREADS, program="epoll_lt"),
    "threads, all at once": _CROWD,
    "one process, all at once": replace(_CROWD, program="trials.crowd_epoll"),
    "threads, all at once, SCHED_BATCH": replace(_CROWD, program="trials.crowd_threads_batch"),
    "one process, all at once, SCHED_BATCH": replace(_CROWD, program="trials.crowd_epoll_batch"),
}
EQUAL = 0.9  # of the value of the threads: one process saves something only below this


def judge(runs: Runs) -> Judgement:
    """Switches per message, when one connection at a time has a message and when all have, by either scheduling policy;
    memory of the process alone."""
    findings = Findings()
    if not all(run.operations for rounds in runs.values() for run in rounds):
        return Judgement(Verdict.UNTESTED, "", "no data was received")
    switches = {name: _switches(runs[name]) for name in RUNS}
    size = {
        name: [_noted(run.expected["anonymous_bytes"]) for run in runs[name]]
        for name in ("threads", "one process")
    }
    workers = spread(_noted(run.expected["threads"]) for run in runs["threads"]).middle
    findings.must(
        below(size["one process"], size["threads"], EQUAL), "one process does not take less memory"
    )
    crowd = (switches["one process, all at once"], switches["threads, all at once"])
    batch = (
        switches["one process, all at once, SCHED_BATCH"],
        switches["threads, all at once, SCHED_BATCH"],
    )
    findings.must(below(*crowd, EQUAL), "one process does not switch less often")
    findings.but.append(
        "how many fewer is the scheduler's: where those who are woken do not interrupt the sender (SCHED_BATCH) it is "
        f"{_counted(batch[0])} a message, threads {_counted(batch[1])}"
    )
    if below(switches["one process"], switches["threads"], EQUAL) is not True:
        findings.but.append(
            "when one connection at a time has a message, nothing is saved, and threads resemble multiplexing (UNP "
            f"6.2, p. 157): {_counted(switches['one process'])} switches a message, threads "
            f"{_counted(switches['threads'])}"
        )
    return findings.judgement(
        f"{SOCKETS} connections, a message on all at once: {_counted(crowd[0])} switches a message, threads "
        f"{_counted(crowd[1])}; memory of its own {_kib(size['one process'])}, of {count(workers)} threads "
        f"{_kib(size['threads'])}, without their kernel stacks"
    )


def _switches(runs: Sequence[TraceView]) -> list[float]:
    """Switches away to sleep, per message, of all threads of the process that receives, in each round."""
    return [
        sum(thread["switches"] for thread in run.threads_beside(run.asker)) / len(run.operations)
        for run in runs
    ]


def _noted(count: int | None) -> int:
    """A number that the program noted; raises ValueError if the recording is older than that note."""
    if count is None:
        raise ValueError("this recording does not say how much memory the program had")
    return count


def _counted(values: list[float]) -> str:
    return span(spread(values), count)


def _kib(sizes: list[int]) -> str:
    return f"{spread(sizes).middle / 1024:,.0f} KiB"
