"""What kernels have in common and where they differ, from their runs' reports: pure analysis, in the order of kernels."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from tracer.terms import PHASES

# what is compared: (its name, from a cell; None: not known there)
_COMPARED: tuple[tuple[str, Callable[[dict], object]], ...] = (
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
    report: dict | None,
    wakes: int | None,
    round_trip_ns: int | None,
    recording: str | None,
) -> dict:
    """One scenario on one kernel: what of its report is compared.

    wakes: how often the scenario's threads were woken in its window, from the recording; round_trip_ns: that kernel's
    untraced round trip, with which its phases become ratios.
    """
    found: dict = {"status": status, "error": error, "recording": recording}
    if report is None:
        return found
    operations = len(report["operations"])
    expected = report["expected"] or {}
    phases = {
        name: {key: report["phases"][name][key] for key in ("p50_ns", "p90_ns")} for name in PHASES
    }
    calls: dict[str, int] = {}
    for call in report["syscalls"]:
        if not call.get("library"):
            calls[call["name"]] = call["calls"] - sum(call["errors"].values())
    return found | {
        "verdict": report["model"]["name"],
        "synchronous": report["model"]["synchronous"],
        "operations": operations,
        "messages": expected.get("messages"),
        "differences": expected.get("differences"),
        "ended": report["ended"],
        "phases": phases,
        "ratios": {
            name: round(phase["p50_ns"] / round_trip_ns, 3)
            if round_trip_ns and operations
            else None
            for name, phase in phases.items()
        },
        "contiguous": contiguous(report),
        "sequence": sequence(report["figure"]),
        "calls": calls,
        "wakes": wakes,
        "signals": sum(signal["delivered"] for signal in report["signals"]),
        "ledger": report["ledger"],
        "features": report["features"],
    }


def contiguous(report: dict) -> bool:
    """Whether every operation's boundaries are in order, and the phases sum to done − ask over all operations."""
    names = ("ask_ns", "ready_ns", "told_ns", "copy_start_ns", "copy_end_ns", "done_ns")
    times = [[op[name] for name in names] for op in report["operations"]]
    total = sum(phase["total_ns"] for phase in report["phases"].values())
    return all(row == sorted(row) for row in times) and total == sum(
        row[-1] - row[0] for row in times
    )


def sequence(figure: dict | None) -> list[str]:
    """The typical operation as words, in time order; equal ones in a row are one, since their number is chance."""
    words = []
    for step in (figure or {}).get("steps", []):
        kind = step["kind"]
        if kind == "call":
            failed = step["result"] if isinstance(step["result"], str) else None
            words.append(f"{step['name']}={failed}" if failed else step["name"])
        elif kind == "library":
            words.append(step["name"])
        elif kind == "signal":
            words.append(step["name"])
        elif (
            kind in ("ready", "wake") or kind == "run" and "wake" in words
        ):  # else it had only lost its CPU
            words.append(kind)
    return [word for word, _ in itertools.groupby(words)]


def differences(
    kernels: list[dict], scenarios: list[str], cells: dict[str, dict[str, dict]]
) -> list[dict]:
    """What is not the same on all kernels: [{scenario, what, groups: [{kernels, value}], since}].

    scenario is None for what concerns every scenario alike (where a boundary's evidence comes from). `since` is the
    first kernel that differs from those before it, where all after it agree with it; else null.
    """
    found = []
    names = [kernel["name"] for kernel in kernels]
    per_kernel = {name: _features(cells.get(name, {})) for name in names}
    for what in dict.fromkeys(key for features in per_kernel.values() for key in features):
        _add(
            found, None, f"evidence of {what}", {name: per_kernel[name].get(what) for name in names}
        )
    _add(
        found,
        None,
        "events missed are counted by the kernel",
        {name: _counts_missed(cells.get(name, {})) for name in names},
    )
    verdicts = {
        name: {claim["name"]: claim["verdict"] for claim in its.get("claims") or ()}
        for name, its in zip(names, kernels, strict=True)
    }
    for claim in dict.fromkeys(claim for its in verdicts.values() for claim in its):
        _add(
            found, None, f"claim {claim}", {name: its.get(claim) for name, its in verdicts.items()}
        )
    for scenario in scenarios:
        there = {name: cells[name][scenario] for name in names if scenario in cells.get(name, {})}
        for what, of in _COMPARED:
            _add(found, scenario, what, {name: of(its) for name, its in there.items()})
    return found


def _add(found: list[dict], scenario: str | None, what: str, values: dict[str, object]) -> None:
    known = {name: value for name, value in values.items() if value is not None}
    groups = [
        {"value": value, "kernels": [name for name, _ in its]}
        for value, its in itertools.groupby(known.items(), key=lambda item: item[1])
    ]
    if len(groups) > 1:
        since = groups[1]["kernels"][0] if len(groups) == 2 else None
        found.append({"scenario": scenario, "what": what, "groups": groups, "since": since})


def _features(cells: dict[str, dict]) -> dict[str, str]:
    """Where the evidence of each boundary comes from on one kernel; paths are the root file system's affair."""
    for its in cells.values():
        if its.get("features"):
            return {name: text.split(" on /")[0] for name, text in its["features"].items()}
    return {}


def _counts_missed(cells: dict[str, dict]) -> str | None:
    ledgers = [its["ledger"] for its in cells.values() if its.get("ledger")]
    return (
        ("yes" if any(ledger["missed"] is not None for ledger in ledgers) else "no")
        if ledgers
        else None
    )


def _outcome(its: dict) -> str:
    if its["status"] == 0:
        return "ok"
    why = (
        its["error"].splitlines()[-1].removeprefix("iotrace: ")
        if its["error"]
        else "it says nothing"
    )
    return f"exit status {its['status']}: {why}"


def _agreement(its: dict) -> str | None:
    if its.get("differences") is None:
        return None
    return "traced exactly" if not its["differences"] else "; ".join(its["differences"])


def _per_message(its: dict, what: str) -> float | None:
    """Rounded so that a stray one in a run is no difference."""
    return (
        round(its[what] / its["messages"] * 4) / 4
        if its.get(what) is not None and its.get("messages")
        else None
    )


def _calls(its: dict) -> str | None:
    if not its.get("messages"):
        return None
    counts = {name: round(count / its["messages"]) for name, count in its["calls"].items()}
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "none"


def _missed(its: dict) -> str | None:
    missed = (its.get("ledger") or {}).get("missed")
    return None if missed is None else "some" if missed else "none"
