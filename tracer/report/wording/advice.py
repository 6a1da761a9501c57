"""Advice as the report has it: a rule's fact as a sentence that says what was seen, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from tracer.analysis.verdict.advice import Advised, ProgramIo
from tracer.analysis.verdict.facts import (
    AdviceFact,
    BufferFull,
    BusyWaits,
    LateToFetch,
    LateToRun,
    LeftByReceive,
    LeftInSocket,
    Polled,
    Scanned,
    SingleBytes,
    ToldTwice,
    WokenInVain,
)
from tracer.report.contract import Advice


def advice(advised: Iterable[Advised], io: ProgramIo) -> list[Advice]:
    """The report's `advice`; io: for the names of processes and files."""
    return [_advice(advice_case, io) for advice_case in advised]


def _advice(advice_case: Advised, io: ProgramIo) -> Advice:
    tgid, fd, _ = advice_case.key
    return {
        "rule": advice_case.rule,
        "tgid": tgid,
        "process": io.names.get(tgid),
        "fd": fd,
        "file": io.files.get(advice_case.key),
        "count": advice_case.count,
        "cost_ns": advice_case.cost_ns,
        "text": sentence(advice_case.because) + _on_files(advice_case),
    }


def _on_files(advice_case: Advised) -> str:
    """On how many descriptors it was seen, where it was more than one; `fd` is then the dearest."""
    several = advice_case.files > 1 and not isinstance(advice_case.because, LateToRun)
    return f" (on {advice_case.files:,} descriptors)" if several else ""


def sentence(fact: AdviceFact) -> str:
    """One fact in words, and what to do about it."""
    match fact:
        case Polled(eagains, receives):
            return (
                f"{eagains:,} receives found nothing (EAGAIN) beside {receives:,} that did: a CPU "
                "was kept busy asking; a blocking receive, poll or epoll_wait would sleep meanwhile"
            )
        case BusyWaits(call, times):
            return (
                f"{times:,} calls of {call} said at once that nothing is ready: a CPU was kept busy "
                "asking; with a time-out (-1: until something is ready) it would sleep meanwhile"
            )
        case BufferFull(times):
            return (
                f"{times:,} times a read filled its buffer, and no thread read on before a wait "
                "told of more; the descriptor is edge-triggered, and what is left brings no "
                "wake-up: read until EAGAIN"
            )
        case LeftInSocket(times):
            return (
                f"{times:,} times the thread went to sleep though data lay in the socket that the "
                "receive before had left; the descriptor is edge-triggered, and what is left "
                "brings no wake-up: receive until EAGAIN"
            )
        case ToldTwice(call, times, calls):
            return (
                f"{call} came back {times:,} times of {calls:,} at once with what the call before "
                "it had told of, and no call in between took it: receive it, or watch it "
                "edge-triggered or not at all"
            )
        case WokenInVain(times, accepted):
            return (
                f"{times:,} times a thread was woken for a connection that another had accepted by "
                f"then, for {accepted:,} accepted: EPOLLEXCLUSIVE, or a socket each with "
                "SO_REUSEPORT, wakes one"
            )
        case _:
            return _of_receives(fact)


def _of_receives(
    fact: Scanned | SingleBytes | LeftByReceive | LateToRun | LateToFetch,
) -> str:
    match fact:
        case Scanned(call, calls, watched, ready):
            return (
                f"{calls:,} calls of {call} looked at {watched / calls:,.0f} descriptors each, of "
                f"which {ready / calls:,.1f} were ready: epoll keeps its list in the kernel and "
                "looks at none"
            )
        case SingleBytes(times, receives):
            return (
                f"{times:,} of {receives:,} receives took one byte, and another was there for the "
                "next: a buffer takes many with one call"
            )
        case LeftByReceive(times, told):
            return (
                f"{times:,} of {told:,} times epoll_wait told of data that was there before, and "
                "that the receive before had left: receive with a larger buffer, or until there "
                "is none"
            )
        case LateToRun(receives, notice_ns, processes):
            whose = "their threads" if processes == 1 else f"the threads of {processes:,} processes"
            return (
                f"{_lay_ready(receives, notice_ns)}: {whose} waited for a CPU, which others kept "
                "busy"
            )
        case LateToFetch(receives, notice_ns):
            return (
                f"{_lay_ready(receives, notice_ns)}, most of it while the program did something "
                "else first"
            )
        case _:
            assert_never(fact)


def _lay_ready(receives: int, notice_ns: int) -> str:
    return f"{receives:,} receives lay ready {notice_ns / 1e3:,.0f} µs at the median"
