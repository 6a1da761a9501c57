"""tracer/ring.py: elements to records, and records from many batches into time order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.records import ELEMENT, RECORD
from tracer.ring import Watermark, as_records


def elements(count: int) -> np.ndarray:
    made = np.zeros(count, ELEMENT)
    raw = np.random.default_rng(count).integers(0, 256, count * ELEMENT.itemsize, np.uint8)
    made.view("u1")[:] = raw
    return made


def of_times(times: list[int]) -> np.ndarray:
    made = np.zeros(len(times), RECORD)
    made["time"] = times
    made["start"] = np.arange(len(times))
    return made


def test_elements_are_records_behind_eight_bytes():
    raw = elements(100)
    records = as_records(raw)
    assert records.dtype == RECORD and len(records) == 100
    for name in RECORD.names:
        assert np.array_equal(records[name], raw[name])


def test_elements_are_not_copied():
    raw = elements(3)
    records = as_records(raw)
    raw["tid"] = 17
    assert set(records["tid"]) == {17}


def test_parts_of_an_array_of_elements_are_records_too():
    raw = elements(10)
    assert np.array_equal(as_records(raw[::3])["result"], raw["result"][::3])
    assert np.array_equal(as_records(raw[raw["tid"] > 0])["time"], raw["time"])
    assert len(as_records(raw[:0])) == 0 and as_records(raw[:0]).dtype == RECORD


# A drain sees what was reserved since the last; a record may be as old as the watermark of the drain before.
drains = st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(0, 80), max_size=20)), max_size=20)


@given(drains)
def test_any_batches_come_out_in_time_order_and_whole(steps):
    order, out, pushed, watermark = Watermark(), [], [], 0
    for advance, offsets in steps:
        batch = of_times([watermark + 1 + offset for offset in offsets])
        pushed.append(batch)
        watermark += advance
        order.push(batch)
        taken = order.pull(watermark).records()
        assert (taken["time"] <= watermark).all()
        out.append(taken)
    out.append(order.pull(1 << 62).records())
    everything = np.concatenate([np.empty(0, RECORD), *out])
    assert (np.diff(everything["time"]) >= 0).all()
    assert sorted(everything.tolist()) == sorted(np.concatenate([np.empty(0, RECORD), *pushed]).tolist())
    assert order.count == 0 and len(order.pull(1 << 62)) == 0


def test_records_of_one_time_keep_their_order():
    order = Watermark()
    order.push(of_times([5, 5, 3, 5]))
    assert order.pull(10).start.tolist() == [2, 0, 1, 3]


def test_what_is_held_comes_with_what_follows():
    order = Watermark()
    order.push(of_times([9, 4]))
    assert order.pull(5).time.tolist() == [4] and order.count == 1
    order.push(of_times([7]))
    assert order.pull(8).time.tolist() == [7]
    assert order.pull(9).time.tolist() == [9]
