"""tracer/capture/ring.py: the ring's elements to columns."""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection

import numpy as np
import pytest

from tracer.capture.ring import Ring
from tracer.recording.records import ELEMENT, RECORD

SIZE = 48 * 1024  # a whole number of elements, so that the ring's end is one's end


class AsTheKernel:
    """A ring as bpf_ringbuf writes it: consumer page, producer page, data mapped twice in a row."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        page = mmap.PAGESIZE
        os.ftruncate(self.fd, 2 * page + 2 * SIZE)
        self._file = mmap.mmap(self.fd, 2 * page + 2 * SIZE)
        self.consumer = np.frombuffer(self._file, "<u8", 1)
        self.producer = np.frombuffer(self._file, "<u8", 1, offset=page)
        self._data = np.frombuffer(self._file, "u1", offset=2 * page).reshape(2, SIZE)
        self.made: list[int] = []

    def write(
        self, count: int, busy: Collection[int] = (), discarded: Collection[int] = ()
    ) -> None:
        """`count` more elements; busy and discarded: which of them."""
        for index in range(count):
            element = np.zeros(1, ELEMENT)
            for name in RECORD.names:
                element[name] = len(self.made) % 30000
            element["length"] = 40 | (index in busy) << 31 | (index in discarded) << 30
            at = int(self.producer[0]) % SIZE
            self._data[:, at : at + ELEMENT.itemsize] = element.view("u1")
            self.producer[0] += ELEMENT.itemsize
            self.made.append(len(self.made) % 30000)

    def commit(self, index: int) -> None:
        """The element at `index` from the consumer's position is not busy any more."""
        at = (int(self.consumer[0]) + index * ELEMENT.itemsize) % SIZE
        self._data[:, at : at + ELEMENT.itemsize].view("<u4")[:, 0] = 40


@pytest.fixture
def kernel():
    made = AsTheKernel()
    yield made
    os.close(made.fd)


def test_every_field_comes_out_of_the_ring(kernel):
    kernel.write(100)
    columns = Ring(kernel.fd, SIZE).drain()
    for name in RECORD.names:
        assert getattr(columns, name).tolist() == kernel.made
        assert getattr(columns, name).dtype == RECORD[name]


def test_the_ring_goes_round(kernel):
    ring, taken = Ring(kernel.fd, SIZE), []
    for count in (1000, 0, 1, 1024, 700, 900):
        kernel.write(count)
        taken += ring.drain().time.tolist()
    assert taken == kernel.made and kernel.consumer == kernel.producer


def test_what_is_not_committed_is_waited_for(kernel):
    ring = Ring(kernel.fd, SIZE)
    kernel.write(10, busy=[4, 7])
    assert ring.drain().time.tolist() == [0, 1, 2, 3]
    assert len(ring.drain()) == 0
    kernel.commit(0)
    assert ring.drain().time.tolist() == [4, 5, 6]
    kernel.commit(0)
    assert ring.drain().time.tolist() == [7, 8, 9]


def test_what_was_discarded_is_left_out(kernel):
    ring = Ring(kernel.fd, SIZE)
    kernel.write(10, busy=[8], discarded=[0, 5])
    assert ring.drain().time.tolist() == [1, 2, 3, 4, 6, 7]
    kernel.commit(0)
    assert ring.drain().time.tolist() == [8, 9]
