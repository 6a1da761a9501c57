"""What a claim is, what it wants to have run, and how it is judged; no kernel interface."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.claims.trace_view import TraceView

MESSAGES, INTERVAL_NS = 20, 10_000_000


class Verdict(StrEnum):
    """What a test came to."""

    HOLDS = "holds"
    QUALIFIED = "holds with a qualification"
    FAILS = "does not hold"
    UNTESTED = "cannot be tested here"


@dataclass(frozen=True)
class Wanted:
    """One run: a program of scenarios/ (its module's name; those in trials/ are for claims alone) and what it is sent,
    as scenarios.kit.options.Options has it.

    native: its twin in C where there is a compiler, so that no interpreter's lock takes part. compared: times or shares
    of time are compared, so it is made in every round; else what it does is counted, and once is enough.
    """

    program: str
    messages: int = MESSAGES
    interval_ns: int = INTERVAL_NS
    proto: str = "udp"
    sockets: int = 1
    size: int = 64
    open_loop: bool = False
    native: bool = False
    compared: bool = False

    @property
    def is_trial(self) -> bool:
        """Whether it is no scenario, but a small program that one claim needs."""
        return self.program.startswith("trials.")


@dataclass(frozen=True)
class Judgement:
    """verdict; evidence: what was measured, in one line; qualification: in what the claim says too much or too little,
    or why it cannot be tested."""

    verdict: Verdict
    evidence: str
    qualification: str = ""


Runs = Mapping[
    str, Sequence["TraceView"]
]  # by the claim's own name for it: what each round recorded


@dataclass(frozen=True)
class Claim:
    """`sentence`, as `source` has it. runs: what its test needs, by name; without one that is not in `optional` it
    cannot be tested. judge: the verdict from what was recorded, and from nothing else."""

    number: int
    name: str
    sentence: str
    source: str
    runs: dict[str, Wanted]
    optional: frozenset[str]
    judge: Callable[[Runs], Judgement]

    def verdict(self, runs: Runs) -> Judgement:
        """judge's, or why these recordings say nothing."""
        for name, its in runs.items():
            if self.runs[name].proto != "none" and not all(run.operations for run in its):
                return Judgement(Verdict.UNTESTED, "", f"{name}: no data was received")
        return self.judge(runs)


@dataclass
class Findings:
    """What a judge has found: sentences in which the claim does not hold or needs a qualification."""

    against: list[str] = field(default_factory=list)
    but: list[str] = field(default_factory=list)

    def must(self, holds: bool, otherwise: str) -> None:
        """The claim stands or falls with `holds`; each reason is said once."""
        if not holds and otherwise not in self.against:
            self.against.append(otherwise)

    def judgement(self, evidence: str) -> Judgement:
        """The verdict of all of it."""
        if self.against:
            return Judgement(Verdict.FAILS, evidence, "; ".join(self.against))
        if self.but:
            return Judgement(Verdict.QUALIFIED, evidence, "; ".join(self.but))
        return Judgement(Verdict.HOLDS, evidence)


@dataclass(frozen=True)
class Spread:
    """A value over the rounds: its median and its extremes."""

    middle: float
    least: float
    most: float

    def apart_from(self, other: Spread) -> bool:
        """Whether the two differ by more than they scatter: a difference inside the spread is none."""
        return self.least > other.most or self.most < other.least


def spread(values: Iterable[float]) -> Spread:
    """Of a value in each round; raises statistics.StatisticsError where there is none."""
    values = list(values)
    return Spread(statistics.median(values), min(values), max(values))


def span(its: Spread, text: Callable[[float], str]) -> str:
    """Median, and in brackets from the least to the most."""
    ends = text(its.least), text(its.most)
    return text(its.middle) if ends[0] == ends[1] else f"{text(its.middle)} ({ends[0]}–{ends[1]})"


def time(ns: float) -> str:
    """Nanoseconds with three significant digits: 912 ns, 10.9 ms."""
    for scale, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(ns) >= 0.9995 * scale:
            return f"{ns / scale:.3g} {unit}"
    return f"{ns:.0f} ns"


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
