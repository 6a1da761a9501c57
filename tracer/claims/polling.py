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
from tracer.claims.rounds import above
from tracer.claims.shared_runs import ASYNCHRONOUS, SYNCHRONOUS
from tracer.claims.trace_view import TraceView, length

NUMBER = 2
NAME = "polling"
SENTENCE = (
    "A non-blocking read returns EWOULDBLOCK at once; waiting by polling costs CPU in proportion to the wait, "
    "and far more system calls per message than any other model."
)
CLAUSES = (
    "a non-blocking read returns EWOULDBLOCK at once",
    "waiting by polling costs CPU in proportion to the wait",
    "and far more system calls than any other model",
)
SOURCE = "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.2, figure 6.2, p. 156 (page from memory)"
OTHERS = {name: wanted for name, wanted in SYNCHRONOUS.items() if name != "nonblocking"} | {
    "posix-aio": ASYNCHRONOUS["posix-aio"]
}
RUNS = {
    "short waits": Wanted("nonblocking", interval_ns=4_000_000, compared=True),
    "long waits": Wanted("nonblocking", interval_ns=16_000_000, compared=True),
    **OTHERS,
}
OPTIONAL = frozenset(OTHERS.keys() - {"blocking"})
LEAST_CPU = 0.9  # at least, of the time in which the poller did not wait for a CPU
FAR_ABOVE = 10  # times the calls per message of any other model
MOST_OF_A_WAIT = 0.1  # at most: a call that takes less returns at once


def judge(runs: Runs) -> Judgement:
    """Whether a failing call slept; the poller's share of a CPU at both paces; calls per message of it and the
    others."""
    findings = Findings()
    polled = {name: runs[name] for name in ("short waits", "long waits")}
    took_ns: list[float] = []
    shares: dict[str, list[float]] = {}
    for name, of_model in polled.items():
        shares[name] = [_cpu_share(run) for run in of_model]
        for run in of_model:
            took_ns.append(_failing_calls(run, findings))
        findings.must(
            above(shares[name], LEAST_CPU), f"at {name} it did not use the CPU it could have"
        )
    most_calls = {
        name: max(run.all_calls / run.messages for run in of_model)
        for name, of_model in runs.items()
        if name not in polled
    }
    polls = spread(run.all_calls / run.messages for run in polled["long waits"])
    name = max(most_calls, key=most_calls.__getitem__)
    findings.must(polls.least >= FAR_ABOVE * most_calls[name], f"{name} makes about as many calls")
    cpu = " and ".join(
        f"{time(spread(_cpu(run) / run.messages for run in of_model).middle)} of CPU for waits of "
        f"{time(spread(length(run.waits()) / run.messages for run in of_model).middle)}"
        for of_model in polled.values()
    )
    every = [share for of_pace in shares.values() for share in of_pace]
    return findings.judgement(
        f"EWOULDBLOCK once in {time(spread(took_ns).middle)}, none slept; {cpu}: "
        f"{span(spread(every), percent)} of the CPU that it could have; "
        f"{count(polls.middle)} calls a message, next is {name} with {count(most_calls[name])} "
        f"({ratio(polls.middle / most_calls[name])})"
    )


def _failing_calls(run: TraceView, findings: Findings) -> int:
    """Checks that there were failing calls, and that none slept. Returns the median time of a call (ns): most
    failed."""
    calls = run.of_class("recvfrom")
    receives = [call for call in run.report["syscalls"] if call["name"] == "recvfrom"]
    eagains, took_ns = 0, 0
    for call in receives[:1]:
        eagains, took_ns = call["errors"].get("EAGAIN", 0), call["p50_ns"]
    findings.must(eagains > 0, "no call came back with EWOULDBLOCK")
    findings.must(not calls.slept[calls.result < 0].any(), "calls that found nothing slept")
    findings.must(
        took_ns < MOST_OF_A_WAIT * length(run.waits()) / len(run.operations),
        "calls that found nothing did not come back at once",
    )
    return took_ns


def _cpu(run: TraceView) -> int:
    return run.on_cpu(run.asker, run.waits())


def _cpu_share(run: TraceView) -> float:
    """The share of a CPU that the poller had, without the times in which it waited for a CPU since the machine is
    busy."""
    waits = run.waits()
    return _cpu(run) / max(1, length(waits) - run.runnable(run.asker, waits))
