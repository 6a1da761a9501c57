"""Reports of several programs under one message schedule → what they cost, side by side (docs/json.md, `compare`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Literal, TypeVar

import numpy as np

from tracer import text
from tracer.errors import IotraceError
from tracer.report.contract import (
    About,
    Comparison,
    Contender,
    Difference,
    Lang,
    MeanwhileCounts,
    Measured,
    Operation,
    Phases,
    Report,
    Spread,
    Waiting,
)
from tracer.statistics import ALPHA, FEWEST, fewest_runs, shift, step_down
from tracer.terms import PHASES

Word = TypeVar("Word")

SCHEMA: Literal[1] = 1
MEASURES = (
    *(f"{phase}_ns" for phase in PHASES),
    "waiting_cpu",
    "calls",
    "switches",
    "threads",
    "anonymous_bytes",
    "elapsed_ns",
)
OWN_CALL = "its own call"
_COPIERS = {
    "inline": OWN_CALL,
    "in io_submit": OWN_CALL,
    "poll-armed": "task work of its own",
    "multishot": "task work of its own",
    "sqpoll": "the ring's kernel thread",
    "worker": "a kernel worker",
    "device": "the device",
    "after io_submit": "the device",
}


class NothingReceived(IotraceError):
    """A run without an operation; the text says whose."""


def measured(report: Report) -> Measured:
    """What one run's report says: its measures, and in words what was derived from its events. Raises NothingReceived.

    Phases are the medians of the run's operations (ns); calls, switches: system calls, and context switches away, a
    message.
    """
    operations = report["operations"]
    messages = len(operations)
    if not messages:
        raise NothingReceived("the probes saw no message received")
    expected, window = report["expected"], report["window_ns"]
    calls = sum(call["calls"] for call in report["syscalls"] if not call.get("library"))
    switches = sum(thread["switches"] + thread["preemptions"] for thread in report["threads"])
    return {
        "values": {
            **_phases(report["phases"]),
            "waiting_cpu": _waiting_cpu(report["waiting"]),
            "calls": calls / messages,
            "switches": switches / messages,
            "threads": len(report["threads"]),
            "anonymous_bytes": expected["anonymous_bytes"] if expected else None,
            "elapsed_ns": window[1] - window[0] if window else None,
        },
        "model": report["model"]["name"],
        "synchronous": report["model"]["synchronous"],
        "meanwhile": _meanwhile(report["waiting"]["operations"]),
        "copied_by": Counter(map(_copier, operations)).most_common(1)[0][0],
        "messages": messages,
        "estimated": sorted(
            name for name, count in report["estimated"].items() if 2 * count >= messages
        ),
        "lost": report["ledger"]["lost"] or 0,
    }


def _phases(phases: Phases) -> dict[str, float | None]:
    medians = (phases["wait"], phases["notice"], phases["copy"], phases["completion"])
    return {f"{name}_ns": phase["p50_ns"] for name, phase in zip(PHASES, medians, strict=True)}


def _waiting_cpu(waiting: Waiting) -> float:
    """CPU time spent on waiting, a share of the time waited in which there was a CPU to be had. What a thread that is
    free computes meanwhile is work of its own, and not in it."""
    undisturbed = waiting["total_ns"] - waiting["runnable_ns"]
    return (waiting["cpu_ns"] - waiting["free_ns"]) / undisturbed if undisturbed > 0 else 0.0


def _meanwhile(counts: MeanwhileCounts) -> str | None:
    """What the asking thread did in most operations; None where nothing was waited for."""
    doing = {"asleep": counts["asleep"], "asking": counts["asking"], "free": counts["free"]}
    return max(doing, key=doing.__getitem__) if any(doing.values()) else None


def _copier(operation: Operation) -> str:
    """Who copied an operation's data into the program's buffer."""
    completion = operation.get("how")
    if completion in _COPIERS:
        return _COPIERS[completion]
    return "a helper thread" if operation.get("helper_tid") else OWN_CALL


def comparison(
    contenders: Sequence[tuple[str, Lang]],
    runs: Sequence[tuple[int, Measured, str | None]],
    unavailable: Sequence[tuple[int, str]],
    about: About,
) -> Comparison:
    """The result of `compare`.

    contenders: (name, language) of each.
    runs: (index of the contender, what `measured` says of the run, path of its recording or None), in their order.
    unavailable: (index of the contender, why it did not run).
    """
    entries = []
    for index, (name, lang) in enumerate(contenders):
        own_runs = [run for run in runs if run[0] == index]
        if own_runs:
            measures, recordings = [run[1] for run in own_runs], [run[2] for run in own_runs]
            entries.append(_entry(name, lang, measures, recordings))
    return {
        "schema": SCHEMA,
        "host": about["host"],
        "options": about["options"],
        "models": entries,
        "alpha": ALPHA,
        "rounds_needed": fewest_runs(max(len(entries) * (len(entries) - 1) // 2, 1)),
        "differences": _differences(entries),
        "unavailable": [
            {"name": contenders[index][0], "lang": contenders[index][1], "why": why}
            for index, why in unavailable
        ],
        "interrupted": about["interrupted"],
    }


def _entry(name: str, lang: Lang, runs: list[Measured], recordings: list[str | None]) -> Contender:
    """One contender: each measure over its runs; of words, what all runs say, or None."""
    return {
        "name": name,
        "lang": lang,
        "model": _agreed([run["model"] for run in runs]),
        "synchronous": _agreed([run["synchronous"] for run in runs]),
        "meanwhile": _agreed([run["meanwhile"] for run in runs]),
        "copied_by": _agreed([run["copied_by"] for run in runs]),
        "runs": len(runs),
        "messages": sum(run["messages"] for run in runs),
        "estimated": sorted({name for run in runs for name in run["estimated"]}),
        "lost": sum(run["lost"] for run in runs),
        "measures": {
            measure: _spread([run["values"][measure] for run in runs]) for measure in MEASURES
        },
        "recordings": [text.shown(path) for path in recordings if path],
    }


def _agreed(words: list[Word]) -> Word | None:
    """The word that all runs have, None where they differ."""
    return words[0] if all(word == words[0] for word in words) else None


def _spread(values: list[float | None]) -> Spread | None:
    """Median, minimum and maximum of the runs' values, and the values; None where a run has no value."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return {"median": median(known), "min": min(known), "max": max(known), "runs": known}


