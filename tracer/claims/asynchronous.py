"""Claim 7: asynchronous I/O; from glibc's aio_read(3), io_uring(7), and io_submit(2) on a file and on a socket."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from tracer.claims.asking import asking, at_a_time
from tracer.claims.claim import (
    Findings,
    Judgement,
    Runs,
    Verdict,
    Wanted,
    percent,
    span,
    spread,
    time,
)
from tracer.claims.copiers import OWN, copiers
from tracer.claims.shared_runs import ASYNCHRONOUS
from tracer.claims.trace_view import TraceView, common, length
from tracer.kernel import syscalls

NUMBER = 7
NAME = "asynchronous"
SENTENCE = (
    "An asynchronous read returns at once, the process is not blocked, is told after the copy, and makes no "
    "receive call itself."
)
CLAUSES = (
    "an asynchronous read returns at once",
    "the process is not blocked",
    "it is told after the copy",
    "it makes no receive call itself",
)
SOURCE = (
    "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.2, figure 6.5, p. 159 (page from memory); POSIX.1-2017, "
    "aio_read, DESCRIPTION: it returns when the request has been initiated or queued; aio_init(3)"
)
NAMES = {
    "posix-aio": "glibc's aio_read",
    "io-uring": "io_uring",
    "io-uring-worker": "io_uring's worker",
    "linux-aio": "native AIO on a file",
}
SEEN_BY = {
    "posix-aio": "aio_read",
    "io-uring": "io_uring",
    "io-uring-worker": "io_uring",
}  # features
SOCKET = "linux-aio-socket"
OUTSTANDING = "25 aio_reads"
RUNS = {
    **ASYNCHRONOUS,
    SOCKET: Wanted("linux_aio_socket"),
    OUTSTANDING: Wanted("trials.outstanding", 2, proto="none"),
}
OPTIONAL = frozenset(RUNS)
MOST_BLOCKED = 0.1  # at most, of the time from ask to copy_end, at the median of the rounds
MOST_ASLEEP = (
    0.1  # at most, of the calls that ask: a kernel may lack memory or room in a device's queue
)
_SUBMITS = ("io_submit", "io_uring_enter")
_WAITS = ("io_getevents", "io_pgetevents")
_ENTER = syscalls.numbers()["io_uring_enter"]


def judge(runs: Runs) -> Judgement:
    """For each interface: whether the call that asks sleeps, how long the process is blocked until the data is there,
    and whether a call of the asking thread receives. For glibc's: what an aio_read does until it returns, how many
    there can be, the order of copy and signal, and the thread that waits in the place of the asking one."""
    findings, signals, after_copy = Findings(), 0, 0
    tried = [
        name
        for name in NAMES
        if name in runs and all(run.sees(SEEN_BY.get(name, "")) for run in runs[name])
    ]
    if not tried:
        return Judgement(Verdict.UNTESTED, "", "no asynchronous I/O is to be seen here")
    blocked = [_returns_at_once(name, runs[name], findings) for name in tried]
    asks = _asks([run for run in runs.get(OUTSTANDING, ()) if run.sees("aio_read")], findings)
    by_helper = runs["posix-aio"] if "posix-aio" in tried else ()
    for run in by_helper:
        counted = _signals_after_copies(run)
        signals, after_copy = signals + counted[0], after_copy + counted[1]
    findings.must(
        after_copy == signals, f"{signals - after_copy} of {signals} signals came before the copy"
    )
    helped = [share for run in by_helper if (share := _helper(run)) is not None]
    if helped:
        findings.but.append(
            f"aio_read is a thread of glibc's that is blocked in read in the caller's place, for "
            f"{span(spread(helped), percent)} of the wait"
        )
    slept, submits = _asleep(runs.get(SOCKET, ()))
    if slept > MOST_ASLEEP * submits:
        findings.but.append(
            f"native AIO on a socket is not: io_submit sleeps until the data is there ({slept} of {submits})"
        )
    told = f"{after_copy} of {signals} signals came after the copy; " if signals else ""
    return findings.judgement(
        f"{asks}{', '.join(NAMES[name] for name in tried)}: blocked for at most {percent(max(blocked))} of the time "
        f"until the copy's end; {told}no receive call by who asked"
    )


def _asks(runs: Sequence[TraceView], findings: Findings) -> str:
    """What the aio_reads did until they returned, in words; '' where there are none to look at."""
    its = asking(runs)
    if not len(its):
        return ""
    findings.must(
        its.slept <= MOST_ASLEEP * len(its),
        f"{its.slept} of {len(its)} aio_reads slept before they returned",
    )
    if its.making:
        findings.but.append(
            f"aio_read makes a thread where none is idle, which takes {time(statistics.median(its.making))}"
        )
    outstanding, carried_out = min((at_a_time(run) for run in runs), key=lambda both: both[1])
    if carried_out < outstanding:
        findings.but.append(
            f"of {outstanding} reads outstanding only {carried_out} are carried out at a time (aio_init(3)): the last "
            f"one, whose data came first, had to wait for {outstanding - carried_out} others"
        )
    return f"{its}; "


def _returns_at_once(name: str, runs: Sequence[TraceView], findings: Findings) -> float:
    """Checks that the call which asks does not sleep and the process is not blocked. Returns the share of the time in
    which the process was blocked, at the median."""
    shares = spread(_blocked(run, NAMES[name], findings) for run in runs)
    findings.must(shares.middle <= MOST_BLOCKED, f"with {NAMES[name]} the process is blocked")
    slept, submits = _asleep(runs)
    findings.must(
        slept <= MOST_ASLEEP * submits,
        f"with {NAMES[name]} the call that asks slept, {slept} of {submits} times",
    )
    if 0 < slept <= MOST_ASLEEP * submits:
        findings.but.append(
            f"with {NAMES[name]} the call that asks slept all the same, {slept} of {submits} times"
        )
    return shares.middle


def _blocked(run: TraceView, name: str, findings: Findings) -> float:
    """The share of the time until the end of the copy in which the asking thread was blocked, without the calls that
    are there to wait (io_getevents, an io_uring_enter that submits nothing)."""
    base = run.report["base_ns"]
    asker = run.asker
    findings.must(
        not len(run.receives(asker)), f"with {name} the thread that asked made receive calls"
    )
    findings.must(
        not copiers(run)[OWN], f"with {name} a call of the thread that asked copied the data"
    )
    findings.must(
        all("how" in operation or "helper_tid" in operation for operation in run.operations),
        f"with {name} nothing completes by itself",
    )
    spans = _spans(
        [
            (base + operation["ask_ns"], base + operation["copy_end_ns"])
            for operation in run.operations
        ]
    )
    wanted = run.of_class(*_WAITS, "io_uring_enter")
    wanted = wanted.take((wanted.tid == asker) & ((wanted.nr != _ENTER) | (wanted.result == 0)))
    chosen = common(spans, np.stack([wanted.start, wanted.end], axis=1))
    return (run.blocked(asker, spans) - run.blocked(asker, chosen)) / max(1, length(spans))


def _spans(times: list[tuple[int, int]]) -> np.ndarray:
    """(begin, end) of each span as int64[n, 2]; a span ends at the latest where the next begins."""
    spans = np.array(times, np.int64)
    spans[:-1, 1] = np.minimum(spans[:-1, 1], spans[1:, 0])
    return spans


def _signals_after_copies(run: TraceView) -> tuple[int, int]:
    """(signals delivered to the asking thread; how many of them came after at least as many reads, by any thread, had
    ended)."""
    calls = run.of_class(*syscalls.RECEIVE)
    copies = np.sort(calls.end[calls.result > 0])
    signals = run.deliveries.time[run.deliveries.tid == run.asker]
    reads_before = np.searchsorted(copies, signals, "right")
    return len(signals), int((reads_before > np.arange(len(signals))).sum())


def _helper(run: TraceView) -> float | None:
    """The share of the waits in which a helper thread slept in the receive, without the time in which the helper waited
    for a CPU; None if there is no helper."""
    slept_ns = runnable_ns = waited_ns = 0
    for operation, wait in zip(run.operations, run.waits(), strict=True):
        if "helper_tid" in operation:
            slept_ns += run.blocked(operation["helper_tid"], wait[None])
            runnable_ns += run.runnable(operation["helper_tid"], wait[None])
            waited_ns += length(wait[None])
    return slept_ns / max(1, waited_ns - runnable_ns) if waited_ns else None


def _asleep(runs: Sequence[TraceView]) -> tuple[int, int]:
    """(calls that submitted a request and slept, calls that submitted one)."""
    slept = submit_count = 0
    for run in runs:
        calls = run.of_class(*_SUBMITS)
        calls = calls.take((calls.tid == run.asker) & (calls.result > 0))
        slept, submit_count = slept + int((calls.slept > 0).sum()), submit_count + len(calls)
    return slept, submit_count
