"""The kernel's BPF ring buffer as numpy arrays (kernel/bpf/ringbuf.c; Documentation/bpf/ringbuf.rst)."""

from __future__ import annotations

import mmap

import numpy as np

from tracer.recording.batch import RecordBatch, sized
from tracer.recording.records import ELEMENT

BUSY = np.uint32(1 << 31)  # BPF_RINGBUF_BUSY_BIT: reserved, not yet committed
DISCARDED = np.uint32(1 << 30)
_AT_ONCE = 4096  # elements whose fields are taken apart while they are in the cache: 192 KiB


class Ring:
    """A mapped ring buffer of `size` bytes whose records are all of one size.

    The descriptor is mapped in two pieces: page 0 is the consumer position, writable; from page 1 on follow the
    producer position and the data, which is mapped twice in a row, so that a drain is one slice even where the ring
    wraps. This relies on a CPU that keeps plain loads in their order: tracer/kernel/arch/x86_64.py.
    """

    def __init__(self, fd: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self._consumer_map = mmap.mmap(
            fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0
        )
        self._data_map = mmap.mmap(
            fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page
        )
        self._consumer = np.frombuffer(self._consumer_map, "<u8", 1)
        self._producer = np.frombuffer(self._data_map, "<u8", 1)
        self._data = np.frombuffer(self._data_map, "u1", offset=page)

    def drain(self) -> RecordBatch:
        """Takes all committed records out, in the order in which they were reserved."""
        consumed_bytes = int(self._consumer[0])
        count = (int(self._producer[0]) - consumed_bytes) // ELEMENT.itemsize
        view = np.ndarray(count, ELEMENT, self._data, consumed_bytes % self._size)
        columns = sized(count)
        seen_count = taken_count = 0
        while seen_count < count:
            elements = view[seen_count : seen_count + _AT_ONCE]
            marks = elements["length"] & (BUSY | DISCARDED)
            is_busy = False
            if marks.any():
                busy = np.flatnonzero(marks & BUSY)
                is_busy = len(busy) > 0
                elements = elements[: busy[0]] if is_busy else elements
            seen_count += len(elements)
            kept = elements[elements["length"] & DISCARDED == 0] if marks.any() else elements
            columns.put(taken_count, kept)
            taken_count += len(kept)
            if is_busy:
                break
        self._consumer[0] = consumed_bytes + seen_count * ELEMENT.itemsize
        return columns if taken_count == count else columns.take(slice(taken_count))

    def close(self) -> None:
        """Unmaps the ring; arrays that were drained stay valid."""
        del self._consumer, self._producer, self._data
        self._consumer_map.close()
        self._data_map.close()
