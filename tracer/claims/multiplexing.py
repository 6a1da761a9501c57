"""Claim 3: one thread asleep for any of several descriptors; from select(2), poll(2) and epoll_wait(2)."""

from __future__ import annotations

from tracer.claims.claim import Findings, Judgement, Runs, Wanted, count, percent, span, spread
from tracer.claims.shared_runs import SYNCHRONOUS
from tracer.claims.trace_view import TraceView, length

NUMBER = 3
NAME = "multiplexing"
SENTENCE = (
    "select, poll and epoll block until any of several descriptors is ready; two system calls per message "
    "where blocking needs one."
)
CLAUSES = (
    "the thread sleeps in select, poll or epoll_wait",
    "for any of several descriptors",
    "two calls a message, blocking's one",
)
SOURCE = (
    "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.2, figure 6.3, p. 157, and 6.3, p. 161 (pages from "
    "memory)"
)
SOCKETS = 4
CALLS = {"select": "select", "poll": "poll", "epoll-lt": "epoll_wait"}
CROWDS = {
    "select, all at once": ("trials.crowd_select", "select"),
    "poll, all at once": ("trials.crowd_poll", "poll"),
    "epoll, all at once": ("trials.crowd_epoll", "epoll_wait"),
    "epoll, all at once, SCHED_BATCH": ("trials.crowd_epoll_batch", "epoll_wait"),
}
RUNS = {
    **{name: Wanted(name.replace("-", "_"), sockets=SOCKETS) for name in CALLS},
    "blocking": SYNCHRONOUS["blocking"],
    **{
        name: Wanted(program, messages=10, proto="none", compared=name.startswith("epoll"))
        for name, (program, _) in CROWDS.items()
    },
}
OPTIONAL = frozenset(CROWDS)
LEAST_ASLEEP = 0.9  # at least, of the wait: in the rest the thread falls asleep or waits for a CPU
TWO = 1.9  # calls a message and more are two


def judge(runs: Runs) -> Judgement:
    """The call in which the thread slept while it waited, the number of sockets, and the calls per message: where one
    socket has a message at a time, and where many have one at once."""
    findings, asleep_shares, per_message = Findings(), [], []
    for name, call in CALLS.items():
        for run in runs[name]:
            asleep_shares.append(_asleep(run, name, call, findings))
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
    crowded = [
        _calls(run, call) for name, (_, call) in CROWDS.items() for run in runs.get(name, ())
    ]
    if crowded and min(crowded) < TWO:
        findings.but.append(
            "two are what one descriptor costs that is ready alone: where 50 are ready at once, one call tells of "
            f"many, and it is {span(spread(crowded), count)} calls a message, fewest where those who are woken do not "
            "interrupt the sender"
        )
    return findings.judgement(
        f"{SOCKETS} sockets, one ready at a time: asleep in the call for {span(spread(asleep_shares), percent)} of the "
        f"wait; {span(calls, count)} calls a message, blocking {span(blocking_calls, count)}"
    )


def _asleep(run: TraceView, name: str, call: str, findings: Findings) -> float:
    """Checks that the thread sleeps in its call and never in a receive. Returns the share of the waits in which it
    slept, without the times in which it waited for a CPU."""
    waits = run.waits()
    share = run.blocked(run.asker, waits) / max(1, length(waits) - run.runnable(run.asker, waits))
    findings.must(share >= LEAST_ASLEEP, f"in {name} the thread is not asleep while it waits")
    findings.must(not run.receives(run.asker).slept.any(), f"after {name} a receive slept")
    findings.must(int(run.of_class(call).slept.sum()) > 0, f"the thread does not sleep in {name}")
    return share


def _calls(run: TraceView, call: str) -> float:
    """Calls by which the thread that receives waits and receives, a message."""
    waiting = run.of_class(call)
    receives = run.receives(run.asker)
    own = int((waiting.tid == run.asker).sum())
    return (own + len(receives)) / max(1, len(receives))
