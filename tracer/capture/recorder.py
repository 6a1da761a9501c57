"""From the ring into a recording, in time order, while the probes run. Nothing that fails here is raised while a target
runs: the target is not ours to end, and what was recorded before is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tracer import text
from tracer.capture.collector import Collector
from tracer.capture.ordering import TimeOrder
from tracer.recording import parquet, partial, redact
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Births, executed
from tracer.recording.parquet import ROWS
from tracer.recording.records import Kind

DRAIN_MS = 20  # between drains: half as many as at 10 ms, and a tenth of the ring at two million records a second
MOST_UNWRITTEN_NS = (
    1_000_000_000  # since the last records were written: what is lost if iotrace is killed
)
MOST_HELD_NS = 1_000_000_000  # how long a computing thread's last records are waited for, before order is given up


class Recorder:
    """Drains `collector` into `writer`, and shows `watch` what it drained.

    count: number of records so far; written: of those that are in the recording.
    base: time (ns) at which the first thread announced itself or was adopted, 0 before that.
    began: time (ns) at which that thread first executed a program, 0 before that.
    seen_as: of each adopted thread, its ID in iotrace's PID namespace → its ID in the kernel.
    failure: the first exception of iotrace's own, if there was one.
    ended_early: whether the recording lacks all records after that failure.
    """

    def __init__(
        self,
        collector: Collector,
        writer: parquet.Writer | partial.Writer | redact.Writer,
        watch: Callable[[RecordBatch], None] | None = None,
    ) -> None:
        self.collector, self._writer, self._order = collector, writer, TimeOrder()
        self._watch = watch
        self._drained_ns = 0
        self._pulled_ns = time.monotonic_ns()
        self.written = 0
        self._made = 0  # records among the written ones that were added, not made by a probe
        self.count = 0
        self.base = 0
        self.began = 0
        self._began_for_good = False
        self.seen_as: dict[int, int] = {}
        self.failure: Exception | None = None
        self.ended_early = False

    def drain(self) -> None:
        """Takes what the ring holds; call it every few milliseconds. Where that fails the probes are detached at once,
        and nothing more is recorded."""
        if not self.ended_early:
            with self.or_end():
                self._drain()

    @contextmanager
    def aside(self, *raised: type[Exception]) -> Iterator[None]:
        """A context for steps that a recording can do without (names): a failure is noted, and the recording goes on.

        raised: exceptions that are no failures of iotrace, and pass through.
        """
        try:
            yield
        except raised:
            raise
        except Exception as error:  # whatever it is, the target must go on
            self.failure = self.failure or error

    def _drain(self) -> None:
        now_ns = time.monotonic_ns()
        # read before the drain: a record that leaves its batch after this is in the drain
        oldest_held_ns = self.collector.oldest_held()
        watermark = max(min(self._drained_ns, oldest_held_ns or now_ns), now_ns - MOST_HELD_NS)
        self._order.push(self._seen(self.collector.drain()))
        if self._order.count >= ROWS or now_ns - self._pulled_ns > MOST_UNWRITTEN_NS:
            self._pulled_ns = now_ns
            self._write(watermark)
        self._drained_ns = now_ns

    def _write(self, until: int) -> None:
        records = self._order.pull(until)
        self._writer.write(records)
        self.written += len(records)

    def add(self, records: RecordBatch) -> None:
        """Adds records that did not come from the probes; none may be older than the last drain but one."""
        self._made += len(records)
        self._order.push(self._counted(records))

    def finish(self, now: int, seen: dict[int, tuple[int, int, int]] | None = None) -> None:
        """Detaches the probes and writes the remaining records; `now` and `seen` as in Collector.finish.

        Where a drain has failed before, the records that it brought are written if possible.
        """
        with self.or_end():
            self._order.push(self._seen(self.collector.finish(now, seen)))
        with self.or_end():
            self._write(1 << 62)

    def facts(self) -> dict[str, Any]:
        """What the recording says of itself once it is finished: `ledger`, in which only what was written counts as
        delivered, and `failure`, where iotrace failed."""
        ledger = self.collector.ledger
        ledger.added = self._made
        if self.ended_early:
            ledger.delivered = min(
                ledger.delivered, max(0, self.written - self._made - ledger.open)
            )
        facts: dict[str, Any] = {"ledger": ledger.facts()}
        if self.failure:
            facts["failure"] = text.failure(self.failure)
        return facts

    @contextmanager
    def or_end(self) -> Iterator[None]:
        """A context whose failure is noted and ends the recording: the target goes on without the probes."""
        try:
            yield
        except Exception as error:  # whatever it is, the target must go on
            self.end(error)

    def end(self, error: Exception) -> None:
        """Ends the recording for a failure of iotrace's own: the target goes on without the probes."""
        self.failure = self.failure or error
        self.ended_early = True
        with suppress(Exception):  # the failure that came first is told
            self.collector.detach()

    def _seen(self, records: RecordBatch) -> RecordBatch:
        if self._watch:
            with self.aside():
                self._watch(records)
        births = Births.of(records)
        adopted = births.where(births.adopted != 0)
        self.seen_as.update(zip(adopted.local_tid.tolist(), adopted.tid.tolist(), strict=True))
        return self._counted(records)

    def _counted(self, records: RecordBatch) -> RecordBatch:
        if not self.base and len(records):
            starts = records.time[records.kind == Kind.START]
            self.base = int(starts.min()) if len(starts) else 0
        if self.base and not self._began_for_good:
            self._begins(records)
        self.count += len(records)
        return records

    def _begins(self, records: RecordBatch) -> None:
        """An execve's own record may come a drain later than the one that follows it: that waits in no batch."""
        times = records.time[executed(records)].tolist()
        if times:
            self.began = min(self.began or times[0], *times)
        self._began_for_good = 0 < self.began < self._drained_ns - MOST_HELD_NS
