"""tracer/analysis/counts/locks.py: who waited for whom, and what kind of waiting that was."""

from __future__ import annotations

from typing import Any

import pytest
from support.analysing import results_of
from support.records_builder import TID, Trace

from tracer.analysis.counts.locks import Locks
from tracer.recording.records import Kind

OTHER, WORD, PRIVATE = 200, 0x4000, 128
WAIT, WAKE, LOCK_PI, UNLOCK_PI, WAIT_BITSET, LOCK_PI2 = 0, 1, 6, 7, 9, 13


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
    assert (word["kind"], word["waits"], word["wakes"]) == ("two-way waiting", 2, 4)
    assert {(pair["waiter"], pair["waker"]) for pair in word["between"]} == {
        (TID, OTHER),
        (OTHER, TID),
    }
    assert word["waited_ns"] == 94 + 104 and word["longest_ns"] == 104  # until it had a CPU again
    assert word["slept_ns"] == 94 + 104 - 2 * 5  # until it was woken


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


def both_wait(op: int = WAIT) -> Trace:
    """Each waits once and wakes the other: what a mutex's threads do, a barrier's, and those of a condition variable
    by which they take turns."""
    trace = wakes(waits(two(), TID, 10, OTHER, 100, op=op), TID, 110)
    return wakes(waits(trace, OTHER, 200, TID, 300, op=op), OTHER, 310)


def test_what_stands_beside_the_word_is_no_owner_where_who_waited_gives_nothing_back() -> None:
    """A structure of the program's own, with the thread that changed it last where a mutex has its owner."""
    trace = two()
    for start in (10, 200):
        trace = waits(owned(trace, TID, start, OTHER), TID, start, OTHER, start + 90)
    (word,) = locks(trace)
    assert (word["kind"], word["waits"], word["owned"]) == ("synchronisation", 2, 0)


def owned(trace: Trace, tid: int, start: int, owner: int) -> Trace:
    """What the probe read where a thread entered futex to wait."""
    return trace.add(Kind.OWNER, start, start=WORD, tid=tid, fd=owner)


def kind_of(trace: Trace, count: int = 1) -> tuple[str, int]:
    (word,) = locks(trace, count=count)
    return word["kind"], word["owned"]


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("op", [WAIT, WAIT | PRIVATE, WAIT_BITSET | PRIVATE])
def test_what_another_thread_owns_is_a_lock(op: int, count: int) -> None:
    trace = owned(owned(both_wait(op), TID, 10, OTHER), OTHER, 200, TID)
    assert kind_of(trace, count) == ("mutual exclusion", 2)


def test_an_owner_at_half_of_the_waits_is_chance() -> None:
    assert kind_of(owned(both_wait(), TID, 10, OTHER)) == ("two-way waiting", 1)


@pytest.mark.parametrize("op", [LOCK_PI, LOCK_PI2 | PRIVATE])
def test_a_word_that_is_its_owners_id_is_a_lock(op: int) -> None:
    assert kind_of(both_wait(op)) == ("mutual exclusion", 2)


def test_an_owner_that_does_not_live_or_is_the_waiter_is_none() -> None:
    unknown, dead, unborn, itself = 300, 301, 302, TID
    for owner in (unknown, dead, unborn, itself):
        trace = owned(owned(both_wait(), TID, 10, owner), TID, 200, owner)
        trace.add(Kind.THREAD, 4, tid=dead, result=TID, fd=TID).add(Kind.EXIT, 9, tid=dead)
        trace.add(Kind.THREAD, 400, tid=unborn, result=TID, fd=TID)
        assert kind_of(trace) == ("two-way waiting", 0)


def test_an_owner_in_another_process_counts_for_what_processes_share_alone() -> None:
    far = 400
    for op, its in ((WAIT, "mutual exclusion"), (WAIT | PRIVATE, "two-way waiting")):
        trace = owned(owned(both_wait(op), TID, 10, far), OTHER, 200, far)
        assert kind_of(trace.add(Kind.THREAD, 4, tid=far, result=far, fd=TID))[0] == its


def test_the_owner_is_that_of_the_life_that_its_id_had_then() -> None:
    """An ID that is used again: by the time of the wait the one in this process has ended."""
    trace = owned(owned(both_wait(WAIT | PRIVATE), TID, 10, 500), OTHER, 200, 500)
    trace.add(Kind.THREAD, 4, tid=500, result=TID, fd=TID).add(Kind.EXIT, 6, tid=500, result=TID)
    trace.add(Kind.THREAD, 8, tid=500, result=500, fd=TID)
    assert kind_of(trace) == ("two-way waiting", 0)


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
