"""Records made by hand, through the analysis: operations as plain objects, and threads' times."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
from support.records_builder import Trace

from tracer.analysis import passes
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import WAIT_KINDS, Operations
from tracer.analysis.steps.step import Recording, Results
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.terms import BOUNDARIES, MOVABLE, PHASES


def batches(records: np.ndarray, count: int = 1) -> Iterator[RecordBatch]:
    """RECORD[n] as `count` batches."""
    for part in range(count):
        yield RecordBatch.of(
            records[part * len(records) // count : (part + 1) * len(records) // count]
        )


def results_of(
    records: np.ndarray,
    *steps: passes.AnyStep,
    window: tuple[int, int] | None = None,
    count: int = 1,
) -> Results:
    """What these steps make of RECORD[n], fed in `count` batches."""

    def read(since: int | None, until: int | None) -> Iterator[RecordBatch]:
        for batch in batches(records, count):
            late = np.iinfo(np.int64).max if until is None else until
            yield batch.take((batch.time >= (since or 0)) & (batch.time <= late))

    return passes.run(Recording(read, {"base_ns": 0}, Window.of(window)), steps)


def operations_of(trace: Trace, count: int = 1) -> Operations:
    """The trace's operations, fed in `count` batches."""
    return results_of(trace.records(), OperationsInWindow, count=count)[OperationsInWindow]


def plain(operations: Operations) -> list[SimpleNamespace]:
    """Each operation with what the tests ask of it."""
    found = []
    for its in operations.rows():
        op = SimpleNamespace(**its)
        op.wait_kind = WAIT_KINDS[op.wait_kind]
        op.estimated = [name for i, name in enumerate(BOUNDARIES) if op.estimated >> i & 1]
        op.raw = {name: its[f"raw_{name}"] for name in MOVABLE if its[f"raw_{name}"] != its[name]}
        op.signal = (op.signal, op.generated or None, op.delivered) if op.signal else ()
        op.wait_nr = syscalls.class_of(syscalls.name_of(op.wait_nr)) if op.wait_nr >= 0 else ""
        op.phases = (
            op.ready - op.ask,
            op.copy_start - op.ready,
            op.copy_end - op.copy_start,
            op.done - op.copy_end,
        )
        found.append(op)
    return found


def thread_times(
    records: np.ndarray, window: tuple[int, int] | None = None, count: int = 1
) -> list[ThreadTimes]:
    """Where the threads' time went, fed in `count` batches."""
    return results_of(records, ThreadStates, window=window, count=count)[ThreadStates]


def analyse(trace: Trace, batches: int = 1) -> list[SimpleNamespace]:
    """The trace's operations as plain objects."""
    return plain(operations_of(trace, batches))


def only(trace: Trace) -> SimpleNamespace:
    """The trace's one operation."""
    operations = analyse(trace)
    assert len(operations) == 1
    check(operations[0])
    return operations[0]


def check(op: SimpleNamespace) -> None:
    """What holds of every operation: boundaries in order, phases that sum to done − ask, clamps that are listed."""
    times = [op.ask, op.ready, op.told, op.copy_start, op.copy_end, op.done]
    assert times == sorted(times)
    assert len(op.phases) == len(PHASES) and min(op.phases) >= 0
    assert sum(op.phases) == op.done - op.ask
    assert set(op.raw) <= set(op.estimated)
    assert len(set(op.estimated)) == len(op.estimated)
    assert op.queued >= 0


def boundaries(op: SimpleNamespace) -> tuple[int, ...]:
    """Its six boundaries, in the order in which they come."""
    return op.ask, op.ready, op.told, op.copy_start, op.copy_end, op.done
