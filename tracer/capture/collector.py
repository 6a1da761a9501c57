"""The records of attached probes: drained from the ring and, at the end, from the CPUs' batches and the slots."""

from __future__ import annotations

import numpy as np

from tracer.bpf.loader import Attachment
from tracer.bpf.map_values import BATCH, BATCH_RECORDS, LEDGER, SLOT, SLOT_UNSEEN
from tracer.capture.ledger import Ledger
from tracer.capture.ring import Ring
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import RECORD, Kind

UNSEEN = -1  # the number of a call that was entered before its thread was adopted
OpenCall = tuple[int, int]
"""(number or UNSEEN, entry in ns) of a call that has not returned."""
SeenCall = tuple[int, int, int]
"""(entry in ns as open_calls gave it, number, argument 0) of a call as something else saw it."""
_Row = tuple[int, int, int, int, Kind, int, int, int]  # the fields of a record


class Collector:
    """The records of `probes`, and their ledger once it is finished. Use as a context manager."""

    def __init__(self, probes: Attachment) -> None:
        self._probes = probes
        self.ledger = Ledger()
        self._delivered = 0
        self._ring = Ring(probes.maps["ring"].fd, probes.ring_bytes)
        self._mapped_slots = probes.maps["slots"].mapped()

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def drain(self) -> RecordBatch:
        """The records that came since the last drain, in the ring's order."""
        records = self._ring.drain()
        self._delivered += len(records)
        return records

    def oldest_held(self) -> int | None:
        """Time (ns) of the oldest record that a CPU's batch may still hold, None if all batches are empty."""
        batches = self._values("batches", BATCH)
        # not the first one's: between a program's look at the clock and its record an interrupt may have put its own
        held = np.arange(BATCH_RECORDS) < batches["count"][:, None]
        times = batches["elements"]["record"]["time"][held]
        return int(times.min()) if len(times) else None

    def announced(self) -> bool:
        """Whether any thread is being traced now."""
        return bool(self._slots()["regs"].any())

    def processes(self) -> set[int]:
        """The processes of which a thread is being traced now."""
        slots = self._slots()
        return set(slots["tgid"][slots["regs"] != 0].tolist())

    def forget(self) -> None:
        """Drops what was recorded and counted so far; to be called while no thread is traced."""
        self._ring.drain()
        self._delivered = 0
        for name in ("ledgers", "batches"):
            table = self._probes.maps[name]
            for index in range(table.entries):
                table.update(index, bytes(table.value_size))

    def open_calls(self) -> dict[int, OpenCall]:
        """Thread → the call that the thread is in.

        The call's number is UNSEEN where the thread was adopted and has made neither an entry nor an exit since: if
        the thread was in a call when it was adopted, it still is.
        """
        slots = self._slots()
        in_call = slots[(slots["regs"] != 0) & (slots["enter"] != 0)]
        number = np.where(in_call["flags"] & SLOT_UNSEEN, UNSEEN, in_call["nr"].astype(np.int64))
        calls = zip(number.tolist(), in_call["enter"].tolist(), strict=True)
        return dict(zip(in_call["tid"].tolist(), calls, strict=True))

    def finish(self, now: int, seen: dict[int, SeenCall] | None = None) -> RecordBatch:
        """Detaches the probes, drains a last time and fills the ledger. Calls still open become OPEN records.

        now: time (ns) at which OPEN records end, or later: they end after the last record, because a call may have
        begun, or a thread have taken its leader's ID, while the probes were being detached.
        seen: thread → its call as /proc shows it. Used where that call is still open; the only source where the thread
        entered the call before it was adopted.
        """
        missed = self._probes.missed()
        self._probes.detach()
        rows: list[_Row] = []
        try:
            batches = self._drained_whole()
            last_ns = max((int(batch.time.max()) for batch in batches if len(batch)), default=now)
            rows += self._open_rows(max(now, last_ns + 1), seen or {})
            return joined([*batches, RecordBatch.of(np.array(rows, RECORD))])
        finally:
            self.ledger = Ledger.of(
                self._values("ledgers", LEDGER),
                self._values("batches", BATCH),
                delivered=self._delivered,
                still_open=len(rows),
                missed=missed,
            )

    def detach(self) -> None:
        """Detaches the probes: the target goes on without them."""
        self._probes.detach()

    def close(self) -> None:
        """Unmaps the ring; the probes stay attached until their owner detaches them."""
        self._ring.close()

    def _drained_whole(self) -> list[RecordBatch]:
        """All records that are left in the ring and, last, those in the batches.

        A BPF program that was still running when the probes were detached may send its CPU's batch to the ring after
        the batches were read: so both are read again until the ring brings nothing more.
        """
        batches, left = [self.drain()], self._left_in_batches()
        while len(more := self.drain()):
            batches.append(more)
            left = self._left_in_batches()
        self._delivered += len(left)
        return [*batches, left]

    def _left_in_batches(self) -> RecordBatch:
        """The records that CPUs had not yet sent to the ring when the probes were detached."""
        return joined(
            [
                RecordBatch.of(batch["elements"]["record"][: batch["count"]])
                for batch in self._values("batches", BATCH)
            ]
        )

    def _open_rows(self, now: int, seen: dict[int, SeenCall]) -> list[_Row]:
        """The fields of an OPEN record for each call that has not returned."""
        rows: list[_Row] = []
        slots = self._slots()
        compat = set(slots["tid"][(slots["regs"] != 0) & (slots["compat"] != 0)].tolist())
        for tid, (number, enter) in self.open_calls().items():
            seen_enter, seen_number, first = seen.get(tid, (0, 0, -1))
            same = seen_enter == enter
            fd = first if same and number in (UNSEEN, seen_number) else -1
            number = seen_number if number == UNSEEN and same else number
            if number != UNSEEN:
                nr, arg = syscalls.coded(number, tid in compat)
                rows.append((max(now, enter), enter, 0, tid, Kind.OPEN, nr, fd, arg))
        return rows

    def _slots(self) -> np.ndarray:
        """SLOT[n], mapped: the values change while the probes run."""
        return np.frombuffer(self._mapped_slots, SLOT)

    def _values(self, name: str, dtype: np.dtype[np.void]) -> np.ndarray:
        """An array map's values now."""
        return np.frombuffer(self._probes.maps[name].values(), dtype)
