"""The kernel's BPF ring buffer as numpy arrays (kernel/bpf/ringbuf.c; Documentation/bpf/ringbuf.rst)."""

from __future__ import annotations

import mmap

import numpy as np

from tracer.columns import NAMES, Columns
from tracer.records import ELEMENT, RECORD

BUSY = np.uint32(1 << 31)  # BPF_RINGBUF_BUSY_BIT: reserved, not yet committed
DISCARDED = np.uint32(1 << 30)


class Ring:
    """A mapped ring buffer of `size` bytes whose records are all of one size.

    Its fd maps at 0 (consumer position, writable) and, from one page on, as producer position and the data mapped
    twice in a row, so that a drain is one slice even where the ring wraps. Loads are ordered as x86-64 orders them.
    """

    def __init__(self, fd: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self._consumer_map = mmap.mmap(fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        self._data_map = mmap.mmap(fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._consumer = np.frombuffer(self._consumer_map, "<u8", 1)
        self._producer = np.frombuffer(self._data_map, "<u8", 1)
        self._data = np.frombuffer(self._data_map, "u1", offset=page)

    def drain(self) -> np.ndarray:
        """Takes all committed records out: RECORD[n], in the order in which they were reserved."""
        consumed = int(self._consumer[0])
        count = (int(self._producer[0]) - consumed) // ELEMENT.itemsize
        if not count:
            return np.empty(0, RECORD)
        view = np.ndarray(count, ELEMENT, self._data, consumed % self._size)
        marked = np.flatnonzero(view["length"] & (BUSY | DISCARDED))
        busy = marked[view["length"][marked] & BUSY > 0]
        taken = view[: busy[0]].copy() if len(busy) else view.copy()
        self._consumer[0] = consumed + len(taken) * ELEMENT.itemsize
        return as_records(taken[taken["length"] & DISCARDED == 0] if len(marked) else taken)

    def close(self) -> None:
        """Unmaps the ring; arrays that were drained stay valid."""
        del self._consumer, self._producer, self._data
        self._consumer_map.close()
        self._data_map.close()


def as_records(elements: np.ndarray) -> np.ndarray:
    """ELEMENT[n] → RECORD[n], without a copy."""
    if not len(elements):
        return np.empty(0, RECORD)
    raw = np.ascontiguousarray(elements).view("u1").reshape(-1, ELEMENT.itemsize)
    return np.ndarray(len(elements), RECORD, raw, 8, (ELEMENT.itemsize,))


class Watermark:
    """Puts drained records into time order: what a drain brings may be older than what an earlier one brought. The
    caller knows up to what time nothing older can come any more."""

    def __init__(self) -> None:
        self._held: list[np.ndarray] = []
        self.count = 0

    def push(self, records: np.ndarray) -> None:
        """Holds RECORD[n], which must not change any more."""
        if len(records):
            self._held.append(records)
            self.count += len(records)

    def pull(self, watermark: int) -> Columns:
        """Those up to `watermark` (ns), in time order; the others are held on."""
        columns = Columns(*(np.concatenate([np.empty(0, RECORD[name]), *(records[name] for records in self._held)])
                            for name in NAMES))
        if not (columns.time[1:] >= columns.time[:-1]).all():
            columns = columns.take(np.argsort(columns.time, kind="stable"))
        cut = int(np.searchsorted(columns.time, watermark, "right"))
        rest = columns.take(slice(cut, None))
        self._held = [rest.records()] if len(rest) else []
        self.count = len(rest)
        return columns.take(slice(cut))
