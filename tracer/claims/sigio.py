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
MOST_BLOCKED = 0.05  # at most, of the wait


def judge(runs: Runs) -> Judgement:
    """The time that the waiting thread slept; the calls that it made; whether each receive after a signal had data at
    once."""
    findings, shares = Findings(), []
    told = received = announced = 0
    for run in runs["signal"]:
        waits = run.waits()
        shares.append(run.blocked(run.asker, waits) / length(waits))
        counted = _told(run)
        told, received, announced = (
            told + counted.signals,
            received + counted.at_once,
            announced + counted.announced,
        )
    messages = sum(run.messages for run in runs["signal"])
    findings.must(told > 0, "no signal came")
    findings.must(
        received == told,
        f"after {told - received} of {told} signals the receive slept or found nothing",
    )
    findings.must(
        announced == messages,
        f"{messages - announced} of {messages} messages were received without a signal",
    )
    findings.must(max(shares) <= MOST_BLOCKED, "the process is blocked while it waits")
    signal, polling = ([_calling(run) for run in runs[name]] for name in ("signal", "polling"))
    findings.must(
        spread(signal).most < spread(polling).least, "it spends as much on calls as polling does"
    )
    calls = [
        sum(run.all_calls for run in runs[name]) / sum(run.messages for run in runs[name])
        for name in ("signal", "polling")
    ]
    return findings.judgement(
        f"blocked for {span(spread(shares), percent)} of the wait; calls take {time(spread(signal).middle)} of CPU a "
        f"message ({calls[0]:.0f} calls), polling's {time(spread(polling).middle)} ({calls[1]:,.0f}); "
        f"after {received} of {told} signals the receive had its data at once"
    )


@dataclass(frozen=True)
class _Told:
    """signals: delivered ones; at_once: those whose next receive brought data without sleeping; announced: receives
    that brought data, with a signal since the receive before."""

    signals: int
    at_once: int
    announced: int


def _told(run: TraceView) -> _Told:
    deliveries = run.deliveries.where(run.deliveries.tid == run.asker)
    receives = run.of_class(*syscalls.RECEIVE)
    receives = receives.take(receives.tid == run.asker)
    next_receive = np.searchsorted(receives.start, deliveries.time)
    next_receive = next_receive[next_receive < len(receives)]
    at_once = (receives.result[next_receive] > 0) & (receives.slept[next_receive] == 0)
    brought = receives.take(receives.result > 0)
    signals_before = np.searchsorted(deliveries.time, brought.start)
    return _Told(
        len(deliveries), int(at_once.sum()), int((np.diff(signals_before, prepend=0) > 0).sum())
    )


def _calling(run: TraceView) -> float:
    """CPU time in receive calls and in the return from the handler, ns per message: the cost of learning of the data
    and receiving it. Other work of the program is not counted."""
    names = (*syscalls.RECEIVE, "rt_sigreturn")
    total_ns = sum(call["total_ns"] for call in run.report["syscalls"] if call["name"] in names)
    slept_ns = int(run.of_class(*names).slept.sum())
    return (total_ns - slept_ns) / run.messages
