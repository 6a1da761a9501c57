"""Rounds of the readiness benchmark, made up: what the program notes, and what a recording of it says."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.report.bench import build
from tracer.report.bench.build import Round
from tracer.report.bench.in_call import InCall

CALLS = ("select", "poll", "epoll-lt", "epoll-et", "io_uring")
HOST: Any = {
    "kernel": "6.18.0",
    "arch": "x86_64",
    "cpus": 2,
    "bcc": "0.31",
    "python": "3.11.2",
    "idle_driver": None,
    "idle_governor": None,
    "frequency_governor": None,
    "hypervisor": None,
    "siblings": [],
}
NOTHING = {"wall": 20, "cpu": 300}


def block(call: str, n: int, wall: list[int], cpu: list[int]) -> dict[str, Any]:
    """A block of operations; the times as the program took them, those of its clocks among them."""
    return {
        "call": call,
        "n": n,
        "active": 1,
        "operations": len(wall) + len(cpu),
        "window_ns": [0, 10**9],
        "wall_ns": wall,
        "cpu_ns": cpu,
    }


def round_of(
    costs: dict[tuple[str, int], int],
    in_call: float = 0.5,
    lost: int = 0,
    missing: int = 0,
    **more: Any,
) -> Round:
    """A round in which an operation of (call, n) takes so many ns of wall time and of CPU, three times each, and
    `in_call` of that inside its call. more: keys of the notes."""
    notes = {"nothing_ns": NOTHING, "first": 3, **more}
    plain = [block(*key, [ns + 20] * 3, [ns + 300] * 3) for key, ns in costs.items()]
    traced = [block(*key, [ns + 100] * 6, []) for key, ns in costs.items()]
    inside = [
        InCall(np.full(6 - missing, round((ns + 100) * in_call)), missing) for ns in costs.values()
    ]
    return Round({**notes, "blocks": plain}, {**notes, "blocks": traced}, inside, lost)


def result(made: list[Round], left_out: dict[str, str] | None = None, **options: Any) -> Any:
    """The result of such rounds; options: those that are not the default's."""
    asked = {
        "fd": "pipe",
        "active": 1,
        "churn": False,
        "descriptors": [10, 1000],
        "rounds": len(made),
        **options,
    }
    interrupted = asked["rounds"] > len(made)
    return build.result(made, asked, HOST, left_out or {}, interrupted)


def usual(scale: int = 1) -> Round:
    """A round in which poll and select grow with n, and the others do not."""
    grows = {"select": 150, "poll": 130}
    return round_of(
        {(call, n): scale * grows.get(call, 0) * n + 700 for call in CALLS for n in (10, 1000)}
    )
