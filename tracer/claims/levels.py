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
CLAUSES = (
    "level-triggered, data that is left is reported",
    "and nothing is where none is left",
    "edge-triggered, what was reported is not reported again",
    "and each arrival is reported",
)
SOURCE = (
    "Kerrisk, TLPI, 1st ed. (2010), 63.1.1, p. 1329 (page from memory); epoll(7), Level-triggered and "
    "edge-triggered"
)
RUNS = {
    "level": Wanted("trials.levels", proto="none"),
    "edge": Wanted("trials.edges", proto="none"),
    "registration set anew": Wanted("trials.modified", proto="none"),
    "room to send": Wanted("trials.write_space", proto="none"),
}
OPTIONAL = frozenset({"registration set anew", "room to send"})


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
    _reported_again(runs, findings)
    return findings.judgement(
        f"level: {level.told} reports for {level.asked} questions with data left; "
        f"edge: {edge.told} reports for {edge.asked}, one after each of {edge.arrivals} arrivals"
    )


def _reported_again(runs: Runs, findings: Findings) -> None:
    """Notes where edge-triggered epoll reported data again though nothing had arrived."""
    for name, why in (
        ("registration set anew", "after EPOLL_CTL_MOD, which sets the registration anew"),
        ("room to send", "with EPOLLOUT watched too, when there was room to send again"),
    ):
        again, asked = _told_again(runs.get(name, ()))
        if again:
            findings.but.append(
                f"{why}, it reported data again that had been reported: {again} of {asked} times"
            )


def _told_again(runs: Sequence[TraceView]) -> tuple[int, int]:
    """(how often, between two arrivals, data was reported though none had arrived since it was last asked about, and
    then received; arrivals)."""
    again = arrivals = 0
    for run in runs:
        arrived = reported = False
        for kind, result in _steps(run):
            if kind == "send" and result > 0:
                arrived, reported, arrivals = True, False, arrivals + 1
            elif kind == "ask":
                reported |= result > 0 and not arrived
                arrived = False
            elif kind == "take" and result > 0:
                again, reported = again + reported, False
    return again, arrivals


def _steps(run: TraceView) -> list[tuple[str, int]]:
    """(ask, take, send or "", result) of each call, in order."""
    calls = run.calls
    kinds = np.full(len(calls), "", object)
    for kind, names in (("ask", syscalls.EPOLL), ("take", ("recvfrom",)), ("send", ("sendto",))):
        kinds[np.isin(calls.nr, syscalls.class_numbers(names))] = kind
    return list(zip(kinds.tolist(), calls.result.tolist(), strict=True))


def _told(runs: Sequence[TraceView]) -> _Told:
    sums = _Told()
    for run in runs:
        unread = arrived = 0
        for kind, result in _steps(run):
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
