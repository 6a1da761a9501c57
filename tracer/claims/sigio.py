"""Claim 6: signal-driven I/O; from the wait for SIGIO (fcntl(2), O_ASYNC) and from polling at the same pace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.claims.claim import Findings, Judgement, Runs, percent, span, spread, time
from tracer.claims.shared_runs import SYNCHRONOUS
from tracer.claims.trace_view import TraceView, length
from tracer.kernel import syscalls

NUMBER = 6
NAME = "sigio"
SENTENCE = (
    "With SIGIO the process is not blocked while it waits, waiting takes less CPU than polling, and the signal "
    "says that the read can begin."
)
SOURCE = "Stevens, UNP 6.2, figure 6.4, and chapter 25"
RUNS = {"signal": SYNCHRONOUS["signal"], "polling": SYNCHRONOUS["nonblocking"]}
MOST_BLOCKED = 0.05  # of the wait


def judge(runs: Runs) -> Judgement:
    """The waiting thread's time asleep; calls made while waiting; whether each receive after a signal had its data."""
    found, blocked = Findings(), []
    told = received = announced = 0
    for run in runs["signal"]:
        waits = run.waits()
        blocked.append(run.blocked(run.asker, waits) / length(waits))
        its = _told(run)
        told, received, announced = (
            told + its.signals,
            received + its.at_once,
            announced + its.announced,
        )
    messages = sum(run.messages for run in runs["signal"])
    found.must(told > 0, "no signal came")
    found.must(
        received == told,
        f"after {told - received} of {told} signals the receive slept or found nothing",
    )
    found.must(
        announced == messages,
        f"{messages - announced} of {messages} messages were received without a signal",
    )
    found.must(max(blocked) <= MOST_BLOCKED, "the process is blocked while it waits")
    signal, polling = ([_calling(run) for run in runs[name]] for name in ("signal", "polling"))
    found.must(
        spread(signal).most < spread(polling).least, "it spends as much on calls as polling does"
    )
    calls = [
        sum(run.all_calls for run in runs[name]) / sum(run.messages for run in runs[name])
        for name in ("signal", "polling")
    ]
    return found.judgement(
        f"blocked for {span(spread(blocked), percent)} of the wait; calls take {time(spread(signal).middle)} of CPU a "
        f"message ({calls[0]:.0f} calls), polling's {time(spread(polling).middle)} ({calls[1]:,.0f}); "
        f"after {received} of {told} signals the receive had its data at once"
    )


@dataclass(frozen=True)
class _Told:
    """Signals delivered; those after which the next receive brought data without sleeping; receives that brought data
    and before which, since the one before, a signal was delivered."""

    signals: int
    at_once: int
    announced: int


def _told(run: TraceView) -> _Told:
    deliveries = run.deliveries.where(run.deliveries.tid == run.asker)
    receives = run.of_class(*syscalls.RECEIVE)
    receives = receives.take(receives.tid == run.asker)
    following = np.searchsorted(receives.start, deliveries.time)
    following = following[following < len(receives)]
    at_once = (receives.result[following] > 0) & (receives.slept[following] == 0)
    brought = receives.take(receives.result > 0)
    before = np.searchsorted(deliveries.time, brought.start)
    return _Told(len(deliveries), int(at_once.sum()), int((np.diff(before, prepend=0) > 0).sum()))


def _calling(run: TraceView) -> float:
    """CPU time in receive calls and in returning from the handler, ns a message: what is needed to know of the data and
    to have it. What the program does in the meantime is its own."""
    names = (*syscalls.RECEIVE, "rt_sigreturn")
    total = sum(call["total_ns"] for call in run.report["syscalls"] if call["name"] in names)
    slept = int(run.of_class(*names).slept.sum())
    return (total - slept) / run.messages
