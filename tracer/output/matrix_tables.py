"""The matrix of scenarios by kernels (docs/json.md) as plain tables, for the renderers that draw them; no kernel
interface."""

from __future__ import annotations

from tracer.output.format import Result
from tracer.output.units import MISSING, clean, duration, number, plural

_SIGNS = {
    "holds": "+",
    "holds with a qualification": "(+)",
    "does not hold": "−",
    "cannot tell": "~",
    "cannot be tested here": "?",
}
CLAIM_SIGNS = "+ holds, (+) with a qualification, − does not hold, ~ rounds could not tell, ? could not be tested"


def kernels(matrix: Result) -> tuple[list[str], list[list[str]]]:
    """One row a kernel: its untraced round trip, and the ledgers of its runs summed."""
    head = ["kernel", "release", "boot", "all", "round trip", "events", "lost", "missed"]
    rows = []
    for kernel in matrix["kernels"]:
        ledgers = [
            cell["ledger"]
            for cell in matrix["cells"][kernel["name"]].values()
            if cell.get("ledger")
        ]
        missed = [ledger["missed"] for ledger in ledgers]
        rows.append(
            [
                kernel["name"],
                clean(kernel["release"]),
                f"{kernel['boot_s']:.1f} s" if kernel["boot_s"] else MISSING,
                f"{kernel['took_s']:.0f} s",
                duration(kernel["round_trip_ns"]),
                *(
                    (
                        number(sum(ledger["counted"] for ledger in ledgers)),
                        number(sum(ledger["lost"] for ledger in ledgers)),
                        "unknown" if None in missed else number(sum(missed)),
                    )
                    if ledgers
                    else [MISSING] * 3
                ),
            ]
        )
    return head, rows


def extent(matrix: Result) -> str:
    """'8 scenarios and 11 claims on 5 kernels, in 12 min'."""
    listed = [*{claim["name"] for kernel in matrix["kernels"] for claim in kernel["claims"] or ()}]
    parts = [
        plural(count, noun)
        for count, noun in ((len(matrix["scenarios"]), "scenario"), (len(listed), "claim"))
        if count
    ]
    return f"{' and '.join(parts)} on {plural(len(matrix['kernels']), 'kernel')}, in {_minutes(matrix['took_s'])}"


def _minutes(seconds: float) -> str:
    whole_seconds = round(seconds)
    return (
        f"{whole_seconds // 60} min {whole_seconds % 60} s"
        if whole_seconds >= 60
        else f"{whole_seconds} s"
    )


def outcomes(matrix: Result) -> tuple[list[str], list[list[str]]]:
    """One row a scenario, one column a kernel: operations of messages, and what else is to be said."""
    rows = []
    for scenario in matrix["scenarios"]:
        cells = _row(matrix, scenario)
        verdicts = [cell["verdict"] for cell in cells if cell and cell.get("verdict")]
        common = max(dict.fromkeys(verdicts), key=verdicts.count) if verdicts else MISSING
        rows.append([scenario, common, *(_outcome(cell, common) for cell in cells)])
    return ["scenario", "verdict", *_names(matrix)], rows


def ratios(matrix: Result, phase: str) -> tuple[list[str], list[list[str]]]:
    """One row a scenario, one column a kernel: the median of a phase ÷ that kernel's untraced round trip."""
    rows = []
    for scenario in matrix["scenarios"]:
        values = [(cell or {}).get("ratios", {}).get(phase) for cell in _row(matrix, scenario)]
        rows.append([scenario, *(MISSING if value is None else f"{value:.2f}" for value in values)])
    return [f"{phase} ÷ round trip", *_names(matrix)], rows


def claims(matrix: Result) -> tuple[list[str], list[list[str]]]:
    """One row a claim of `iotrace verify`, one column a kernel: + holds, (+) with a qualification, − does not, ~ the
    rounds could not tell, ? could not be tested. No rows where none was."""
    judged = {
        kernel["name"]: {claim["number"]: claim for claim in kernel["claims"] or ()}
        for kernel in matrix["kernels"]
    }
    known = {
        number: claim["name"] for numbered in judged.values() for number, claim in numbered.items()
    }
    rows = [
        [
            str(number),
            name,
            *(
                _SIGNS.get(judged[kernel][number]["verdict"], MISSING)
                if number in judged[kernel]
                else MISSING
                for kernel in judged
            ),
        ]
        for number, name in sorted(known.items())
    ]
    return ["", "claim", *_names(matrix)], rows


def differences(matrix: Result) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(what and where, since when, [(kernels, what they show)]) of each difference; equal ones of several scenarios
    are one."""
    merged: dict[str, list[str]] = {}
    kept: dict[str, Result] = {}
    for difference in matrix["differs"]:
        key = repr((difference["what"], difference["groups"]))
        kept[key] = difference
        merged.setdefault(key, []).append(difference["scenario"] or "all")
    differing = []
    for key, difference in kept.items():
        groups = [
            (_span(group["kernels"]), clean(str(group["value"]))) for group in difference["groups"]
        ]
        where = "" if merged[key] == ["all"] else f" ({', '.join(merged[key])})"
        differing.append(
            (
                f"{difference['what']}{where}",
                f"since {difference['since']}" if difference["since"] else "",
                groups,
            )
        )
    return differing


def _span(names: list[str]) -> str:
    return (
        names[0]
        if len(names) == 1
        else f"{names[0]} to {names[-1]}"
        if len(names) > 2
        else ", ".join(names)
    )


def _names(matrix: Result) -> list[str]:
    return [kernel["name"] for kernel in matrix["kernels"]]


def _row(matrix: Result, scenario: str) -> list[Result | None]:
    return [matrix["cells"][name].get(scenario) for name in _names(matrix)]


def _outcome(cell: Result | None, common: str) -> str:
    if cell is None:
        return MISSING
    if cell.get("verdict") is None:
        return f"exit {cell['status']}"
    text = f"{cell['operations']}/{cell['messages']}"
    if cell["verdict"] != common:
        text += f" {cell['verdict']}"
    if cell["differences"]:
        text += " ≠"
    return text + ("!" if cell["ledger"]["lost"] or not cell["contiguous"] else "")
