"""What a thread that calls aio_read(3) does until that returns, and how many reads a C library carries out at a time.

A uprobe tells when aio_read was called. A system call right after it, which serves for nothing else, tells when it had
returned.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.asof import at, following
from tracer.claims.claim import time
from tracer.claims.trace_view import TraceView

_MARK = "getppid"
_BIRTHS = ("clone", "clone3")


@dataclass(frozen=True)
class Asking:
    """n calls of aio_read. slept: in how many the thread slept; first: CPU time of the first one (ns); making, other:
    CPU times (ns) of those in which the thread made another one, and of the others."""

    slept: int
    first: int
    making: list[int]
    other: list[int]

    def __len__(self) -> int:
        return len(self.making) + len(self.other)

    def __str__(self) -> str:
        parts = []
        if self.making:
            parts.append(
                f"{len(self.making)} that made a thread took {time(statistics.median(self.making))} "
                f"of CPU (the first one {time(self.first)})"
            )
        if self.other:
            parts.append(f"{len(self.other)} others {time(statistics.median(self.other))}")
        return f"of {len(self)} aio_reads {self.slept} slept, {', '.join(parts)}"


def asking(runs: Sequence[TraceView]) -> Asking:
    """What the aio_reads of these runs did; those after which no mark came are left out."""
    slept, first, making, other = 0, 0, list[int](), list[int]()
    for run in runs:
        asked, marks, births = (
            run.library_calls("aio_read"),
            run.of_class(_MARK),
            run.of_class(*_BIRTHS),
        )
        tid = asked.tid.astype(np.int64)
        mark = following(marks.tid, marks.start, tid, asked.time)
        spans = np.stack([asked.time, at(marks.start, mark)], axis=1)[mark >= 0]
        for thread, span in zip(tid[mark >= 0], spans, strict=True):
            slept += run.blocked(int(thread), span[None]) > 0
            took = run.on_cpu(int(thread), span[None])
            born = (births.tid == thread) & (births.start >= span[0]) & (births.start < span[1])
            (making if born.any() else other).append(took)
            first = first or took
    return Asking(slept, first, making, other)


def at_a_time(run: TraceView) -> tuple[int, int]:
    """(reads outstanding, how many of them were carried out at a time): the data of the last one that was asked for
    came before all others', and as many others as found no room had to be finished before it."""
    asked = run.library_calls("aio_read").fd
    count = len(np.unique(asked))
    last = next((its for its in run.operations if count and its["fd"] == asked[count - 1]), None)
    if last is None:
        return count, count
    before = [
        its
        for its in run.operations
        if its["fd"] != last["fd"] and last["ready_ns"] < its["copy_end_ns"] < last["copy_end_ns"]
    ]
    return count, count - len(before)
