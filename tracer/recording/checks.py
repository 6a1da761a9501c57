"""What the rows of a recording must be, and the digest by which a change of them is found: cheap, as both are taken of
every row."""

from __future__ import annotations

import zlib

import numpy as np

from tracer.kernel import syscalls
from tracer.recording.batch import NAMES, RecordBatch
from tracer.recording.facts import MOST_ID, Group
from tracer.recording.fields import PROCESS_COLUMNS, THREAD_COLUMNS, Calls
from tracer.recording.records import Kind

MOST_NS = 1 << 62  # of CLOCK_MONOTONIC: 146 years
MOST_BYTES = 0x7FFFF000  # of one call: MAX_RW_COUNT (include/linux/fs.h)


def crc32(batch: RecordBatch) -> int:
    """Of the columns one after the other, in the order of RECORD, as they lie in memory (little-endian). 6 ns a row,
    where sha256 takes 20: it is to find damage, and no forgery."""
    digest = 0
    for name in NAMES:
        digest = zlib.crc32(np.ascontiguousarray(getattr(batch, name)).data, digest)
    return digest


def group(batch: RecordBatch) -> Group:
    """What a recording says of a row group."""
    return {
        "rows": len(batch),
        "first_ns": int(batch.time.min()),
        "last_ns": int(batch.time.max()),
        "crc32": crc32(batch),
    }


def refuse_changed(batch: RecordBatch, said: Group) -> None:
    """Raises ValueError where the rows are not those of which the recording says this."""
    if len(batch) != said["rows"] or crc32(batch) != said["crc32"]:
        raise ValueError("its records are not those that were recorded: the checksum differs")


def refuse_impossible(batch: RecordBatch, ordered: bool) -> None:
    """Raises ValueError where there are rows that no kernel can have shown; `ordered`: they must be in time order."""
    if not len(batch):
        return
    time = batch.time
    if int(time.min()) < 0 or int(time.max()) > MOST_NS:
        raise ValueError("its records have impossible times")
    if ordered and not bool(np.all(time[1:] >= time[:-1])):
        raise ValueError("its records are not in the order of time")
    if int(batch.tid.max()) > MOST_ID:
        raise ValueError("its records have impossible thread IDs")
    for columns, what in ((THREAD_COLUMNS, "thread"), (PROCESS_COLUMNS, "process")):
        for column, kinds in columns.items():
            for kind in filter(batch.has, kinds):
                ids = getattr(batch, column)[batch.kind == kind]
                least = 0 if kind == Kind.WAKING else -1  # none
                if int(ids.min()) < least or int(ids.max()) > MOST_ID:
                    raise ValueError(f"its records have impossible {what} IDs")
    calls = Calls.of(batch)
    if bool(np.any((calls.start < 0) | (calls.start > calls.time))):
        raise ValueError("its records have calls that end before they begin")
    large = calls.where(calls.result > MOST_BYTES)
    if bool(np.isin(large.number, syscalls.class_numbers(syscalls.RECEIVE)).any()):
        raise ValueError("its records have receives of more than the kernel gives")
