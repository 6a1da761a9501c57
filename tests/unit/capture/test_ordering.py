"""tracer/capture/ordering.py: records from many drains come out in time order, each once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.capture.ordering import TimeOrder
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import RECORD


def of_times(times: list[int]) -> RecordBatch:
    made = np.zeros(len(times), RECORD)
    made["time"] = times
    made["start"] = np.arange(len(times))
    return RecordBatch.of(made)


# A drain sees what was reserved since the last; a record may be as old as the watermark of the drain before.
drains = st.lists(
    st.tuples(st.integers(0, 50), st.lists(st.integers(0, 80), max_size=20)), max_size=20
)


@given(drains)
def test_any_batches_come_out_in_time_order_and_whole(steps):
    order, out, pushed, watermark = TimeOrder(), [], [], 0
    for advance, offsets in steps:
        batch = of_times([watermark + 1 + offset for offset in offsets])
        pushed.append(batch)
        watermark += advance
        order.push(batch)
        taken = order.pull(watermark)
        assert (taken.time <= watermark).all()
        out.append(taken)
    everything = joined([*out, order.pull(1 << 62)])
    assert (np.diff(everything.time) >= 0).all()
    assert sorted(everything.records().tolist()) == sorted(joined(pushed).records().tolist())
    assert order.count == 0 and len(order.pull(1 << 62)) == 0


def test_records_of_one_time_keep_their_order():
    order = TimeOrder()
    order.push(of_times([5, 5, 3, 5]))
    assert order.pull(10).start.tolist() == [2, 0, 1, 3]


def test_what_is_held_comes_with_what_follows():
    order = TimeOrder()
    order.push(of_times([9, 4]))
    assert order.pull(5).time.tolist() == [4] and order.count == 1
    order.push(of_times([7]))
    assert order.pull(8).time.tolist() == [7]
    assert order.pull(9).time.tolist() == [9]
