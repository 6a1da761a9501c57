"""tracer/analysis/counts/locks.py: who waited for whom, and what kind of waiting that was."""

from __future__ import annotations

from typing import Any

import pytest
from support.analysing import results_of
from support.records_builder import TID, Trace

from tracer.analysis.counts.locks import Locks
from tracer.recording.records import Kind

OTHER, WORD, PRIVATE = 200, 0x4000, 128
WAIT, WAKE, WAIT_BITSET = 0, 1, 9


def locks(
    trace: Trace, window: tuple[int, int] | None = None, count: int = 1
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = results_of(trace.records(), Locks, window=window, count=count)[
        Locks
    ]["locks"]
    return found


def waits(
    trace: Trace, tid: int, start: int, waker: int, woken: int, *, word: int = WORD, op: int = WAIT
) -> Trace:
    """`tid` sleeps on a word from `start` on, and `waker` wakes it at `woken`."""
    trace.sleep(start + 1, woken, woken + 5, tid=tid).call(
        "futex", start, woken + 6, 0, fd=word, arg=op, tid=tid
    )
    return trace.call("futex", woken - 1, woken + 2, 1, fd=word, arg=WAKE | op & PRIVATE, tid=waker)


def wakes(trace: Trace, tid: int, time: int, word: int = WORD) -> Trace:
    return trace.call("futex", time, time + 1, 0, fd=word, arg=WAKE, tid=tid)


def two() -> Trace:
    return Trace().add(Kind.THREAD, 3, tid=OTHER, result=TID, fd=TID)


def test_who_has_waited_gives_back() -> None:
    trace = wakes(waits(two(), TID, 10, OTHER, 100), TID, 110)
    (word,) = locks(wakes(waits(trace, OTHER, 200, TID, 300), OTHER, 310))
    assert (word["kind"], word["waits"], word["wakes"]) == ("mutual exclusion", 2, 4)
    assert {(pair["waiter"], pair["waker"]) for pair in word["between"]} == {
        (TID, OTHER),
        (OTHER, TID),
    }
    assert word["waited_ns"] == 94 + 104 and word["longest_ns"] == 104  # until it had a CPU again


def test_who_is_told_of_an_event_wakes_nobody() -> None:
    (word,) = locks(
        waits(
            waits(two(), TID, 10, OTHER, 100, op=WAIT_BITSET), TID, 200, OTHER, 300, op=WAIT_BITSET
        )
    )
    assert word["kind"] == "synchronisation"
    assert [(pair["waiter"], pair["waker"], pair["count"]) for pair in word["between"]] == [
        (TID, OTHER, 2)
    ]


def test_one_of_two_that_gives_back_is_unclear() -> None:
    trace = wakes(waits(two(), TID, 10, 300, 100), TID, 110)
    assert locks(waits(trace, OTHER, 200, TID, 300))[0]["kind"] == "unclear"


def test_a_time_out_is_for_nobody() -> None:
    trace = two().sleep(11, 100, 105).call("futex", 10, 106, -110, arg=WAIT, fd=WORD)
    (word,) = locks(trace)
    assert word["kind"] == "unclear" and word["between"][0]["waker"] is None


def test_words_of_other_addresses_are_others() -> None:
    assert (
        len(locks(waits(waits(two(), TID, 10, OTHER, 100), TID, 200, OTHER, 300, word=WORD + 4)))
        == 2
    )


def test_without_sleeping_nobody_waited() -> None:
    assert locks(two().call("futex", 10, 12, -11, fd=WORD, arg=WAIT)) == []


@pytest.mark.parametrize("count", [2, 3])
def test_where_a_batch_is_cut_changes_nothing(count: int) -> None:
    trace = waits(waits(two(), TID, 10, OTHER, 100), OTHER, 200, TID, 300)
    assert locks(trace, count=count) == locks(trace)
    assert locks(trace, (0, 150), count)[0]["waits"] == 1
