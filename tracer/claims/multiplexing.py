"""Claim 3: one thread asleep for any of several descriptors; from select(2), poll(2) and epoll_wait(2)."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Wanted, count, percent, span, spread
from tracer.claims.shared_runs import SYNCHRONOUS
from tracer.claims.trace_view import length

NUMBER = 3
NAME = "multiplexing"
SENTENCE = (
    "select, poll and epoll block until any of several descriptors is ready; two system calls per message "
    "where blocking needs one."
)
SOURCE = "Stevens, UNP 6.2 and 6.3, figure 6.3"
SOCKETS = 4
CALLS = {"select": "select", "poll": "poll", "epoll-lt": "epoll_wait"}
RUNS = {
    **{name: Wanted(name.replace("-", "_"), sockets=SOCKETS) for name in CALLS},
    "blocking": SYNCHRONOUS["blocking"],
}
LEAST_ASLEEP = 0.9  # at least, of the wait: in the rest the thread falls asleep or waits for a CPU


def judge(runs: Runs) -> Judgement:
    """The call in which the thread slept while it waited, the number of sockets, and the calls per message."""
    findings, asleep_shares, per_message = Findings(), [], []
    for name, call in CALLS.items():
        for run in runs[name]:
            waits = run.waits()
            asleep_shares.append(
                run.blocked(run.asker, waits)
                / max(1, length(waits) - run.runnable(run.asker, waits))
            )
            waiting, receives = run.of_class(call), run.receives(run.asker)
            findings.must(
                asleep_shares[-1] >= LEAST_ASLEEP,
                f"in {name} the thread is not asleep while it waits",
            )
            findings.must(not receives.slept.any(), f"after {name} a receive slept")
            findings.must(int(waiting.slept.sum()) > 0, f"the thread does not sleep in {name}")
            findings.must(
                len({operation["fd"] for operation in run.operations}) >= SOCKETS,
                f"{name} did not wait for several",
            )
            per_message.append(run.all_calls / run.messages)
    blocking_calls = spread(run.all_calls / run.messages for run in runs["blocking"])
    calls = spread(per_message)
    findings.must(
        round(calls.least) == round(calls.most) == 2 and round(blocking_calls.middle) == 1,
        "there are not two calls a message against one",
    )
    return findings.judgement(
        f"{SOCKETS} sockets, asleep in the call for {span(spread(asleep_shares), percent)} of the wait; "
        f"{span(calls, count)} calls a message, blocking {span(blocking_calls, count)}"
    )
