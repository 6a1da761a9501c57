"""benchmarks/stamped.py: clocks compared by readings before and after a run, boundaries by a program's stamps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stamped import WARM_UP, Reading, Stamped, distances, on_monotonic

EPOCH = 1_795_733_774_123_456_789  # of CLOCK_REALTIME: in a float its last digits are lost
BASE = 5_000_000


def reading(monotonic: int, offset: int = EPOCH, took: int = 40) -> Reading:
    return Reading(monotonic, monotonic + took // 2 + offset, monotonic + took)


def test_a_time_of_the_day_becomes_one_of_the_other_clock_to_the_nanosecond():
    real = np.array([EPOCH + 1_000_001, EPOCH + 1_000_002])
    found = on_monotonic(real, reading(500_000), reading(2_000_000))
    assert found is not None and found.tolist() == [1_000_001, 1_000_002]


def test_the_tighter_of_two_readings_counts():
    real = np.array([EPOCH + 7])
    loose = reading(100, EPOCH + 30, took=400)  # may be wrong by 200
    for first, last in ((loose, reading(900)), (reading(100), loose)):
        found = on_monotonic(real, first, last)
        assert found is not None and found.tolist() == [7]


@pytest.mark.parametrize(
    ("moved", "kept"), [(0, True), (40, True), (41, False), (-1_000_000, False)]
)
def test_a_clock_that_was_set_meanwhile_cannot_be_converted(moved, kept):
    """Two readings of 40 ns each can be 40 apart with no step between them."""
    found = on_monotonic(np.array([EPOCH]), reading(100), reading(900, EPOCH + moved))
    assert (found is not None) == kept


def lines(count: int, arrived: int | None = 30, moved: int = 0) -> list[str]:
    """Message i is sent at 1000 i (from BASE) and received 80 later; it arrives `arrived` after its send."""
    first, last = reading(BASE), reading(BASE + 1000 * count, EPOCH + moved)
    rows = []
    for i in range(count):
        sent = BASE + 1000 * i
        stamp = 0 if arrived is None else EPOCH + sent + arrived
        rows.append([sent, stamp, sent - 500, sent - 400, sent + 80])
    clocks = [first.before, first.realtime, first.after, last.before, last.realtime, last.after]
    return [" ".join(map(str, row)) for row in ([7, 0, *clocks], *rows)]


def operations(count: int, ready: int = 34, **more: Any) -> list[dict[str, Any]]:
    """Asked 490 before the send, ready after it, done 77 after it; relative to BASE, as reports have it."""
    return [
        {
            "fd": 7,
            "ask_ns": 1000 * i - 490,
            "ready_ns": 1000 * i + ready,
            "done_ns": 1000 * i + 77,
            "estimated": [],
        }
        | more
        for i in range(count)
    ]


COUNT = WARM_UP + 5


def found(run: Stamped, its: list[dict[str, Any]], **more: Any) -> dict[str, list[int]]:
    return {key: values.tolist() for key, values in distances(run, its, BASE, **more).items()}


def test_each_boundary_is_compared_with_the_stamp_beside_it():
    run = Stamped.parse(lines(COUNT))
    others = [its | {"fd": 3} for its in operations(4)]  # the program's own files
    told = found(run, [*others, *reversed(operations(COUNT))])
    assert told == {"done": [3] * 5, "ask": [10] * 5, "ready": [4] * 5}


def test_what_was_seen_on_the_wrong_side_stays_negative():
    early = operations(COUNT, done_ns=None)
    for i, its in enumerate(early):
        its["done_ns"] = 1000 * i + 85
    assert found(Stamped.parse(lines(COUNT)), early)["done"] == [-5] * 5


def test_readiness_counts_as_it_was_seen_or_not_at_all():
    run = Stamped.parse(lines(COUNT))
    unseen = operations(COUNT, estimated=["ready"])
    assert found(run, unseen)["ready"] == []
    moved = [
        its | {"estimated": ["ready"], "raw": {"ready_ns": 1000 * i + 39}}
        for i, its in enumerate(operations(COUNT))
    ]
    assert found(run, moved)["ready"] == [9] * 5


@pytest.mark.parametrize(
    "text",
    [
        lines(COUNT, arrived=79),  # by the receive itself: nothing was stamped when it came
        lines(COUNT, moved=5_000),  # the clock was set
        lines(COUNT, arrived=None),
    ],
)
def test_arrivals_that_cannot_be_placed_are_left_out(text):
    told = found(Stamped.parse(text), operations(COUNT))
    assert told["ready"] == [] and told["done"] == [3] * 5


def test_a_program_that_asks_with_no_call_has_no_stamp_of_asking():
    told = found(Stamped.parse(lines(COUNT)), operations(COUNT), asks=False)
    assert told["ask"] == [] and len(told["done"]) == 5


def test_operations_that_are_not_the_messages_are_not_compared():
    with pytest.raises(ValueError, match="15 operations of 16 messages"):
        distances(Stamped.parse(lines(COUNT)), operations(COUNT - 1), BASE)
