"""Comparisons as compare makes them, of made-up numbers."""

from __future__ import annotations

from typing import Any

OPTIONS = {"messages": 20, "size": 64, "interval_ns": 10**7, "rounds": 3, "proto": "udp"}
# name → what it does meanwhile, who copies, ns of the four phases, calls a message
KNOWN: dict[str, tuple[str, str, tuple[int, int, int, int], float]] = {
    "blocking": ("asleep", "its own call", (10**7, 30_000, 2_000, 0), 1),
    "nonblocking": ("asking", "its own call", (10**7, 500, 1_000, 0), 6_023.4),
    "epoll-lt": ("asleep", "its own call", (10**7, 40_000, 2_000, 0), 2),
    "signal": ("free", "its own call", (10**7, 50_000, 2_000, 0), 3),
    "posix-aio": ("free", "a helper thread", (10**7, 40_000, 4_000, 30_000), 12),
    "io-uring": ("free", "task work of its own", (10**7, 9_000, 3_000, 0), 1),
}


def program(name: str, estimated: bool = True) -> dict[str, Any]:
    meanwhile, by, took, calls = KNOWN[name]
    values = dict(zip(("wait_ns", "notice_ns", "copy_ns", "completion_ns"), took, strict=True))
    measures = {
        key: {"median": value, "min": value, "max": value, "runs": [value] * 3}
        for key, value in {**values, "calls": calls, "waiting_cpu": 0}.items()
    }
    return {
        "name": name,
        "lang": "python",
        "model": name,
        "meanwhile": meanwhile,
        "copied_by": by,
        "estimated": ["copy_start"] if estimated else [],
        "measures": measures,
    }


def compared(*names: str, **more: Any) -> dict[str, Any]:
    return {"models": [program(name, **more) for name in names], "options": OPTIONS, "host": {}}
