"""Figures of single calls: what a traced program's call costs, what a bystander's does, and attach and detach."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import contenders as field
from machine import HERE
from rounds import Failed, Noisy, interleave, median, ratios
from table import goal, render, spread

FEWEST_SHARE = 0.9  # of its CPU that a load must have had, or the round is repeated


@dataclass(frozen=True)
class Setting:
    """Where and how much is measured: a scratch directory on disk, rounds, seconds a load, the two CPUs."""

    room: Path
    rounds: int
    seconds: float
    load_cpu: int
    tracer_cpu: int
    quick: bool
    say: Callable[[str], None]


@dataclass(frozen=True)
class Load:
    """A load's own line: calls, begin and end (ns), CPU time (ns), ns a call."""

    calls: int
    begin: int
    end: int
    cpu: int
    per_call: float

    @classmethod
    def parse(cls, line: str) -> Load:
        """Raises Failed where the line is none of a load's."""
        try:
            calls, begin, end, cpu, per_call = line.split()
            return cls(int(calls), int(begin), int(end), int(cpu), float(per_call))
        except ValueError:
            raise Failed(f"the load did not run under it: {line.strip()!r}") from None


def per_call(setting: Setting) -> dict[str, Any]:
    """A recvfrom that finds nothing, under every contender."""
    command = [str(setting.room / "poll"), str(setting.seconds), str(setting.load_cpu)]

    def measure(contender: field.Contender) -> tuple[Load, dict[str, Any]]:
        with contender.running(command) as process:
            line = field.line_of(process)
        load, facts = Load.parse(line), contender.facts()
        if not contender.waits and load.cpu < FEWEST_SHARE * (load.end - load.begin):
            raise Noisy((load, facts))
        return load, facts

    everyone = (
        field.Contender,
        field.Empty,
        field.Iotrace,
        field.Histogram,
        field.Printing,
        field.PerfTrace,
        field.Strace,
        field.SeccompStrace,
    )
    results = interleave(
        [kind(setting.room, setting.tracer_cpu) for kind in everyone],
        measure,
        setting.rounds,
        setting.say,
    )
    times = {name: median(load.per_call for load, _ in ones) for name, ones in results.items()}
    to_untraced = ratios(results, lambda one: one[0].per_call, "untraced")
    to_empty = ratios(results, lambda one: one[0].per_call, "empty programs")
    complete = all(
        facts["ledger"]["balanced"]
        and not facts["ledger"]["lost"]
        and facts["records"] >= load.calls
        for load, facts in results["iotrace"]
    )
    rows = [
        [name, *spread(times[name]), *spread(to_untraced[name], 2), *spread(to_empty[name], 2)]
        for name in times
    ]
    return {
        "ns": times,
        "ratio_to_untraced": to_untraced,
        "ratio_to_empty": to_empty,
        "complete": complete,
        "rounds": {
            name: [
                [load.calls, load.per_call, load.cpu / (load.end - load.begin)] for load, _ in ones
            ]
            for name, ones in results.items()
        },
        "goals": [
            goal("per call ÷ empty programs", to_empty["iotrace"]["median"], 1.5),
            goal("per call ÷ untraced", to_untraced["iotrace"]["median"], 2.2),
            goal("per call: every call recorded, none lost", complete, True),
        ],
        "table": render(
            "One recvfrom → EAGAIN (ns a call; ratios round by round)",
            ["", "ns", "spread", "÷ untraced", "spread", "÷ empty", "spread"],
            rows,
        ),
    }


def watching(setting: Setting) -> dict[str, Any]:
    """select, poll and epoll_wait over sets that are the same in every call, and over sets that never are."""
    columns = (field.Contender, field.Empty, field.Iotrace)
    contenders = [kind(setting.room, setting.tracer_cpu) for kind in columns]
    figures: dict[str, Any] = {}
    for call, count, changes in itertools.product(
        ("poll", "select", "epoll_wait"), (1, 64), (False, True)
    ):
        if call == "epoll_wait" and count > 1:  # its set is no argument
            continue
        name = f"{call}, {count}" + (", changing" if changes else "")
        setting.say(f"{name}:")
        figures[name] = _watched(setting, contenders, call, count, changes)
    rows = [
        [
            name,
            *(f"{ones['ns'][kind.name]['median']:.0f}" for kind in columns),
            *spread(ones["added"]),
            *spread(ones["ratio_to_empty"], 2),
        ]
        for name, ones in figures.items()
    ]
    return {
        "calls": figures,
        "goals": [],
        "table": render(
            "One call that watches, 1 or 64 descriptors, the same or a changing set (ns a call; ratios round by round)",
            ["", *(kind.name for kind in columns), "added to empty", "spread", "÷ empty", "spread"],
            rows,
        ),
    }


