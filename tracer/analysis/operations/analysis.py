"""Records → operations: each successful receive with its boundaries and phases, for any process.

Array operations over batches of records in time order; what is not yet decided is carried over to the next batch. It
knows no scenario. The boundaries and what counts as evidence for each are explained in docs/model.md.

    calls ─► receives ─► waits_inside ─► evidence ─► wait_kind ─► handover ─► boundaries ─► settling ─► Operations
    requests of io_uring and native AIO ─► io_uring, linux_aio ─────────────────────────────►┘ (readiness, monotone)
"""

from __future__ import annotations

import os

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.operations import boundaries, io_uring, linux_aio, readiness, waits_inside
from tracer.analysis.operations.evidence import Evidence, gather
from tracer.analysis.operations.handover import Handover, Handovers, handed_over
from tracer.analysis.operations.kernel_requests import CompletedReads, KernelRequests
from tracer.analysis.operations.posix_aio import AioReads, ServedReads
from tracer.analysis.operations.receives import Received, Receives
from tracer.analysis.operations.settling import Pending, Settling, in_order
from tracer.analysis.operations.signal_delivery import Delivery, Signals
from tracer.analysis.operations.table import (
    IO_URING,
    LINUX_AIO,
    MULTIPLEXED,
    POSIX_AIO,
    SIGNAL,
    Operations,
    bit,
    with_defaults,
)
from tracer.analysis.operations.wait_kind import wait_kind
from tracer.analysis.tables.appender import Appender
from tracer.analysis.threads.timeline import Calls, TimelineBatch
from tracer.analysis.threads.watched_sets import Watching
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch


