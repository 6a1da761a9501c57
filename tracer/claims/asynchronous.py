"""Claim 7: asynchronous I/O; from glibc's aio_read(3), io_uring(7), and io_submit(2) on a file and on a socket."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted, percent, span, spread
from tracer.claims.shared_runs import ASYNCHRONOUS
from tracer.claims.trace_view import TraceView, common, length
from tracer.kernel import syscalls

NUMBER = 7
NAME = "asynchronous"
SENTENCE = (
    "An asynchronous read returns at once, the process is not blocked, is told after the copy, and makes no "
    "receive call itself."
)
SOURCE = "Stevens, UNP 6.2, figure 6.5; POSIX.1-2017, aio_read"
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
RUNS = {**ASYNCHRONOUS, SOCKET: Wanted("linux_aio_socket")}
OPTIONAL = frozenset(RUNS)
MOST_BLOCKED = 0.1  # of the time from asking to the copy's end, in the median of the rounds
MOST_ASLEEP = (
    0.1  # of the calls that ask: a kernel may be short of memory or of places in a device's queue
)
_SUBMITS = ("io_submit", "io_uring_enter")
_WAITS = ("io_getevents", "io_pgetevents")
_ENTER = syscalls.numbers()["io_uring_enter"]


def judge(runs: Runs) -> Judgement:
    """For each way: sleep in the call that asks and until the data is there, and receives of the asking thread; for
    glibc's, the order of copy and signal, and the thread that waits in its place."""
    found, signals, copied = Findings(), 0, 0
    tried = [
        name
        for name in NAMES
        if name in runs and all(run.sees(SEEN_BY.get(name, "")) for run in runs[name])
    ]
    if not tried:
        return Judgement(Verdict.UNTESTED, "", "no asynchronous I/O is to be seen here")
    blocked = [_returns_at_once(name, runs[name], found) for name in tried]
    by_helper = runs["posix-aio"] if "posix-aio" in tried else ()
    for run in by_helper:
        its = _signals_after_copies(run)
        signals, copied = signals + its[0], copied + its[1]
    found.must(copied == signals, f"{signals - copied} of {signals} signals came before the copy")
    helped = [share for run in by_helper if (share := _helper(run)) is not None]
    if helped:
        found.but.append(
            f"aio_read is a thread of glibc's that is blocked in read in the caller's place, for "
            f"{span(spread(helped), percent)} of the wait"
        )
    slept, of = _asleep(runs.get(SOCKET, ()))
    if slept > MOST_ASLEEP * of:
        found.but.append(
            f"native AIO on a socket is not: io_submit sleeps until the data is there ({slept} of {of})"
        )
    told = f"{copied} of {signals} signals came after the copy; " if signals else ""
    return found.judgement(
        f"{', '.join(NAMES[name] for name in tried)}: the call returned at once; blocked for at most "
        f"{percent(max(blocked))} of the time until the copy's end; {told}no receive call by who asked"
    )


def _returns_at_once(name: str, runs: Sequence[TraceView], found: Findings) -> float:
    """That the call which asks does not sleep, and the process is not blocked; the share of the time that it was."""
    shares = spread(_blocked(run, NAMES[name], found) for run in runs)
    found.must(shares.middle <= MOST_BLOCKED, f"with {NAMES[name]} the process is blocked")
    slept, of = _asleep(runs)
    found.must(
        slept <= MOST_ASLEEP * of,
        f"with {NAMES[name]} the call that asks slept, {slept} of {of} times",
    )
    if 0 < slept <= MOST_ASLEEP * of:
        found.but.append(
            f"with {NAMES[name]} the call that asks slept all the same, {slept} of {of} times"
        )
    return shares.middle


def _blocked(run: TraceView, name: str, found: Findings) -> float:
    """The share of the time until the copy's end in which the asking thread was blocked, but for waiting because it
    wanted to (io_getevents, an io_uring_enter that submits nothing)."""
    base = run.report["base_ns"]
    asker = run.asker
    found.must(
        not len(run.receives(asker)), f"with {name} the thread that asked made receive calls"
    )
    found.must(
        all("how" in op or "helper_tid" in op for op in run.operations),
        f"with {name} nothing completes by itself",
    )
    spans = _spans([(base + op["ask_ns"], base + op["copy_end_ns"]) for op in run.operations])
    wanted = run.of_class(*_WAITS, "io_uring_enter")
    wanted = wanted.take((wanted.tid == asker) & ((wanted.nr != _ENTER) | (wanted.result == 0)))
    chosen = common(spans, np.stack([wanted.start, wanted.end], axis=1))
    return (run.blocked(asker, spans) - run.blocked(asker, chosen)) / max(1, length(spans))


def _spans(times: list[tuple[int, int]]) -> np.ndarray:
    """As int64[n, 2], each cut where the next begins."""
    spans = np.array(times, np.int64)
    spans[:-1, 1] = np.minimum(spans[:-1, 1], spans[1:, 0])
    return spans


def _signals_after_copies(run: TraceView) -> tuple[int, int]:
    """(signals delivered to the asking thread; those before which at least as many reads had ended, by any thread)."""
    calls = run.of_class(*syscalls.RECEIVE)
    copies = np.sort(calls.end[calls.result > 0])
    signals = run.deliveries.time[run.deliveries.tid == run.asker]
    had = np.searchsorted(copies, signals, "right")
    return len(signals), int((had > np.arange(len(signals))).sum())


def _helper(run: TraceView) -> float | None:
    """The share of the waits, less what it waited for a CPU, in which another thread than the asking one slept in the
    receive; None where there is none."""
    slept = runnable = waited = 0
    for op, wait in zip(run.operations, run.waits(), strict=True):
        if "helper_tid" in op:
            slept += run.blocked(op["helper_tid"], wait[None])
            runnable += run.runnable(op["helper_tid"], wait[None])
            waited += length(wait[None])
    return slept / max(1, waited - runnable) if waited else None


def _asleep(runs: Sequence[TraceView]) -> tuple[int, int]:
    """(calls that submitted a request and slept, calls that submitted one)."""
    slept = of = 0
    for run in runs:
        submits = run.of_class(*_SUBMITS)
        submits = submits.take((submits.tid == run.asker) & (submits.result > 0))
        slept, of = slept + int((submits.slept > 0).sum()), of + len(submits)
    return slept, of