def _watched(
    setting: Setting, contenders: list[field.Contender], call: str, count: int, changes: bool
) -> dict[str, Any]:
    """ns a call under each contender; what iotrace adds to empty programs (ns), and the ratio to them."""
    command = [str(setting.room / "watch"), str(setting.seconds / 3), str(setting.load_cpu)]
    command += [call, str(count), str(int(changes))]

    def measure(contender: field.Contender) -> Load:
        with contender.running(command) as process:
            load = Load.parse(field.line_of(process))
        if load.cpu < FEWEST_SHARE * (load.end - load.begin):
            raise Noisy(load)
        return load

    results = interleave(contenders, measure, setting.rounds, setting.say)
    pairs = zip(results["iotrace"], results["empty programs"], strict=True)
    return {
        "ns": {name: median(load.per_call for load in ones) for name, ones in results.items()},
        "added": median(traced.per_call - empty.per_call for traced, empty in pairs),
        "ratio_to_empty": ratios(results, lambda load: load.per_call, "empty programs")["iotrace"],
    }


def bystander(setting: Setting) -> dict[str, Any]:
    """getppid in a program that is not traced, while the tracer watches another one that sleeps."""
    command = ["/bin/sh", str(HERE / "hold.sh")]
    plain = field.Contender(setting.room, setting.tracer_cpu)
    loop = [str(setting.room / "bystander"), str(setting.seconds), str(setting.load_cpu)]

    def measure(contender: field.Contender) -> Load:
        with contender.running(command) as held:
            if "attached" not in field.line_of(held):
                raise Failed("it did not start the command")
            with plain.running(loop) as process:
                load = Load.parse(field.line_of(process))
            assert held.stdin, "it has a pipe"
            held.stdin.write("\n")
            held.stdin.flush()
        if load.cpu < FEWEST_SHARE * (load.end - load.begin):
            raise Noisy(load)
        return load

    everyone = (field.Contender, field.Empty, field.Iotrace, field.Histogram, field.Filtered)
    results = interleave(
        [kind(setting.room, setting.tracer_cpu) for kind in everyone],
        measure,
        setting.rounds,
        setting.say,
    )
    times = {name: median(load.per_call for load in ones) for name, ones in results.items()}
    to_empty = ratios(results, lambda load: load.per_call, "empty programs")
    rows = [[name, *spread(times[name], 1), *spread(to_empty[name], 2)] for name in times]
    return {
        "ns": times,
        "ratio_to_empty": to_empty,
        "goals": [goal("bystander ÷ empty programs", to_empty["iotrace"]["median"], 1.1)],
        "table": render(
            "A bystander's getppid (ns a call; ratios round by round)",
            ["", "ns", "spread", "÷ empty", "spread"],
            rows,
        ),
    }


def startup(setting: Setting) -> dict[str, Any]:
    """From the tracer's start to the program's, and from the program's end to the probes detached."""
    command = [str(setting.room / "poll"), "0.05", str(setting.load_cpu)]

    def measure(contender: field.Contender) -> tuple[float, float, float]:
        began = time.monotonic_ns()
        with contender.running(command) as process:
            load = Load.parse(field.line_of(process))
        gone = time.monotonic_ns()
        detached = contender.facts().get("detached_ns", gone)
        return (load.begin - began) / 1e6, (detached - load.end) / 1e6, (gone - began) / 1e6

    everyone = (field.Iotrace, field.IotraceFirst, field.Histogram)
    results = interleave(
        [kind(setting.room, setting.tracer_cpu) for kind in everyone],
        measure,
        max(setting.rounds, 5),
        setting.say,
    )
    figures = {
        name: [median(one[i] for one in ones) for i in range(3)] for name, ones in results.items()
    }
    goals = []
    if "bpftrace, histogram" in figures:
        for i, what in enumerate(("start to program begun", "end to detached")):
            goals.append(
                goal(
                    f"{what} ÷ bpftrace's (two probes)",
                    ratios(results, itemgetter(i), "bpftrace, histogram")["iotrace"]["median"],
                    1.0,
                )
            )
    rows = [
        [name, *(cell for figure in ones for cell in spread(figure))]
        for name, ones in figures.items()
    ]
    return {
        "ms": {
            name: dict(zip(("start", "detach", "whole"), ones, strict=True))
            for name, ones in figures.items()
        },
        "goals": goals,
        "table": render(
            "Tracer's start to program's, program's end to detached, and the whole run (ms)",
            ["", "start", "spread", "detach", "spread", "whole", "spread"],
            rows,
        ),
    }
