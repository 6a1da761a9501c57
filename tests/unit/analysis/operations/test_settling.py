"""tracer/analysis/operations/settling.py: what is known of a socket when its earlier operations are final already."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from support.analysing import analyse
from support.records_builder import Trace

from tracer.analysis.operations.settling import order_of

few = st.integers(0, 3)


@given(st.lists(st.tuples(few, few), max_size=40))
@example([(0, 0), (0, 2), (0, 1)])
@example([(1, 0), (3, 0), (1, 1)])
def test_the_order_is_stable(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    rows = np.arange(len(pairs))
    assert rows[order_of(first)].tolist() == sorted(rows, key=lambda row: pairs[row][0])
    assert rows[order_of(first, second)].tolist() == sorted(rows, key=lambda row: pairs[row])


def test_what_is_equal_stays_in_its_order_however_many_there_are() -> None:
    first = np.arange(1000) % 2
    assert order_of(first).tolist() == [*range(0, 1000, 2), *range(1, 1000, 2)]


def test_readiness_that_an_earlier_receive_left_is_not_the_next_sleepers() -> None:
    """The socket was empty when that one slept, and the datagram was older than the receive that is final."""
    ms = 1_000_000
    trace = Trace().ready(50).ready(60).copy(105).call("recvfrom", 100, 110, 64)
    for i in range(20):
        trace.call("getpid", 3 * ms + 10 * i, 3 * ms + 10 * i + 5, 7)
    trace.sleep(6 * ms, 7 * ms, 7 * ms + 5).copy(7 * ms + 6)
    _, second = analyse(trace.call("recvfrom", 5 * ms, 7 * ms + 10, 64), 3)
    assert second.wait_kind == "blocked" and second.ready == 7 * ms
    assert second.raw == {} and "ready" in second.estimated
