"""Records made by hand, as reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.analysing import batches
from support.records_builder import EAGAIN, PIPE, Trace

from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind
from tracer.report import build

FACTS = {
    "base_ns": 0,
    "host": {},
    "options": {},
    "ended": "completed",
    "target": {},
    "features": {},
    "ledger": {"counted": 0},
}
US = 1000


def built(trace: Trace, count: int = 1, **facts: object) -> dict[str, Any]:
    records = trace.records()

    def read(since: int | None, until: int | None) -> Iterator[RecordBatch]:
        for batch in batches(records, count):
            yield batch.take((batch.time >= (since or 0)) & (batch.time <= (until or 1 << 62)))

    return dict(build.build(read, FACTS | facts))


def two_processes() -> Trace:
    """One blocks in recvfrom, the other polls."""
    trace = (
        Trace()
        .add(Kind.START, 1, tid=200, result=200)
        .add(Kind.DESCRIPTOR, 2, start=77, fd=5, arg=PIPE, tid=200)
    )
    for i in range(10):
        at = (i + 1) * 100 * US
        trace.sleep(at + US, at + 20 * US, at + 22 * US).call("recvfrom", at, at + 25 * US, 64)
        trace.call("read", at, at + US, EAGAIN, fd=5, tid=200)
        trace.call("read", at + 30 * US, at + 31 * US, 8, fd=5, tid=200)
    return trace
