"""Compares the runs' reports of several kernels: where do they differ, and since which kernel?"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tracer.terms import PHASES

Cell = dict[str, Any]
"""One scenario on one kernel, as cell() makes it (docs/json.md)."""

# aspects that are compared: (name, the function that takes its value from a cell; None: not known)
_COMPARED: tuple[tuple[str, Callable[[Cell], object]], ...] = (
    ("outcome", lambda cell: _outcome(cell)),
    ("verdict", lambda cell: cell.get("verdict")),
    ("workload's own counts", lambda cell: _agreement(cell)),
    ("sequence", lambda cell: " → ".join(cell["sequence"]) if cell.get("sequence") else None),
    ("wake-ups per message", lambda cell: _per_message(cell, "wakes")),
    ("calls that succeed, per message", lambda cell: _calls(cell)),
    ("signals per message", lambda cell: _per_message(cell, "signals")),
    ("events missed", lambda cell: _missed(cell)),
)


def cell(
    status: int,
    error: str | None,
    report: dict[str, Any] | None,
    wakes: int | None,
    round_trip_ns: int | None,
    recording: str | None,
) -> Cell:
    """One scenario on one kernel: the parts of its report that are compared.

    wakes: how often the scenario's threads were woken in its window, from the recording; round_trip_ns: that kernel's
    untraced round trip, with which its phases become ratios.
    """
    outcome: Cell = {"status": status, "error": error, "recording": recording}
    if report is None:
        return outcome
    operations = len(report["operations"])
    expected = report["expected"] or {}
    phases = {
        name: {key: report["phases"][name][key] for key in ("p50_ns", "p90_ns")} for name in PHASES
    }
    return outcome | {
        "verdict": report["model"]["name"],
        "synchronous": report["model"]["synchronous"],
        "operations": operations,
        "messages": expected.get("messages"),
        "differences": expected.get("differences"),
        "ended": report["ended"],
        "phases": phases,
        "ratios": _ratios(phases, round_trip_ns if operations else None),
        "contiguous": contiguous(report),
        "sequence": sequence(report["figure"]),
        "calls": _successes(report["syscalls"]),
        "wakes": wakes,
        "signals": sum(signal["delivered"] for signal in report["signals"]),
        "ledger": report["ledger"],
        "features": report["features"],
    }


def _ratios(
    phases: dict[str, dict[str, int]], round_trip_ns: int | None
) -> dict[str, float | None]:
    """Each phase's median in round trips; None where there is none of either."""
    return {
        name: round(phase["p50_ns"] / round_trip_ns, 3) if round_trip_ns else None
        for name, phase in phases.items()
    }


def _successes(syscalls: list[dict[str, Any]]) -> dict[str, int]:
    """How often each system call succeeded."""
    return {
        call["name"]: call["calls"] - sum(call["errors"].values())
        for call in syscalls
        if not call.get("library")
    }


def contiguous(report: dict[str, Any]) -> bool:
    """Whether every operation's boundaries are in order, and the phases sum to done − ask over all operations."""
    names = ("ask_ns", "ready_ns", "told_ns", "copy_start_ns", "copy_end_ns", "done_ns")
    times = [[op[name] for name in names] for op in report["operations"]]
    total = sum(report["phases"][name]["total_ns"] for name in PHASES)
    return all(row == sorted(row) for row in times) and total == sum(
        row[-1] - row[0] for row in times
    )


def sequence(figure: dict[str, Any] | None) -> list[str]:
    """The typical operation as words, in time order; equal ones in a row are one, since their number is chance."""
    words = []
    for step in (figure or {}).get("steps", []):
        kind = step["kind"]
        if kind == "call":
            failed = step["result"] if isinstance(step["result"], str) else None
            words.append(f"{step['name']}={failed}" if failed else step["name"])
        elif kind in ("library", "signal"):
            words.append(step["name"])
        elif kind in ("ready", "wake") or (kind == "run" and "wake" in words):
            words.append(
                kind
            )  # a run without a wake-up before it: the thread had only lost its CPU
    return [word for word, _ in itertools.groupby(words)]


