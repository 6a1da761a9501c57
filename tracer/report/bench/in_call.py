"""How long each operation of a traced benchmark was inside its calls, by the recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.threads.timeline import Calls, Timeline
from tracer.kernel import syscalls
from tracer.recording.batch import Read, RecordBatch, joined
from tracer.recording.records import empty

WAITS = {
    "select": syscalls.SELECT,
    "poll": syscalls.POLL,
    "epoll-lt": syscalls.EPOLL,
    "epoll-et": syscalls.EPOLL,
    "io_uring": ("io_uring_enter",),
}
CONTROLS = {"epoll-lt": ("epoll_ctl",), "epoll-et": ("epoll_ctl",)}


@dataclass(frozen=True)
class InCall:
    """One block of operations: ns inside the calls of each, int64[operations]; what is missing in the recording: how
    many operations more (or, negative, fewer) the program made than it shows."""

    ns: np.ndarray
    missing: int


def calls_of(read: Read) -> Calls:
    """All calls of a recording."""
    everything = joined([RecordBatch.of(empty()), *read(None, None)])
    return Timeline().feed(everything).calls


def blocks(calls: Calls, noted: Sequence[dict[str, Any]]) -> list[InCall]:
    """For each block that the program noted (call, window_ns, operations) what the recording says of it."""
    return [_block(calls, block) for block in noted]


def _block(calls: Calls, block: dict[str, Any]) -> InCall:
    """An operation begins with its wait; what is called to change what is watched belongs to the one before it."""
    begin, end = block["window_ns"]
    waits = syscalls.class_numbers(WAITS[block["call"]])
    members = waits + syscalls.class_numbers(CONTROLS.get(block["call"], ()))
    inside = (calls.start >= begin) & (calls.end <= end) & np.isin(calls.nr, members)
    its = calls.take(inside)
    order = np.argsort(its.start, kind="stable")
    took = (its.end - its.start)[order]
    starts = np.flatnonzero(np.isin(its.nr[order], waits))
    each = np.add.reduceat(took, starts) if len(starts) else np.zeros(0, np.int64)
    return InCall(each, block["operations"] - len(each))
