"""Claim 8: level-triggered and edge-triggered epoll(7); from what epoll_wait(2) said after each arrival."""

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
    """What was asked and answered. An arrival is all that came between two questions."""

    messages: int = 0
    arrivals: int = 0
    asked: int = 0  # with data left
    told: int = 0
    told_of_nothing: int = 0
    told_again: int = 0  # nothing had arrived since it was asked last
    untold: int = 0  # something had, and was not told of


def judge(runs: Runs) -> Judgement:
    """The answers, and what was left or had arrived when they were given."""
    found = Findings()
    level, edge = _told(runs["level"]), _told(runs["edge"])
    if not level.messages or not edge.messages:
        return Judgement(Verdict.UNTESTED, "", "no message arrived")
    found.must(level.told == level.asked, "level-triggered, data that was left was not reported")
    found.must(not level.told_of_nothing, "level-triggered, an empty socket was reported")
    found.must(not edge.told_again, "edge-triggered, what had been reported was reported again")
    found.must(not edge.untold, "edge-triggered, an arrival was not reported")
    if edge.arrivals < edge.messages:
        found.but.append(
            "edge-triggered, what arrives before the program asks is one report: "
            f"{edge.messages} messages, {edge.told} reports"
        )
    return found.judgement(
        f"level: {level.told} reports for {level.asked} questions with data left; "
        f"edge: {edge.told} reports for {edge.asked}, one after each of {edge.arrivals} arrivals"
    )


def _told(runs: Sequence[TraceView]) -> _Told:
    sums = _Told()
    for run in runs:
        calls = run.calls
        kinds = np.full(len(calls), "", object)
        for kind, names in (
            ("ask", syscalls.EPOLL),
            ("take", ("recvfrom",)),
            ("send", ("sendto",)),
        ):
            kinds[np.isin(calls.nr, syscalls.class_numbers(names))] = kind
        left = new = 0
        for kind, result in zip(kinds.tolist(), calls.result.tolist(), strict=True):
            if kind == "send" and result > 0:
                left, new, sums.messages = left + 1, new + 1, sums.messages + 1
            elif kind == "take" and result > 0:
                left -= 1
            elif kind == "ask":
                sums.arrivals += new > 0
                sums.asked += left > 0
                sums.told += result > 0 and left > 0
                sums.told_of_nothing += result > 0 and not left
                sums.told_again += result > 0 and not new
                sums.untold += not result and new > 0
                new = 0
    return sums
