"""Claim 8: level-triggered and edge-triggered epoll(7); from the results of epoll_wait(2) after each arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted
from tracer.claims.trace_view import TraceView
from tracer.kernel import syscalls

NUMBER = 8
NAME = "levels"
SENTENCE = "Level-triggered epoll reports as long as data is left, edge-triggered once per arrival."
SOURCE = "Kerrisk, TLPI 63.1.1; epoll(7)"
RUNS = {
    "level": Wanted("trials.levels", proto="none"),
    "edge": Wanted("trials.edges", proto="none"),
}


@dataclass
class _Told:
    """Counts of questions (calls of epoll_wait) and answers. All messages between two questions are one arrival."""

    messages: int = 0
    arrivals: int = 0
    asked: int = 0  # questions while data is left
    told: int = 0  # answers that report this data
    told_of_nothing: int = 0  # answers that report data while none is left
    told_again: int = 0  # answers that report data while none has arrived since the last question
    untold: int = 0  # answers that report nothing though data has arrived


def judge(runs: Runs) -> Judgement:
    """The answers, compared with the data that was left or had arrived."""
    findings = Findings()
    level, edge = _told(runs["level"]), _told(runs["edge"])
    if not level.messages or not edge.messages:
        return Judgement(Verdict.UNTESTED, "", "no message arrived")
    findings.must(level.told == level.asked, "level-triggered, data that was left was not reported")
    findings.must(not level.told_of_nothing, "level-triggered, an empty socket was reported")
    findings.must(not edge.told_again, "edge-triggered, what had been reported was reported again")
    findings.must(not edge.untold, "edge-triggered, an arrival was not reported")
    if edge.arrivals < edge.messages:
        findings.but.append(
            "edge-triggered, what arrives before the program asks is one report: "
            f"{edge.messages} messages, {edge.told} reports"
        )
    return findings.judgement(
        f"level: {level.told} reports for {level.asked} questions with data left; "
        f"edge: {edge.told} reports for {edge.asked}, one after each of {edge.arrivals} arrivals"
    )


def _told(runs: Sequence[TraceView]) -> _Told:
    sums = _Told()
    for run in runs:
        calls = run.calls
        call_kinds = np.full(len(calls), "", object)
        for kind, names in (
            ("ask", syscalls.EPOLL),
            ("take", ("recvfrom",)),
            ("send", ("sendto",)),
        ):
            call_kinds[np.isin(calls.nr, syscalls.class_numbers(names))] = kind
        unread = arrived = 0
        for kind, result in zip(call_kinds.tolist(), calls.result.tolist(), strict=True):
            if kind == "send" and result > 0:
                unread, arrived, sums.messages = unread + 1, arrived + 1, sums.messages + 1
            elif kind == "take" and result > 0:
                unread -= 1
            elif kind == "ask":
                sums.arrivals += arrived > 0
                sums.asked += unread > 0
                sums.told += result > 0 and unread > 0
                sums.told_of_nothing += result > 0 and not unread
                sums.told_again += result > 0 and not arrived
                sums.untold += not result and arrived > 0
                arrived = 0
    return sums