class Analysis:
    """The operations of a recording. Feed batches in time order with the parts that a Timeline made of them."""

    def __init__(self, descriptors: Descriptors) -> None:
        """descriptors: fed with each batch before this is."""
        self.descriptors = descriptors
        self._signals = Signals()
        self._aio_reads = AioReads()
        self.requests = KernelRequests()
        self._receives = Receives()
        self._handovers = Handovers()
        self._settling = Settling()
        self._waits_inside = Appender(waits_inside.no_waits())
        self._serial = 0
        self.waits_inside = waits_inside.no_waits()
        """Of all operations, once finished."""

    def feed(self, batch: RecordBatch, part: TimelineBatch, watching: Watching) -> None:
        """A batch in time order, not older than what was fed before, its part of the timeline, and what its calls
        watched."""
        self.requests.feed(batch, part, self.descriptors)
        sigwait = syscalls.numbers()["rt_sigtimedwait"]
        completions = self._signals.feed(batch, part.calls.take(part.calls.nr == sigwait))
        self._settling.add_readinesses(batch)
        received = self._receives.feed(part, self.descriptors, self.requests.also_waits)
        served = self._served(received, batch, part, completions)
        serials = self._serials(len(received.at))
        receive = received.calls.take(received.at)
        receive, waits = waits_inside.split(receive, part, serials)
        self._waits_inside.add(waits)
        known = self._evidence(received, receive, served)
        kind = wait_kind(known)
        handover = self._handovers.feed(
            batch, part, watching, received, known, kind, self.descriptors
        )
        self._settling.add(self._decided(received, known, kind, handover, serials))
        # a readiness may come late: what ended just now waits for the next batch
        self._settling.settle(int(batch.time[-1]) - readiness.LATE_NS if len(batch) else 0)
        if len(batch):
            self._signals.forget_before(int(batch.time[0]))

    def finish(self) -> Operations:
        """All operations in the order in which they were done."""
        self._settling.add(self._completed(io_uring.reads(self.requests), IO_URING))
        self._settling.add(self._completed(linux_aio.reads(self.requests), LINUX_AIO))
        operations = self._settling.finish()
        self._aio_reads.complete(operations)
        self.waits_inside = waits_inside.in_order(self._waits_inside.whole(), operations)
        operations.inside = waits_inside.sums(self.waits_inside, operations)
        return in_order(operations)

    def _served(
        self, received: Received, batch: RecordBatch, part: TimelineBatch, completions: Delivery
    ) -> ServedReads:
        """The aio_read that each operation of a batch serves."""
        fd, end = received.calls.fd[received.at], received.calls.end[received.at]
        asked = self._aio_reads.feed(batch, part)
        receives = received.tgid, fd, end
        return self._aio_reads.serve(asked, receives, completions, self.descriptors, self._serial)

    def _evidence(self, received: Received, receive: Calls, served: ServedReads) -> Evidence:
        """What is known of each operation of a batch."""
        tgid = received.tgid
        flags = self.descriptors.files(receive.tid, receive.fd, receive.start).flags
        return gather(
            received,
            receive,
            does_not_block=flags & os.O_NONBLOCK != 0,
            signal=self._signals.last(receive.tid, receive.end, received.previous_done),
            aio=served,
            armed=self.descriptors.armed(tgid, receive.end),
            adopted=self.descriptors.adopted(receive.tid, receive.end),
        )

    def _decided(
        self,
        received: Received,
        known: Evidence,
        kind: np.ndarray,
        handover: Handover,
        serials: np.ndarray,
    ) -> Pending:
        """The batch's operations, each boundary by its own rule; `ready` as it is without sk_data_ready. kind:
        int64[n], how each was waited for by what its own thread did."""
        op = known.receive
        multiplexed, signalled, served = (kind == its for its in (MULTIPLEXED, SIGNAL, POSIX_AIO))
        epfd = np.where(multiplexed, known.calls.fd[known.told_by], -1)
        events = self.descriptors.registered(op, epfd)
        events = np.where(events != 0, events, handover.events)
        ask, copy_start = boundaries.ask(known, kind), boundaries.copy_start(known)
        empty_at = boundaries.empty_at(known, kind, events, self._watched(known))
        columns = {
            "tid": np.where(served, known.aio.tid, op.tid),
            "tgid": received.tgid,
            "receiver_tid": np.where(served, op.tid, 0),
            "fd": op.fd,
            "inode": received.inode,
            "bytes": received.bytes,
            "messages": received.messages,
            "nr": op.nr,
            "wait_kind": kind,
            "ask": ask.time,
            "ready": boundaries.ready_unseen(known, kind, empty_at, ask.time),
            "told": boundaries.told(known, kind),
            "copy_start": copy_start.time,
            "copy_end": op.end,
            "done": op.end,
            "estimated": bit("ask", ask.estimated) | bit("copy_start", copy_start.estimated),
            "wait_nr": np.where(multiplexed, known.calls.nr[known.told_by], -1),
            "epfd": epfd,
            "events": events,
            "eagain_count": known.eagain_count,
            "filled": (op.nr == syscalls.numbers()["read"]) & (op.result == op.arg),
            "timeouts": known.timeouts,
            "idle_waits": known.idle_waits,
            "slept": known.slept_ns,
            "slept_looking": known.slept_look >= 0,
            "waited_asleep": known.slept_nr >= 0,
            "slept_nr": known.slept_nr,
            "fell_asleep": known.fell_asleep,
            "serial": serials,
        }
        columns = handed_over(columns | _signal_columns(known, signalled), handover, known)
        operations = with_defaults(len(op), columns)
        polled = boundaries.found_early(known, kind, empty_at)
        return Pending(operations, empty_at, received.stream, polled, received.inode)

    def _watched(self, known: Evidence) -> np.ndarray:
        """bool[n], whether the wait that timed out before each operation watched its descriptor: of epoll whether that
        was registered by then; of select and poll it is taken to have been in the set, as it was when they told."""
        calls, timed_out = known.calls, known.timed_out
        is_epoll = np.isin(calls.nr[timed_out], syscalls.class_numbers(syscalls.EPOLL))
        epfd = np.where((timed_out >= 0) & is_epoll, calls.fd[timed_out], -1)
        by_then = known.receive.take(slice(None))
        by_then.end = calls.start[timed_out]
        watched: np.ndarray = ~is_epoll | (self.descriptors.registered(by_then, epfd) != 0)
        return watched

    def _completed(self, reads: CompletedReads, kind: int) -> Pending:
        """Operations of requests that the kernel completed by itself."""
        operations = reads.operations(kind, self._serials(len(reads)))
        polled = np.zeros(len(operations), bool)
        # a file has no readiness, and its inode may have the number of a socket's
        socket = np.where(reads.is_file, 0, reads.inode)
        return Pending(operations, reads.empty_at, reads.stream, polled, socket)

    def _serials(self, count: int) -> np.ndarray:
        """The next numbers for operations."""
        self._serial += count
        return np.arange(self._serial - count, self._serial)


def _signal_columns(known: Evidence, signalled: np.ndarray) -> dict[str, np.ndarray]:
    """The columns about the signal that told, where one did."""
    signal = known.signal
    return {
        "signal": np.where(signalled, signal.number, 0),
        "generated": np.where(signalled, signal.generated, 0),
        "delivered": np.where(signalled, signal.delivered, 0),
        "named": signalled & (signal.named == known.receive.fd + 1),
        "by_sigwait": signalled & (signal.by_sigwait > 0),
    }
