"""tracer/analysis/operations/operations_over_time.py: every operation with its waker and its sender, bounded."""

from __future__ import annotations

from typing import Any

import pytest
from support.analysing import operations_of, results_of
from support.records_builder import FD, INODE, TID, Trace

from tracer.analysis.operations import operations_over_time
from tracer.analysis.operations.operations_over_time import NOT_KNOWN, OperationsOverTime
from tracer.recording.records import Kind

SENDER = 55


def received(count: int) -> Trace:
    """Datagrams that a traced thread's send brings, and that wake who sleeps for them."""
    trace = Trace()
    for start in range(1000, 1000 + count * 1000, 1000):
        trace.add(Kind.SWITCH_OUT, start + 10, arg=1)
        trace.add(Kind.READY, start + 500, tid=SENDER, start=INODE)
        trace.add(Kind.WAKING, start + 510, fd=SENDER).add(Kind.SWITCH_IN, start + 520)
        trace.call("recvfrom", start, start + 600, 64)
    return trace


def shown(trace: Trace, count: int = 1) -> dict[str, Any]:
    results = results_of(trace.records(), OperationsOverTime, count=count)
    its: dict[str, Any] = results[OperationsOverTime]["operations_over_time"]
    return its


@pytest.mark.parametrize("count", [1, 3])
def test_each_operation_with_who_woke_and_who_sent(count: int) -> None:
    its = shown(received(5), count)
    columns = its["columns"]
    assert its["count"] == 5 and columns["index"] == [0, 1, 2, 3, 4]
    assert columns["tid"] == [TID] * 5 and columns["fd"] == [FD] * 5
    assert columns["waker"] == columns["sender"] == [SENDER] * 5
    operations = operations_of(received(5))
    assert columns["ready_ns"] == operations.ready.tolist()
    (descriptor,) = its["descriptors"]
    assert descriptor["from_ns"] == operations.ready.tolist()
    assert descriptor["to_ns"] == operations.copy_end.tolist()


def test_what_was_not_seen_is_not_known() -> None:
    trace = Trace().sleep(110, 210, 220).call("recvfrom", 100, 240, 64)
    trace.add(Kind.READY, 290, tid=SENDER, start=INODE).call("recvfrom", 300, 310, 64)
    columns = shown(trace)["columns"]
    assert columns["sender"] == [NOT_KNOWN, SENDER], "what came later is not the first one's"
    assert columns["waker"][1] == NOT_KNOWN


def test_of_very_many_the_slowest_and_every_so_manieth_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace = received(41).sleep(100_000, 190_000, 190_010)
    trace.ready(189_000).call("recvfrom", 99_000, 191_000, 64)
    monkeypatch.setattr(operations_over_time, "MOST", 12)
    monkeypatch.setattr(operations_over_time, "SLOWEST", 2)
    its = shown(trace)
    assert its["count"] == 42 and len(its["columns"]["index"]) <= 12
    assert 41 in its["columns"]["index"], "the slowest; every fifth would leave it out"
    assert all(len(column) == len(its["columns"]["index"]) for column in its["columns"].values())


def test_of_too_many_wakings_no_waker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations_over_time, "MOST_SEEN", 3)
    columns = shown(received(5), 2)["columns"]
    assert columns["waker"] == columns["sender"] == [NOT_KNOWN] * 5
