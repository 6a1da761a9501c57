"""Which calls and sleeps belong to which operation, in records made by hand."""

from __future__ import annotations

import pytest
from support.analysing import results_of
from support.records_builder import EAGAIN, Trace

from tracer.analysis.operations import steps_of_operations
from tracer.analysis.operations.steps_of_operations import (
    NOTHING,
    Steps,
    StepsOfOperations,
    name_of,
)
from tracer.recording.records import Kind


def told(steps: StepsOfOperations) -> tuple[dict[str, list[int]], list[list[str]]]:
    """Counts by name, and sequences as names."""
    counts = {name_of(step): its.tolist() for step, its in steps.counts.items()}
    return counts, [
        [name_of(step) for step in its if step != NOTHING] for its in steps.sequences.tolist()
    ]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_each_step_belongs_to_the_operation_that_comes_next(count: int) -> None:
    trace = Trace().call("recvfrom", 100, 110, 64)
    for at in (120, 130, 140):
        trace.call("recvfrom", at, at + 5, EAGAIN)
    trace.call("poll", 150, 300, 1).sleep(160, 280, 290).preempted(310, 320)
    trace.call("recvfrom", 330, 340, 64)
    trace.call("getppid", 350, 355, 1).call("recvfrom", 360, 370, 64)
    trace.call("getppid", 380, 385, 1)  # after the last operation: of none
    counts, sequences = told(results_of(trace.records(), Steps, count=count)[Steps])
    assert counts == {
        "recvfrom": [1, 1, 1],
        "recvfrom → EAGAIN": [0, 3, 0],
        "poll": [0, 1, 0],
        "sleep": [0, 1, 0],
        "getppid": [0, 0, 1],
    }
    assert sequences == [
        ["recvfrom"],
        ["recvfrom → EAGAIN", "poll", "recvfrom"],
        ["getppid", "recvfrom"],
    ]


def test_other_threads_of_the_process_count_and_are_in_no_sequence() -> None:
    trace = Trace().add(Kind.START, 3, result=100, tid=101)
    trace.call("futex", 120, 130, 0, tid=101).sleep(121, 125, 127, tid=101)
    trace.call("recvfrom", 200, 210, 64).call("recvfrom", 300, 310, 64)
    counts, sequences = told(results_of(trace.records(), Steps)[Steps])
    assert counts["futex"] == [1, 0] and counts["sleep"] == [1, 0]
    assert sequences == [["recvfrom"]] * 2


def test_of_many_operations_every_so_manieth_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps_of_operations, "MOST", 10)
    trace = Trace()
    for at in range(1000, 26_000, 1000):
        trace.call("recvfrom", at, at + 10, 64)
        for other in range(at // 1000 % 3):
            trace.call("getppid", at - 500 + 10 * other, at - 495 + 10 * other, 1)
    steps = results_of(trace.records(), Steps)[Steps]
    assert steps.rows.tolist() == [0, 3, 6, 9, 12, 15, 18, 21, 24]
    assert told(steps)[0]["getppid"] == [1] * 9  # operations 0, 3, 6 … begin at 1000, 4000 …


def test_a_long_sequence_is_cut_and_nothing_is_something() -> None:
    trace = Trace()
    for at in range(100, 1100, 20):
        trace.call("getppid" if at // 20 % 2 else "getpid", at, at + 5, 1)
    trace.call("recvfrom", 2000, 2010, 64)
    steps = results_of(trace.records(), Steps)[Steps]
    assert len(told(steps)[1][0]) == steps_of_operations.LONGEST
    empty = results_of(Trace().records(), Steps)[Steps]
    assert not len(empty.rows) and not empty.counts and empty.sequences.shape[0] == 0
