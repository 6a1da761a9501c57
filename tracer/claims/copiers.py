"""Who copied the data of each message: the thread that wants it, in a call of its own, or somebody else."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tracer.claims.trace_view import TraceView
from tracer.report.contract import Operation

OWN = "own call"
TASK_WORK = "task work"
COPIERS = {
    OWN: "a call of its own",
    "helper": "another thread",
    TASK_WORK: "task work in the asking thread",
    "device": "the device",
    "worker": "a kernel worker",
}
_COPIER_OF = {
    "inline": OWN,  # in the io_uring_enter that asked
    "poll-armed": TASK_WORK,
    "multishot": TASK_WORK,
    "sqpoll": "worker",
    "worker": "worker",
    "device": "device",
    "after io_submit": "device",
    "in io_submit": OWN,
}


def copiers(run: TraceView) -> Counter[str]:
    """Copier → number of operations. Task work that the thread did in an io_uring_enter of its own is that call's: it
    was made to wait, or to let the kernel work (IORING_SETUP_DEFER_TASKRUN)."""
    found = [_copier(operation) for operation in run.operations]
    inside = _in_enter(run)
    return Counter(
        OWN if copier == TASK_WORK and its else copier
        for copier, its in zip(found, inside, strict=True)
    )


def _copier(operation: Operation) -> str:
    how = _COPIER_OF.get(operation.get("how", ""))
    return how or ("helper" if "helper_tid" in operation else OWN)


def _in_enter(run: TraceView) -> list[bool]:
    """Whether each operation's copy ended inside a call of io_uring_enter by the thread that asked."""
    base, enters = run.report["base_ns"], run.of_class("io_uring_enter")
    inside = []
    for operation in run.operations:
        end = base + operation["copy_end_ns"]
        mine = (enters.tid == operation["tid"]) & (enters.start <= end) & (end <= enters.end)
        inside.append(bool(np.any(mine)))
    return inside
