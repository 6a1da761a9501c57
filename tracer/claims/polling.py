"""Claim 2: what waiting by polling costs; from EAGAINs of recvfrom(2) at two paces, and the other models' calls."""

from __future__ import annotations

from tracer.claims.claim import (
    Findings,
    Judgement,
    Runs,
    Wanted,
    count,
    percent,
    ratio,
    span,
    spread,
    time,
)
from tracer.claims.shared_runs import ASYNCHRONOUS, SYNCHRONOUS
from tracer.claims.trace_view import Seen, length

NUMBER = 2
NAME = "polling"
SENTENCE = (
    "A non-blocking read returns EWOULDBLOCK at once; waiting by polling costs CPU in proportion to the wait, "
    "and far more system calls per message than any other model."
)
SOURCE = "Stevens, UNP 6.2, figure 6.2"
OTHERS = {name: its for name, its in SYNCHRONOUS.items() if name != "nonblocking"} | {
    "posix-aio": ASYNCHRONOUS["posix-aio"]
}
RUNS = {
    "short waits": Wanted("nonblocking", interval_ns=4_000_000, compared=True),
    "long waits": Wanted("nonblocking", interval_ns=16_000_000, compared=True),
    **OTHERS,
}
OPTIONAL = frozenset(OTHERS.keys() - {"blocking"})
LEAST_CPU = 0.9  # of the time in which it did not have to wait for one
FAR_ABOVE = 10
MOST_OF_A_WAIT = 0.1  # a call that comes back at once
_NONE = {"errors": {}, "p50_ns": 0}


def judge(runs: Runs) -> Judgement:
    """Whether a failing call slept; the poller's share of a CPU at both paces; its calls beside those of the others."""
    found = Findings()
    polled = {name: runs[name] for name in ("short waits", "long waits")}
    took, shares = [], {}
    for name, its in polled.items():
        shares[name] = spread(_cpu_share(run) for run in its)
        for run in its:
            receives = next(
                (call for call in run.report["syscalls"] if call["name"] == "recvfrom"), _NONE
            )
            calls = run.of_class("recvfrom")
            found.must(
                receives["errors"].get("EAGAIN", 0) > 0, "no call came back with EWOULDBLOCK"
            )
            found.must(not calls.slept[calls.result < 0].any(), "calls that found nothing slept")
            took.append(receives["p50_ns"])  # most of them failed
            found.must(
                took[-1] < MOST_OF_A_WAIT * length(run.waits()) / len(run.operations),
                "calls that found nothing did not come back at once",
            )
        found.must(
            shares[name].least >= LEAST_CPU, f"at {name} it did not use the CPU it could have"
        )
    most = {
        name: max(run.all_calls / run.messages for run in its)
        for name, its in runs.items()
        if name not in polled
    }
    polls = spread(run.all_calls / run.messages for run in polled["long waits"])
    name = max(most, key=most.get)
    found.must(polls.least >= FAR_ABOVE * most[name], f"{name} makes about as many calls")
    cpu = " and ".join(
        f"{time(spread(_cpu(run) / run.messages for run in its).middle)} of CPU for waits of "
        f"{time(spread(length(run.waits()) / run.messages for run in its).middle)}"
        for its in polled.values()
    )
    return found.judgement(
        f"EWOULDBLOCK once in {time(spread(took).middle)}, none slept; {cpu}: "
        f"{span(_both(shares), percent)} of the CPU that it could have; "
        f"{count(polls.middle)} calls a message, next is {name} with {count(most[name])} "
        f"({ratio(polls.middle / most[name])})"
    )


def _cpu(run: Seen) -> int:
    return run.on_cpu(run.asker, run.waits())


def _cpu_share(run: Seen) -> float:
    """On a busy machine even a poller waits for a CPU; that is not the model's doing."""
    waits = run.waits()
    return _cpu(run) / max(1, length(waits) - run.runnable(run.asker, waits))


def _both(shares: dict):
    return spread([value for its in shares.values() for value in (its.least, its.middle, its.most)])