def differences(
    kernels: list[dict[str, Any]], scenarios: list[str], cells: dict[str, dict[str, Cell]]
) -> list[dict[str, Any]]:
    """What is not the same on all kernels: [{scenario, what, groups: [{kernels, value}], since}].

    scenario is None for what concerns every scenario alike (where a boundary's evidence comes from). `since` is the
    first kernel that differs from those before it, where all after it agree with it; else null.
    """
    differing: list[dict[str, Any]] = []
    names = [kernel["name"] for kernel in kernels]
    per_kernel = {name: _features(cells.get(name, {})) for name in names}
    for aspect in dict.fromkeys(key for features in per_kernel.values() for key in features):
        _add(
            differing,
            None,
            f"evidence of {aspect}",
            {name: per_kernel[name].get(aspect) for name in names},
        )
    _add(
        differing,
        None,
        "events missed are counted by the kernel",
        {name: _counts_missed(cells.get(name, {})) for name in names},
    )
    verdicts = {
        kernel["name"]: {claim["name"]: claim["verdict"] for claim in kernel.get("claims") or ()}
        for kernel in kernels
    }
    for claim in dict.fromkeys(claim for judged in verdicts.values() for claim in judged):
        _add(
            differing,
            None,
            f"claim {claim}",
            {name: judged.get(claim) for name, judged in verdicts.items()},
        )
    for scenario in scenarios:
        present = {name: cells[name][scenario] for name in names if scenario in cells.get(name, {})}
        for aspect, value_of in _COMPARED:
            _add(
                differing,
                scenario,
                aspect,
                {name: value_of(cell) for name, cell in present.items()},
            )
    return differing


def _add(
    differing: list[dict[str, Any]], scenario: str | None, aspect: str, values: dict[str, object]
) -> None:
    known = {name: value for name, value in values.items() if value is not None}
    groups = [
        {"value": value, "kernels": [name for name, _ in equal]}
        for value, equal in itertools.groupby(known.items(), key=lambda item: item[1])
    ]
    if len(groups) > 1:
        since = groups[1]["kernels"][0] if len(groups) == 2 else None
        differing.append({"scenario": scenario, "what": aspect, "groups": groups, "since": since})


def _features(cells: dict[str, Cell]) -> dict[str, str]:
    """The source of each boundary's evidence on one kernel, without paths, which depend on the root file system."""
    for cell in cells.values():
        if cell.get("features"):
            return {name: text.split(" on /")[0] for name, text in cell["features"].items()}
    return {}


def _counts_missed(cells: dict[str, Cell]) -> str | None:
    ledgers = [cell["ledger"] for cell in cells.values() if cell.get("ledger")]
    return (
        ("yes" if any(ledger["missed"] is not None for ledger in ledgers) else "no")
        if ledgers
        else None
    )


def _outcome(cell: Cell) -> str:
    if cell["status"] == 0:
        return "ok"
    why = (
        cell["error"].splitlines()[-1].removeprefix("iotrace: ")
        if cell["error"]
        else "it says nothing"
    )
    return f"exit status {cell['status']}: {why}"


def _agreement(cell: Cell) -> str | None:
    if cell.get("differences") is None:
        return None
    return "traced exactly" if not cell["differences"] else "; ".join(cell["differences"])


def _per_message(cell: Cell, count_name: str) -> float | None:
    """A count for each message, rounded to quarters so that one more or less in a run makes no difference."""
    return (
        round(cell[count_name] / cell["messages"] * 4) / 4
        if cell.get(count_name) is not None and cell.get("messages")
        else None
    )


def _calls(cell: Cell) -> str | None:
    if not cell.get("messages"):
        return None
    counts = {name: round(count / cell["messages"]) for name, count in cell["calls"].items()}
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "none"


def _missed(cell: Cell) -> str | None:
    missed = (cell.get("ledger") or {}).get("missed")
    return None if missed is None else "some" if missed else "none"
