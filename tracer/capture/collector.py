"""What attached probes record: drained from the ring and, at the end, from what CPUs and slots still hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.bpf.loader import Attachment
from tracer.capture.ring import Ring
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import ELEMENT, RECORD, Kind

_BATCH, _BATCH_HEAD = 16, 64  # BATCH and the bytes before `elements` in struct batch
NR_UNSEEN = 0xFFFF  # of probes/iotrace.h


@dataclass
class Ledger:
    """What the kernel side counted: `counted` = records it meant to write, of which `lost` found no room.

    missed: runs of a program that the kernel skipped, None where it does not say (before 5.12).
    untracked: threads that found no slot; unlearnt: sockets that found no room; open: calls not yet returned.
    """

    counted: int = 0
    delivered: int = 0
    lost: int = 0
    open: int = 0
    missed: int | None = None
    untracked: int = 0
    unlearnt: int = 0

    @property
    def balanced(self) -> bool:
        """counted = delivered + lost."""
        return self.counted == self.delivered + self.lost


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
        """When the oldest record was made that a CPU may still hold in its batch (ns), None if they hold none."""
        batches = self._batches()
        counts = batches[:, 4:8].copy().view("<u4")[:, 0]
        times = batches[:, _BATCH_HEAD : _BATCH_HEAD + 8].copy().view("<i8")[:, 0]
        return int(times[counts > 0].min()) if counts.any() else None

    def announced(self) -> bool:
        """Whether any thread is being traced now."""
        return bool(np.any(self._slots()[1][:, 0]))

    def forget(self) -> None:
        """Drops what was recorded and counted so far; to be called while no thread is traced."""
        self._ring.drain()
        self._delivered = 0
        for name in ("ledgers", "batches"):
            its = self._probes.maps[name]
            for index in range(its.entries):
                its.update(index, bytes(its.value_size))

    def open_calls(self) -> dict[int, tuple[int, int]]:
        """Thread → (number, entry in ns) of the call it is in; number NR_UNSEEN where it was adopted and has made
        neither an entry nor an exit since: it is in the call it was in then, if it was in one."""
        words, times = self._slots()
        held = np.flatnonzero((times[:, 0] != 0) & (times[:, 1] != 0))
        return {int(words[i, 4]): (int(words[i, 6]), int(times[i, 1])) for i in held}

    def finish(self, now: int, seen: dict[int, tuple[int, int, int]] | None = None) -> RecordBatch:
        """Detaches the probes, drains a last time and fills the ledger; calls still open become OPEN records
        that end `now` (ns), or after the last record: a call may have begun, and a thread have taken its leader's ID, while
        the probes were being detached.

        seen: thread → (entry in ns as open_calls gave it, number, argument 0) as something else saw the call that it
        is in: believed where that call is still open, and needed where its entry was before the thread was adopted.
        """
        missed = self._probes.missed()
        self._probes.detach()
        rows: list[tuple] = []
        try:
            parts, left = [self.drain()], self._left_in_batches()
            while len(
                more := self.drain()
            ):  # from a program that was still running: it may have sent its CPU's batch
                parts.append(more)
                left = self._left_in_batches()
            self._delivered += len(left)
            last = max((int(its.time.max()) for its in (*parts, left) if len(its)), default=now)
            rows += self._open_rows(max(now, last + 1), seen or {})
            return joined([*parts, left, RecordBatch.of(np.array(rows, RECORD))])
        finally:
            self._settle(len(rows), missed)

    def detach(self) -> None:
        """Detaches the probes: the target goes on without them."""
        self._probes.detach()

    def _open_rows(self, now: int, seen: dict[int, tuple[int, int, int]]) -> list[tuple]:
        """The fields of an OPEN record for each call that has not returned."""
        rows = []
        for tid, (number, enter) in self.open_calls().items():
            known = seen.get(tid, (0, 0, -1))
            fd = known[2] if known[0] == enter and number in (NR_UNSEEN, known[1]) else -1
            number = known[1] if number == NR_UNSEEN and known[0] == enter else number
            if number != NR_UNSEEN:
                rows.append((max(now, enter), enter, 0, tid, Kind.OPEN, number, fd, 0))
        return rows

    def close(self) -> None:
        """Unmaps the ring; the probes are their owner's."""
        self._ring.close()

    def _settle(self, still_open: int, missed: int | None) -> None:
        ledgers = self._map("ledgers", 64).view("<u8").reshape(-1, 8).sum(axis=0)
        batches = self._batches()[:, :_BATCH_HEAD].copy().view("<u8").sum(axis=0)
        self.ledger = Ledger(
            counted=int(ledgers[0] + batches[1]),
            delivered=self._delivered,
            lost=int(ledgers[1] + batches[2]),
            open=still_open,
            missed=missed,
            untracked=int(ledgers[2]),
            unlearnt=int(ledgers[3]),
        )

    def _left_in_batches(self) -> RecordBatch:
        """What CPUs had not yet sent to the ring when the probes went."""
        left = []
        for raw in self._batches():
            count = int(raw[4:8].view("<u4")[0])
            # `elements` are record-then-gap; seen from 8 bytes earlier they are gap-then-record, as in the ring
            start = _BATCH_HEAD - 8
            left.append(
                RecordBatch.of(raw[start : start + count * ELEMENT.itemsize].copy().view(ELEMENT))
            )
        return joined(left)

    def _slots(self) -> tuple[np.ndarray, np.ndarray]:
        """The slots as 32-bit words, (n, 16), and as 64-bit words, (n, 8)."""
        return (
            np.frombuffer(self._mapped_slots, "<u4").reshape(-1, 16),
            np.frombuffer(self._mapped_slots, "<u8").reshape(-1, 8),
        )

    def _batches(self) -> np.ndarray:
        return self._map("batches", _BATCH_HEAD + _BATCH * ELEMENT.itemsize + 64)

    def _map(self, name: str, size: int) -> np.ndarray:
        """An array map's values as bytes, (entries, size)."""
        return np.frombuffer(self._probes.maps[name].values(), "u1").reshape(-1, size)
