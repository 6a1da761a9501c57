"""Claim 11: mutual exclusion and synchronisation; from the threads that slept on a futex(2) and the threads that woke
them."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted, time

NUMBER = 11
NAME = "locks"
SENTENCE = (
    "A mutex makes one wait for another's release; a condition makes one wait for another's event."
)
SOURCE = "Stevens, UNP volume 2, chapters 7 and 10; futex(2)"
RUNS = {
    "mutex": Wanted("lock", proto="none", interval_ns=1_000_000),
    "condition": Wanted("condition", proto="none", interval_ns=1_000_000),
}


def judge(runs: Runs) -> Judgement:
    """On the futex word with the longest waits: whether each waiter was woken by the other thread, and wakes others in
    turn."""
    findings, evidence = Findings(), []
    for name, kind, relation in (
        ("mutex", "mutual exclusion", "each waits for the other"),
        ("condition", "synchronisation", "one waits, the other wakes"),
    ):
        longest = [run.report["locks"][0] for run in runs[name] if run.report["locks"]]
        if len(longest) < len(runs[name]):
            return Judgement(Verdict.UNTESTED, "", f"nobody had to wait at the {name}")
        pairs = [between for word in longest for between in word["between"]]
        by_other = sum(
            pair["count"] for pair in pairs if pair["waker"] not in (None, pair["waiter"])
        )
        waits = sum(word["waits"] for word in longest)
        findings.must(
            all(word["kind"] == kind for word in longest),
            f"the {name} shows {' and '.join(sorted({word['kind'] for word in longest}))}",
        )
        findings.must(
            by_other == waits,
            f"at the {name} {waits - by_other} of {waits} waits were not ended by another",
        )
        mean_ns = sum(word["waited_ns"] for word in longest) / waits
        evidence.append(
            f"{name}: {by_other} of {waits} waits ended by the other's wake, {time(mean_ns)} each, {relation}"
        )
    return findings.judgement("; ".join(evidence))
