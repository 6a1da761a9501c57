"""The report's `host`: the machine as it was recorded, and of this run where data was made ready and received, and what
a hypervisor took of the CPUs that were used."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.operations.placement import Placed, Placement
from tracer.analysis.steps.step import ReportPart, Results


class Machine(ReportPart):
    """The report's `host`."""

    NEEDS = (Placement,)

    def finish(self, results: Results) -> dict[str, Any]:
        recorded: dict[str, Any] = results.recording.facts["host"]
        placed = results[Placement]
        host = recorded | {"placement": placement(placed, recorded.get("siblings") or [])}
        if stolen := recorded.get("steal_ns"):
            used = map(str, placed.used.tolist())
            host["steal_ns"] = {cpu: stolen[cpu] for cpu in used if cpu in stolen}
        return {"host": host}


def placement(placed: Placed, siblings: list[list[int]]) -> dict[str, int]:
    """How many operations were received on the CPU that made their data ready, on one that shares its core (siblings:
    groups of such), on another one; or one of the two was not seen."""
    made, received = placed.made_on, placed.received_on
    known = (made >= 0) & (received >= 0)
    same = known & (made == received)
    most = max(np.max(placed.used, initial=0), *(max(group) for group in siblings), 0)
    core = np.zeros(most + 2, np.int64)  # −1, not seen, is the last place
    for number, group in enumerate(siblings, 1):
        core[group] = number
    sibling = known & ~same & (core[made] == core[received]) & (core[made] > 0)
    counts = {
        "same": same,
        "sibling": sibling,
        "other": known & ~same & ~sibling,
        "unknown": ~known,
    }
    return {name: int(which.sum()) for name, which in counts.items()}
