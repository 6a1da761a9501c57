"""Operations of one thread that overlap lie on tracks of their own; what is written is protobuf's encoding."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.output.perfetto.operations import _Lanes
from tracer.output.perfetto.wire import fixed64, message, varint

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=30)


@given(SPANS)
def test_on_a_lane_nothing_overlaps_and_no_lane_is_too_many(spans: list[tuple[int, int]]) -> None:
    spans = sorted((begin, begin + took) for begin, took in spans)
    lanes, taken = _Lanes(), dict[int, list[tuple[int, int]]]()
    for begin, end in spans:
        taken.setdefault(lanes.take(7, begin, end), []).append((begin, end))
    assert all(a[1] <= b[0] for lane in taken.values() for a, b in pairwise(lane))
    most = max((sum(b <= at < max(e, b + 1) for b, e in spans) for at, _ in spans), default=0)
    assert sorted(taken) == list(range(len(taken))) and len(taken) <= most


def test_threads_have_lanes_of_their_own() -> None:
    lanes = _Lanes()
    assert [lanes.take(1, 0, 10), lanes.take(2, 0, 10), lanes.take(1, 5, 10)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("made", "bytes_of_it"),
    [  # the first three are the examples of protobuf.dev/programming-guides/encoding
        (varint(150), "9601"),
        (message((1, 150)), "089601"),
        (message((2, "testing")), "120774657374696e67"),
        (message((1, -1)), "08ffffffffffffffffff01"),
        (fixed64(47, 1), "f9020100000000000000"),
    ],
)
def test_the_encoding(made: bytes, bytes_of_it: str) -> None:
    assert made.hex() == bytes_of_it
