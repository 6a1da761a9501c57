"""From rounds of the readiness benchmark to its result: medians with spread, and the published table beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from tracer.report.bench import published
from tracer.report.bench.in_call import InCall
from tracer.report.bench.shapes import LeftOut, Row
from tracer.report.contract import Host

ORDER = ("select", "poll", "epoll-lt", "epoll-et", "io_uring")


@dataclass(frozen=True)
class Round:
    """What one round gave: the program's notes without probes and under them, and for each block of the latter what the
    recording says (empty where events were lost)."""

    untraced: dict[str, Any]
    traced: dict[str, Any]
    in_call: Sequence[InCall]
    lost: int = 0


@dataclass
class _Medians:
    """Of one call and number of descriptors, one number a round (ns)."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    in_call: list[float] = field(default_factory=list)
    traced_wall: list[float] = field(default_factory=list)
    operations: int = 0
    traced_operations: int = 0


def result(
    rounds: Sequence[Round],
    options: dict[str, Any],
    host: Host,
    left_out: dict[str, str],
    interrupted: bool = False,
) -> dict[str, Any]:
    """The result (shapes.Readiness); options: shapes.ReadinessOptions; left_out: calls and why."""
    return {
        "schema": 1,
        "bench": "readiness",
        "host": host,
        "options": options,
        "rounds": len(rounds),
        "interrupted": interrupted,
        "lost": sum(one.lost for one in rounds),
        "rows": _rows(rounds, options),
        "left_out": [*_left_out(rounds, options["descriptors"], left_out)],
        "published": published.table(),
    }


def _rows(rounds: Sequence[Round], options: dict[str, Any]) -> list[Row]:
    medians: dict[tuple[str, int], _Medians] = {}
    for one in rounds:
        _take_untraced(one, medians)
        _take_traced(one, medians)
    keys = sorted(
        (key for key, its in medians.items() if its.cpu),
        key=lambda key: (ORDER.index(key[0]), key[1]),
    )
    fewest = min((n for _, n in keys), default=0)
    rows = [_row(key, medians[key], options["active"]) for key in keys]
    base = {row["call"]: row["cpu_ns"] for row in rows if row["n"] == fewest}
    for row in rows:
        below = base.get(row["call"])
        row["ratio"] = round(row["cpu_ns"] / below, 2) if below else None
        if options["active"] == 1 and not options["churn"]:  # as the table has it
            row["published_ratio"] = published.ratio(row["call"], row["n"], fewest)
    return rows


def _take_untraced(one: Round, medians: dict[tuple[str, int], _Medians]) -> None:
    nothing = one.untraced["nothing_ns"]
    for block in one.untraced["blocks"]:
        its = medians.setdefault((block["call"], block["n"]), _Medians())
        its.wall.append(max(0, median(block["wall_ns"]) - nothing["wall"]))
        its.cpu.append(max(0, median(block["cpu_ns"]) - nothing["cpu"]))
        its.operations += block["operations"]


def _take_traced(one: Round, medians: dict[tuple[str, int], _Medians]) -> None:
    if one.lost:
        return
    for block, inside in zip(one.traced["blocks"], one.in_call, strict=True):
        if inside.missing or not len(inside.ns):
            continue
        its = medians.setdefault((block["call"], block["n"]), _Medians())
        its.in_call.append(float(np.median(inside.ns)))
        its.traced_wall.append(median(block["wall_ns"]))
        its.traced_operations += len(inside.ns)


def _row(key: tuple[str, int], its: _Medians, active: int) -> Row:
    row: Any = {
        "call": key[0],
        "n": key[1],
        "active": active,
        "operations": its.operations,
        "cpu_ns": round(median(its.cpu)),
        "wall_ns": round(median(its.wall)),
        "in_call_ns": round(median(its.in_call)) if its.in_call else None,
        "traced_operations": its.traced_operations,
        "traced_wall_ns": round(median(its.traced_wall)) if its.traced_wall else None,
        "ratio": None,
        "published_ratio": None,
        "spread": {
            "cpu_ns": _ends(its.cpu),
            "wall_ns": _ends(its.wall),
            "in_call_ns": _ends(its.in_call) if its.in_call else None,
        },
    }
    made: Row = row
    return made


def _ends(values: Sequence[float]) -> list[int]:
    return [round(min(values)), round(max(values))]


def _left_out(
    rounds: Sequence[Round], descriptors: Sequence[int], calls: dict[str, str]
) -> Iterator[LeftOut]:
    for one in rounds:
        calls = one.untraced.get("lacks", {}) | calls
    for call, why in calls.items():
        made: Any = {"call": call, "n": None, "why": why}
        yield made
    limits = [notes for one in rounds for notes in (one.untraced, one.traced) if "most" in notes]
    for n in descriptors:
        whys = [notes["why"] for notes in limits if n > notes["most"]]
        if whys:
            yield {"call": None, "n": n, "why": whys[0]}
