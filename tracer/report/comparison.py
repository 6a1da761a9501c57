"""Reports of several programs under one message schedule → what they cost, side by side (docs/json.md, `compare`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from statistics import median

from tracer.errors import IotraceError
from tracer.terms import PHASES

SCHEMA = 1
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
    "worker": "a kernel worker",
    "device": "the device",
    "after io_submit": "the device",
}


class NothingReceived(IotraceError):
    """A run without an operation; the text says whose."""


def measured(report: dict) -> dict:
    """What one run's report says, as plain numbers, and in words what was derived from its events.

    Phases are the medians of the run's operations (ns). waiting_cpu: CPU time spent on waiting, a share of the time
    waited in which there was a CPU to be had: what a thread that is free computes meanwhile is its own work, and not in
    it. calls, switches: system
    calls, and context switches away, a message. Raises NothingReceived.
    """
    operations = report["operations"]
    messages = len(operations)
    if not messages:
        raise NothingReceived("the probes saw no message received")
    undisturbed = report["waiting"]["total_ns"] - report["waiting"]["runnable_ns"]
    waiting, expected, window = report["waiting"], report["expected"] or {}, report["window_ns"]
    values = {f"{name}_ns": report["phases"][name]["p50_ns"] for name in PHASES}
    calls = sum(call["calls"] for call in report["syscalls"] if not call.get("library"))
    switches = sum(thread["switches"] + thread["preemptions"] for thread in report["threads"])
    values |= {
        "waiting_cpu": (waiting["cpu_ns"] - waiting["free_ns"]) / undisturbed
        if undisturbed > 0
        else 0.0,
        "calls": calls / messages,
        "switches": switches / messages,
        "threads": len(report["threads"]),
        "anonymous_bytes": expected.get("anonymous_bytes"),
        "elapsed_ns": window[1] - window[0] if window else None,
    }
    doing = waiting["operations"]
    return {
        "values": values,
        "model": report["model"]["name"],
        "synchronous": report["model"]["synchronous"],
        "meanwhile": max(doing, key=doing.__getitem__) if any(doing.values()) else None,
        "copied_by": Counter(map(_copier, operations)).most_common(1)[0][0],
        "messages": messages,
        "estimated": sorted(
            name for name, count in report["estimated"].items() if 2 * count >= messages
        ),
        "lost": report["ledger"]["lost"],
    }


def _copier(operation: dict) -> str:
    """Who copied an operation's data into the program's buffer."""
    if operation.get("how") in _COPIERS:
        return _COPIERS[operation["how"]]
    return "a helper thread" if operation.get("helper_tid") else OWN_CALL


def comparison(
    contenders: Sequence[tuple[str, str]],
    runs: Sequence[tuple[int, dict, str | None]],
    unavailable: Sequence[tuple[int, str]],
    about: dict,
) -> dict:
    """The comparison that renderers read.

    contenders: name and language of each; runs: (which, what `measured` says of a run, its recording) in their order;
    unavailable: (which, why not); about: keys that go to the top (host, options).
    """
    entries = []
    for which, (name, lang) in enumerate(contenders):
        mine = [run for run in runs if run[0] == which]
        if mine:
            entries.append(_entry(name, lang, [run[1] for run in mine], [run[2] for run in mine]))
    return {
        "schema": SCHEMA,
        **about,
        "models": entries,
        "differences": _differences(entries),
        "unavailable": [
            {"name": contenders[which][0], "lang": contenders[which][1], "why": why}
            for which, why in unavailable
        ],
    }


def _entry(name: str, lang: str, runs: list[dict], recordings: list[str | None]) -> dict:
    """One contender: each measure over its runs; of words, what all runs say, or null."""
    said = {
        key: runs[0][key] if all(run[key] == runs[0][key] for run in runs) else None
        for key in ("model", "synchronous", "meanwhile", "copied_by")
    }
    values = {measure: _spread([run["values"][measure] for run in runs]) for measure in MEASURES}
    return {
        "name": name,
        "lang": lang,
        **said,
        "runs": len(runs),
        "messages": sum(run["messages"] for run in runs),
        "estimated": sorted({name for run in runs for name in run["estimated"]}),
        "lost": sum(run["lost"] for run in runs),
        "measures": values,
        "recordings": [path for path in recordings if path],
    }


def _spread(values: list) -> dict | None:
    """median, min and max of the runs, and the runs themselves; null where one does not know."""
    if any(value is None for value in values):
        return None
    return {"median": median(values), "min": min(values), "max": max(values), "runs": values}


def _differences(entries: list[dict]) -> list[dict]:
    """Each measure of each two: they differ where every run of one lies beyond every run of the other.

    Were there no difference, five runs of each would part so in 2 of 252 cases, three in 2 of 20.
    """
    found = []
    for measure in MEASURES:
        for one, other in combinations(entries, 2):
            mine, its = one["measures"][measure], other["measures"][measure]
            if mine and its:
                apart = mine["max"] < its["min"] or its["max"] < mine["min"]
                found.append(
                    {
                        "measure": measure,
                        "one": _id(one),
                        "other": _id(other),
                        "differs": apart,
                        "ratio": round(its["median"] / mine["median"], 3)
                        if mine["median"]
                        else None,
                    }
                )
    return found


def _id(entry: dict) -> list[str]:
    return [entry["name"], entry["lang"]]
