"""A claim, the runs that its test needs, and the verdict; no kernel interface."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from tracer.quantities import duration

if TYPE_CHECKING:
    from tracer.claims.trace_view import TraceView

MESSAGES, INTERVAL_NS = 20, 10_000_000


class Verdict(StrEnum):
    """The result of a test."""

    HOLDS = "holds"
    QUALIFIED = "holds with a qualification"
    FAILS = "does not hold"
    UNDECIDED = "cannot tell"
    UNTESTED = "cannot be tested here"


@dataclass(frozen=True)
class Wanted:
    """One run. program: the name of a program of scenarios/ (those in trials/ serve claims only), which is run in C if
    it is there in C and there is a compiler: no interpreter takes part then. The options that have the same names as
    those of scenarios.kit.options.Options have the same meaning.

    compared: times or shares of time are compared, so the run is made in every round; else calls are counted, and one
    round is enough.
    """

    program: str
    messages: int = MESSAGES
    interval_ns: int = INTERVAL_NS
    proto: str = "udp"
    sockets: int = 1
    size: int = 64
    open_loop: bool = False
    compared: bool = False

    @property
    def is_trial(self) -> bool:
        """Whether the program is no scenario, but a small program for one claim."""
        return self.program.startswith("trials.")


@dataclass(frozen=True)
class Judgement:
    """A verdict. evidence: what was measured, in one line; qualification: where the claim says too much or too little,
    or why it cannot be tested."""

    verdict: Verdict
    evidence: str
    qualification: str = ""


Runs = Mapping[
    str, Sequence["TraceView"]
]  # by the claim's own name for it: what each round recorded


@dataclass(frozen=True)
class Claim:
    """A claim: a sentence from a source. clauses: what the sentence says, one thing each: the tests have for each a
    recording of a program that does otherwise. runs: the runs that the test needs, by name; all but the `optional` ones
    have to succeed. judge: gives the verdict from the recordings alone."""

    number: int
    name: str
    sentence: str
    source: str
    clauses: tuple[str, ...]
    runs: dict[str, Wanted]
    optional: frozenset[str]
    judge: Callable[[Runs], Judgement]

    def verdict(self, runs: Runs) -> Judgement:
        """The verdict of `judge`, or why these recordings are no test."""
        for name, recordings in runs.items():
            if self.runs[name].proto != "none" and not all(run.operations for run in recordings):
                return Judgement(Verdict.UNTESTED, "", f"{name}: no data was received")
        return self.judge(runs)


@dataclass
class Findings:
    """The findings of a judge. against: why the claim does not hold; unclear: on what the rounds do not agree; but: in
    what it needs a qualification."""

    against: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    but: list[str] = field(default_factory=list)

    def must(self, holds: bool | None, otherwise: str) -> None:
        """The claim fails unless `holds` (None: the rounds cannot tell); otherwise: the reason, which is given once."""
        reasons = self.unclear if holds is None else self.against
        if not holds and otherwise not in reasons:
            reasons.append(otherwise)

    def judgement(self, evidence: str) -> Judgement:
        """The verdict from all findings."""
        if self.against:
            return Judgement(Verdict.FAILS, evidence, "; ".join(self.against))
        if self.unclear:
            doubts = " and whether ".join(self.unclear)
            return Judgement(
                Verdict.UNDECIDED, evidence, f"the rounds differ too much to tell whether {doubts}"
            )
        if self.but:
            return Judgement(Verdict.QUALIFIED, evidence, "; ".join(self.but))
        return Judgement(Verdict.HOLDS, evidence)


@dataclass(frozen=True)
class Spread:
    """A value over the rounds: the median and the extremes."""

    middle: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """The spread of the values of all rounds; raises statistics.StatisticsError if there is no value."""
    values = list(values)
    return Spread(statistics.median(values), min(values), max(values))


def span(value: Spread, text: Callable[[float], str]) -> str:
    """The median, and in brackets the least and the most: 2 (1–3)."""
    ends = text(value.least), text(value.most)
    return (
        text(value.middle) if ends[0] == ends[1] else f"{text(value.middle)} ({ends[0]}–{ends[1]})"
    )


def time(ns: float) -> str:
    """Nanoseconds with three significant digits: 912 ns, 10.9 ms."""
    return duration(ns)


def percent(share: float) -> str:
    """A share of 1, in percent."""
    return f"{100 * share:.1f}%"


def ratio(value: float) -> str:
    """×1.25"""
    return f"×{value:,.0f}" if value >= 100 else f"×{value:.3g}"


def count(value: float) -> str:
    """A mean count: 2, 2.05, 4,018, 0.0041."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}"
