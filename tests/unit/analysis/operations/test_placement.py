"""Placement (tracer/analysis/operations, tracer/report/machine.py): which CPU made data ready, and which received."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysing import results_of
from support.records_builder import INODE, TID, Trace

from tracer.analysis.operations.placement import Placed, Placement
from tracer.recording.records import Kind
from tracer.report.machine import placement


def received(trace: Trace, at: int, made_on: int, got_on: int) -> Trace:
    """A receive that slept: its data comes at `at` + 50 on one CPU, and it goes on on another."""
    trace.add(Kind.SWITCH_OUT, at + 10, arg=1)
    trace.add(Kind.READY, at + 50, start=INODE, tid=7, nr=made_on)
    trace.add(Kind.WAKING, at + 52, tid=TID, nr=made_on)
    trace.add(Kind.SWITCH_IN, at + 60, nr=got_on)
    return trace.call("recvfrom", at, at + 80, 64)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_each_operation_has_its_own_cpus(count: int) -> None:
    trace = Trace()
    for number, (made_on, got_on) in enumerate([(0, 1), (1, 1), (0, 1), (3, 2)]):
        received(trace, 100 * (number + 1), made_on, got_on)
    placed = results_of(trace.records(), Placement, count=count)[Placement]
    assert placed.made_on.tolist() == [0, 1, 0, 3]
    assert placed.received_on.tolist() == [1, 1, 1, 2]
    assert placed.used.tolist() == [0, 1, 2, 3]


def test_data_whose_coming_was_not_seen_was_made_ready_nowhere() -> None:
    trace = received(Trace(), 100, 1, 0)
    trace.call("recvfrom", 300, 310, 64)  # at once, and no sk_data_ready
    placed = results_of(trace.records(), Placement)[Placement]
    assert placed.made_on.tolist() == [1, -1] and placed.received_on.tolist() == [0, 0]


def test_same_cpu_same_core_and_others() -> None:
    made, got = np.array([0, 0, 0, 0, -1, 3]), np.array([0, 2, 1, 2, 1, -1])
    placed = Placed(made, got, np.unique([0, 1, 2, 3]))
    of_two = {"same": 1, "sibling": 2, "other": 1, "unknown": 2}
    assert placement(placed, [[0, 2], [1, 3]]) == of_two
    assert placement(placed, []) == {"same": 1, "sibling": 0, "other": 3, "unknown": 2}
    assert sum(placement(Placed(made[:0], got[:0], made[:0]), []).values()) == 0
