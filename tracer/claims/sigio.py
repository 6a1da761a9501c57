"""Claim 6: signal-driven I/O; from the wait for SIGIO (fcntl(2), O_ASYNC) and from polling at the same pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracer.claims.claim import Findings, Judgement, Runs, Wanted, percent, span, spread, time
from tracer.claims.rounds import below, under
from tracer.claims.shared_runs import SYNCHRONOUS
from tracer.claims.trace_view import TraceView, length
from tracer.kernel import syscalls

NUMBER = 6
NAME = "sigio"
SENTENCE = (
    "With SIGIO the process is not blocked while it waits, waiting takes less CPU than polling, and the signal "
    "says that the read can begin."
)
CLAUSES = (
    "the process is not blocked while it waits",
    "waiting takes less CPU than polling",
    "after each signal a receive has its data",
    "and no message is received without a signal",
)
SOURCE = (
    "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.2, figure 6.4, p. 158, and chapter 25, p. 663 (pages from "
    "memory); fcntl(2), F_SETOWN; that signals merge: signal(7)"
)
RUNS = {
    "signal": SYNCHRONOUS["signal"],
    "polling": SYNCHRONOUS["nonblocking"],
    "asleep until the signal": Wanted("trials.sigsuspend", compared=True),
    "asleep in the receive": SYNCHRONOUS["blocking"],
    "several at once": Wanted("signal_burst"),
}
OPTIONAL = frozenset(RUNS) - {"signal", "polling"}
MOST_BLOCKED = 0.05  # at most, of the wait


def judge(runs: Runs) -> Judgement:
    """The time that the waiting thread slept; the calls that it made; whether each receive after a signal had data at
    once. And what a message costs in all, where the thread sleeps until the signal."""
    findings = Findings()
    shares = [_blocked(run) for run in runs["signal"]]
    told = [_told(run) for run in runs["signal"]]
    signals, received = sum(its.signals for its in told), sum(its.at_once for its in told)
    messages = sum(run.messages for run in runs["signal"])
    announced = sum(its.announced for its in told)
    findings.must(signals > 0, "no signal came")
    findings.must(
        received == signals,
        f"after {signals - received} of {signals} signals the receive slept or found nothing",
    )
    findings.must(
        announced == messages,
        f"{messages - announced} of {messages} messages were received without a signal",
    )
    findings.must(under(shares, MOST_BLOCKED), "the process is blocked while it waits")
    signal, polling = ([_calling(run) for run in runs[name]] for name in ("signal", "polling"))
    findings.must(below(signal, polling), "it spends as much on calls as polling does")
    _whole_cost(runs, findings)
    _merged(runs.get("several at once", ()), findings)
    calls = [
        sum(run.all_calls for run in runs[name]) / sum(run.messages for run in runs[name])
        for name in ("signal", "polling")
    ]
    return findings.judgement(
        f"blocked for {span(spread(shares), percent)} of the wait; calls take {time(spread(signal).middle)} of CPU a "
        f"message ({calls[0]:.0f} calls), polling's {time(spread(polling).middle)} ({calls[1]:,.0f}); "
        f"after {received} of {signals} signals the receive had its data at once"
    )


def _whole_cost(runs: Runs, findings: Findings) -> None:
    """What the calls leave out: the signal's frame and the way to its handler lie outside of them. So all that a thread
    does on a CPU, where it does nothing but wait and receive."""
    if not (runs.get("asleep until the signal") and runs.get("asleep in the receive")):
        return
    whole = {
        name: [_cpu(run) for run in runs[name]]
        for name in ("asleep until the signal", "asleep in the receive", "polling")
    }
    signal, blocking = whole["asleep until the signal"], whole["asleep in the receive"]
    findings.must(below(signal, whole["polling"]), "in all it takes as much CPU as polling does")
    findings.but.append(
        f"calls are not all that a signal costs: a thread that sleeps until SIGIO (and so is blocked) has a CPU for "
        f"{time(spread(signal).middle)} a message, the signal's frame and return in it, one that sleeps in its receive "
        f"for {time(spread(blocking).middle)}"
    )


def _merged(runs: Sequence[TraceView], findings: Findings) -> None:
    """Notes that one signal can stand for several messages."""
    sigio = [its for run in runs for its in run.report["signals"] if its["name"] == "SIGIO"]
    came = sum(its["delivered"] + its["taken"] for its in sigio)
    merged = sum(its["merged"] for its in sigio)
    messages = sum(run.messages for run in runs)
    if merged:
        findings.but.append(
            "it does not say of how much: SIGIO that comes while one is pending is merged with it "
            f"({messages} messages that came four at a time: {came} signals, {merged} merged)"
        )


def _blocked(run: TraceView) -> float:
    """The share of the waits in which the thread that receives was asleep."""
    waits = run.waits()
    return run.blocked(run.asker, waits) / length(waits)


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


def _cpu(run: TraceView) -> float:
    """Time on a CPU of the thread that receives, in the whole window, ns per message."""
    return run.on_cpu(run.asker, np.array([run.window], np.int64)) / run.messages
