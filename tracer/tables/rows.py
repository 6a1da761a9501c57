"""The rows of the tables, batch by batch: of operations, threads and descriptors from the analysis, of calls and
signals from the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.analysis import passes
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import COMPLETION_KINDS, WAIT_KINDS, Operations
from tracer.analysis.steps.step import Recording, Results
from tracer.analysis.steps.window import Window
from tracer.analysis.threads.thread_states import ThreadTable
from tracer.kernel import syscalls
from tracer.kernel.signal_names import signal_name
from tracer.recording import parquet
from tracer.recording.fields import Calls, Signals
from tracer.recording.records import Kind
from tracer.report.program import Descriptors, FileNames
from tracer.tables.schema import arrow
from tracer.terms import BOUNDARIES, PHASES

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 1 << 16  # operations


def tables(path: str) -> dict[str, Iterator[pa.RecordBatch]]:
    """Table → its rows. path: a recording, checked (trial.refuse_unreadable). Raises RecordingError, then or later."""
    facts = parquet.read_facts(path)
    notes = facts.get("notes") or {}
    window = Window.of(notes.get("window_ns") or facts.get("window_ns"))
    recording = Recording(partial(parquet.columns, path), facts, window)
    steps = (OperationsInWindow, Identity, FileNames, ThreadTable, Descriptors)
    results = passes.run(recording, steps)
    said = results[Identity].shown(passes.parts(results, steps))
    return {
        "operations": _operations(results),
        "calls": _calls(recording),
        "threads": _listed("threads", said["threads"], facts),
        "descriptors": _listed("descriptors", said["descriptors"], facts),
        "signals": _signals(recording),
    }


def _listed(
    table: str, rows: list[dict[str, Any]], facts: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    yield pa.RecordBatch.from_pylist(rows, schema=arrow(table, facts))


def _made(table: str, facts: dict[str, Any], columns: dict[str, Any]) -> pa.RecordBatch:
    """A batch of a table from its columns by name: numpy's or Arrow's arrays, of any type that fits."""
    import pyarrow as pa

    schema = arrow(table, facts)
    arrays = [
        (its if isinstance(its := columns[field.name], pa.Array) else pa.array(its)).cast(
            field.type
        )
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _where(known: np.ndarray, values: np.ndarray) -> pa.Array:
    """The values, null where they are not known."""
    import pyarrow as pa

    return pa.array(values, mask=~known)


def _words(keys: np.ndarray, word: Callable[[Any], str | None]) -> pa.Array:
    """The word of each key (of each row, if there are several columns), which is made once for each that differs."""
    import pyarrow as pa

    distinct, which = np.unique(keys, axis=0, return_inverse=True)
    words = pa.array([word(key) for key in distinct.tolist()], pa.string())
    return words.take(pa.array(which.reshape(-1)))


def _operations(results: Results) -> Iterator[pa.RecordBatch]:
    everything = results[OperationsInWindow]
    for first in range(0, len(everything), _AT_ONCE):
        part = everything.take(slice(first, first + _AT_ONCE))
        index = np.arange(first, first + len(part))
        columns = {"index": index} | _of_operations(part, results)
        yield _made("operations", results.recording.facts, columns)


def _of_operations(part: Operations, results: Results) -> dict[str, Any]:
    identity, names, base = results[Identity], results[FileNames], results.recording.base_ns
    shown = identity.with_ids(part, ("tid", "tgid", "receiver_tid", "told_tid"))
    files = np.column_stack([part.tgid, part.fd, part.inode]).astype(np.int64)
    numbers, which = np.unique(part.inode, return_inverse=True)
    inode = np.array([identity.inode_of(number) for number in numbers.tolist()], np.int64)[which]
    phases = zip(PHASES, part.phases(), strict=True)
    return {
        "tid": shown.tid,
        "tgid": shown.tgid,
        "helper_tid": _where(shown.receiver_tid > 0, shown.receiver_tid),
        "told_tid": _where(shown.told_tid > 0, shown.told_tid),
        "fd": part.fd,
        "inode": _where(inode > 0, inode),
        "file": _words(files, lambda key: names.get(tuple(key))),
        "bytes": _where(part.bytes >= 0, part.bytes),
        "messages": part.messages,
        "call": _words(part.nr, lambda nr: syscalls.name_of(nr) if nr >= 0 else None),
        "wait_kind": _words(part.wait_kind, WAIT_KINDS.__getitem__),
        "completion_kind": _words(part.completion_kind, lambda its: COMPLETION_KINDS[its] or None),
        **{f"{name}_ns": getattr(part, name) - base for name in BOUNDARIES},
        **{f"{name}_took_ns": took for name, took in phases},
        **{f"{name}_estimated": part.estimated >> i & 1 == 1 for i, name in enumerate(BOUNDARIES)},
        "queued_ns": part.queued,
        "inside_ns": part.inside,
        "slept_ns": part.slept,
        "eagain": part.eagain_count,
    }


def _calls(recording: Recording) -> Iterator[pa.RecordBatch]:
    for batch in recording.read(None, None):
        calls, base = Calls.of(batch), recording.base_ns
        returned = calls.kind == Kind.CALL
        failed = returned & (calls.result < 0) & (calls.result >= -syscalls.MOST_ERRNO)
        whole = (calls.number & ~np.uint16(syscalls.COMPAT)) == syscalls.WHOLE
        which = np.where(whole, calls.argument, 0).astype(np.int64) << 16 | calls.number
        columns = {
            "start_ns": calls.start - base,
            "end_ns": _where(returned, calls.time - base),
            "took_ns": _where(returned, calls.time - calls.start),
            "tid": calls.tid,
            "name": _words(which, lambda key: syscalls.name_of(key & 0xFFFF, key >> 16)),
            "argument_0": calls.fd,
            "result": _where(returned, calls.result),
            "error": _words(
                np.where(failed, calls.result, 0),
                lambda result: syscalls.error_name(result) if result else None,
            ),
            "in_window": returned & recording.window.holds(calls.time),
        }
        yield _made("calls", recording.facts, columns)


def _signals(recording: Recording) -> Iterator[pa.RecordBatch]:
    for batch in recording.read(None, None):
        signals = Signals.of(batch)
        columns = {
            "time_ns": signals.time - recording.base_ns,
            "event": _words(signals.made, lambda made: "generated" if made else "delivered"),
            "tid": signals.tid,
            "number": signals.number,
            "name": _words(signals.number, signal_name),
            "code": signals.code,
            "handled": _where(~signals.made, signals.handled),
            "in_window": recording.window.holds(signals.time),
        }
        yield _made("signals", recording.facts, columns)
