"""Claim 11: mutual exclusion and synchronisation; from the threads that slept on a futex(2), those that woke them, and
the owners of the locks."""

from __future__ import annotations

from collections.abc import Sequence

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted, time
from tracer.claims.trace_view import TraceView

NUMBER = 11
NAME = "locks"
SENTENCE = (
    "A mutex makes one wait for another's release; a semaphore, a condition variable and a barrier make one wait for "
    "another's event."
)
CLAUSES = (
    "who waits at a mutex waits for a thread that owns it",
    "and is woken by the other's release",
    "at a semaphore nobody owns what is waited for",
    "at a condition variable nobody does",
    "at a barrier nobody does",
    "and what ends the wait is another's event",
)
SOURCE = (
    "Stevens, UNP vol. 2, 2nd ed. (1999), 7.2, p. 159 (mutexes), 7.5, p. 167 (condition variables: a mutex is for "
    "locking, a condition variable for waiting), 10.1, p. 219 (semaphores; the last two pages from memory); "
    "pthread_barrier_wait(3p); futex(2)"
)
_OF_TWO = Wanted("trials.mutex", proto="none", interval_ns=1_000_000)
MUTEXES = {
    "mutex": Wanted("lock", proto="none", interval_ns=1_000_000),
    "mutex of threads": _OF_TWO,
    "mutex with priority inheritance": Wanted(
        "trials.lock_pi", proto="none", interval_ns=1_000_000
    ),
}
EVENTS = {
    "semaphore": Wanted("condition", proto="none", interval_ns=1_000_000),
    "condition variable": Wanted("trials.condvar", proto="none", interval_ns=1_000_000),
    "barrier": Wanted("trials.barrier", proto="none", interval_ns=1_000_000),
}
RUNS = MUTEXES | EVENTS
OPTIONAL = frozenset(RUNS) - {"mutex", "semaphore"}
LOCK = "mutual exclusion"


def judge(runs: Runs) -> Judgement:
    """On the futex word with the longest waits: whether another thread owned it, and whether another ended each
    wait."""
    findings, evidence = Findings(), []
    for name in RUNS:
        if name not in runs:
            continue
        said = _waits(name, runs[name], findings)
        if said is None:
            return Judgement(Verdict.UNTESTED, "", f"nobody had to wait at the {name}")
        evidence.append(said)
    return findings.judgement("; ".join(evidence))


def _waits(name: str, runs: Sequence[TraceView], findings: Findings) -> str | None:
    """Checks the waits of one run's rounds, and says what they were; None where nobody waited."""
    longest = [run.report["locks"][0] for run in runs if run.report["locks"]]
    if len(longest) < len(runs):
        return None
    waits = sum(word["waits"] for word in longest)
    kinds = sorted({word["kind"] for word in longest})
    are = [kind == LOCK for kind in kinds]
    findings.must(
        all(are) if name in MUTEXES else not any(are), f"the {name} shows {' and '.join(kinds)}"
    )
    pairs = [between for word in longest for between in word["between"]]
    by_other = sum(pair["count"] for pair in pairs if pair["waker"] not in (None, pair["waiter"]))
    unseen = sum(pair["count"] for pair in pairs if pair["waker"] is None)
    missed = sum(run.report["ledger"]["missed"] or 0 for run in runs)
    if (
        missed and 0 < waits - by_other <= unseen
    ):  # the probes were skipped there (docs/json.md, `missed`)
        findings.but.append(
            f"who ended {waits - by_other} of {waits} waits at the {name} was not seen: {missed} events were missed"
        )
    else:
        findings.must(
            by_other == waits,
            f"at the {name} {waits - by_other} of {waits} waits were not ended by another",
        )
    mean_ns = sum(word["waited_ns"] for word in longest) / waits
    owned = sum(word["owned"] for word in longest)
    return f"{name}: {waits} waits, {owned} for an owner, {by_other} ended by another, {time(mean_ns)} each"