def _differences(entries: list[Contender]) -> list[Difference]:
    """One entry for each measure and each two contenders that have a value of it.

    The measures of two are tested together (tracer/statistics), and each p is taken as many times as there are pairs:
    Bonferroni's correction, which needs nothing to be known of what the pairs have to do with one another.
    """
    pairs = list(combinations(entries, 2))
    found = [its for one, other in pairs for its in _pair(one, other, len(pairs))]
    return sorted(found, key=lambda its: MEASURES.index(its["measure"]))


def _pair(one: Contender, other: Contender, pairs: int) -> list[Difference]:
    """Two contenders in each measure of which both have a value."""
    both = [
        (measure, first, second)
        for measure in MEASURES
        if (first := one["measures"][measure]) and (second := other["measures"][measure])
    ]
    if not both:
        return []
    own = np.array([first["runs"] for _, first, _ in both], np.float64).T
    others = np.array([second["runs"] for _, _, second in both], np.float64).T
    fewest = min(len(own), len(others))
    chances = step_down(own, others) if fewest > 1 else np.ones(len(both))
    return [
        _difference(measure, one, other, first, second, min(1.0, pairs * chance), fewest >= FEWEST)
        for (measure, first, second), chance in zip(both, chances.tolist(), strict=True)
    ]


def _difference(
    measure: str,
    one: Contender,
    other: Contender,
    first: Spread,
    second: Spread,
    p: float,
    enough: bool,
) -> Difference:
    effect, interval = shift(np.array(first["runs"]), np.array(second["runs"]))
    return {
        "measure": measure,
        "one": [one["name"], one["lang"]],
        "other": [other["name"], other["lang"]],
        "differs": enough and p <= ALPHA,
        "ratio": round(second["median"] / first["median"], 3) if first["median"] else None,
        "effect": round(effect, 4),
        "interval": [round(its, 4) for its in interval] if interval else None,
        "p": round(p, 6),
    }
