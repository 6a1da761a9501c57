"""Claim 6: signal-driven I/O; from the wait for SIGIO (fcntl(2), O_ASYNC) and from polling at the same pace."""

from __future__ import annotations

from tracer import syscalls
from tracer.claims.claim import Findings, Judgement, Runs, Wanted, percent, span, spread, time
from tracer.claims.seen import Seen, length

NUMBER = 6
NAME = "sigio"
SENTENCE = ("With SIGIO the process is not blocked while it waits, waiting takes less CPU than polling, and the signal says "
            "that the read can begin.")
SOURCE = "Stevens, UNP 6.2, figure 6.4, and chapter 25"
RUNS = {"signal": Wanted("signal"), "polling": Wanted("nonblocking")}
MOST_BLOCKED = 0.05  # of the wait


def judge(runs: Runs) -> Judgement:
    """The waiting thread's time asleep; calls made while waiting; whether each receive after a signal had its data."""
    found, blocked, told = Findings(), [], 0
    for run in runs["signal"]:
        waits = run.waits()
        blocked.append(run.blocked(run.asker, waits) / length(waits))
        signals = [its for its in run.report["signals"] if its["delivered"]]
        count = sum(its["delivered"] for its in signals)
        receives = run.receives(run.asker)
        found.must(count > 0, "no signal came")
        found.must(not receives.slept.any(), "a receive after the signal slept")
        found.must(count >= run.messages or not signals, "fewer signals came than messages")
        begun = [op for op in run.operations if op["ready_ns"] <= op["told_ns"] <= op["copy_start_ns"]]
        found.must(len(begun) == run.messages and run.report["model"]["name"] == "signal",
                   "the receives did not follow a signal")
        told += len(begun)
    found.must(max(blocked) <= MOST_BLOCKED, "the process is blocked while it waits")
    signal, polling = ([_calling(run) for run in runs[name]] for name in ("signal", "polling"))
    found.must(spread(signal).most < spread(polling).least, "it spends as much on calls as polling does")
    calls = [sum(run.all_calls for run in runs[name]) / sum(run.messages for run in runs[name])
             for name in ("signal", "polling")]
    return found.judgement(
        f"blocked for {span(spread(blocked), percent)} of the wait; calls take {time(spread(signal).middle)} of CPU a message "
        f"({calls[0]:.0f} calls), polling's {time(spread(polling).middle)} ({calls[1]:,.0f}); "
        f"{told} of {sum(run.messages for run in runs['signal'])} receives began after the signal and had data at once")


def _calling(run: Seen) -> float:
    """CPU time in receive calls and in returning from the handler, ns a message: what is needed to know of the data and
    to have it. What the program does in the meantime is its own."""
    names = (*syscalls.RECEIVE, "rt_sigreturn")
    total = sum(its["total_ns"] for its in run.report["syscalls"] if its["name"] in names)
    return (total - int(run.of_class(*names).slept.sum())) / run.messages
