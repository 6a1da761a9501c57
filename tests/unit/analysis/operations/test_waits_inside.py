"""tracer/analysis/operations/waits_inside.py: sleeps after a receive's first bytes are wait, and copy is copying."""

from __future__ import annotations

from typing import Any

import pytest
from support.analysing import operations_of, results_of
from support.records_builder import EAGAIN, Trace

from tracer.analysis.operations.during_wait import DuringWait
from tracer.analysis.operations.in_window import InsideWaits, OperationsInWindow
from tracer.analysis.operations.table import WAIT_KINDS
from tracer.recording.batch import RecordBatch
from tracer.report.operations import OperationsPart
from tracer.terms import PHASES

MSG_WAITALL, MSG_PEEK = 0x100, 2


def reported(trace: Trace, count: int = 1) -> dict[str, Any]:
    results = results_of(trace.records(), OperationsPart, DuringWait, count=count)
    part: dict[str, Any] = results[OperationsPart] | results[DuringWait]
    return part | {"operations": list(part["operations"])}


def in_pieces(trace: Trace, start: int, pieces: int, call: str = "recvfrom") -> Trace:
    """A receive that sleeps for each of its pieces: 90 ns until the first, then 70 for each of the others."""
    trace.sleep(start + 5, start + 90, start + 95).ready(start + 85).copy(start + 100)
    for i in range(1, pieces):
        at = start + 100 * i
        trace.sleep(at + 10, at + 75, at + 80).ready(at + 70).copy(at + 90)
    return trace.call(call, start, start + 100 * pieces + 10, 64 * pieces, arg=MSG_WAITALL)


@pytest.mark.parametrize("batches", [1, 2, 5])
def test_a_receive_that_waits_for_all_waits_and_copies(batches: int) -> None:
    found = reported(in_pieces(Trace(), 100, 4), batches)
    (op,) = found["operations"]
    inside = [{"from_ns": 100 * i + 110, "to_ns": 100 * i + 180} for i in (1, 2, 3)]
    assert op["waits_inside"] == inside
    assert (op["ask_ns"], op["ready_ns"], op["told_ns"]) == (100, 185, 195)
    assert (op["copy_start_ns"], op["copy_end_ns"], op["estimated"]) == (200, 510, [])
    totals = {name: found["phases"][name]["total_ns"] for name in PHASES}
    assert totals == {"wait": 85 + 210, "notice": 15, "copy": 310 - 210, "completion": 0}
    assert sum(totals.values()) == op["done_ns"] - op["ask_ns"]
    waiting = found["waiting"]
    assert waiting["total_ns"] == totals["wait"]
    # blocked from each sleep to its waking; the first until the data came
    assert (waiting["asleep_ns"], waiting["runnable_ns"]) == (80 + 3 * 65, 3 * 5)
    assert waiting["operations"]["asleep"] == 1


def test_one_whose_first_bytes_were_there_is_blocked_by_the_rest() -> None:
    trace = Trace().ready(50).copy(105).sleep(110, 190, 200).copy(210)
    operations = operations_of(trace.call("recvfrom", 100, 220, 128, arg=MSG_WAITALL))
    assert WAIT_KINDS[operations.wait_kind[0]] == "blocked" and operations.inside.tolist() == [90]
    assert operations.queued.tolist() == [50] and operations.told.tolist() == [100]


def test_what_slept_before_its_first_bytes_has_none() -> None:
    trace = Trace().sleep(110, 120, 125).sleep(130, 210, 220).ready(205).copy(230)
    (op,) = reported(trace.call("recvfrom", 100, 240, 64))["operations"]
    assert op["waits_inside"] == [] and op["told_ns"] == 220


def test_a_preemption_while_it_copies_is_copy() -> None:
    trace = Trace().sleep(110, 210, 220).ready(205).copy(230).preempted(235, 300)
    found = reported(trace.call("recvfrom", 100, 310, 64))
    assert found["operations"][0]["waits_inside"] == []
    assert found["phases"]["copy"]["total_ns"] == 80


def test_without_a_copy_only_one_that_takes_several_messages_can_wait_inside() -> None:
    """UDP's small datagrams show no copy: the first sleep is for the first message."""
    for call, result, wanted, inside in (
        ("recvmmsg", 3, 3, 2),
        ("recvmmsg", 1, 1, 0),
        ("recvmmsg", 1, 4, 2),
        ("recvfrom", 3, 4, 0),
    ):
        trace = Trace().sleep(110, 195, 200).sleep(210, 295, 300).sleep(310, 395, 400).ready(190)
        (op,) = reported(trace.call(call, 100, 410, result, arg=wanted))["operations"]
        assert len(op["waits_inside"]) == inside, call
        assert op["copy_start_ns"] == (200 if inside else 400)


def test_a_call_that_gives_up_after_its_first_message_has_waited_inside() -> None:
    """recvmmsg of four with SO_RCVTIMEO: one came, and the wait for the second ended in vain."""
    trace = Trace().sleep(110, 195, 200).ready(190).sleep(210, 895, 900)
    found = reported(trace.call("recvmmsg", 100, 910, 1, arg=4))
    (op,) = found["operations"]
    assert (op["ready_ns"], op["told_ns"]) == (190, 200)
    assert op["waits_inside"] == [{"from_ns": 210, "to_ns": 900}]
    totals = {name: found["phases"][name]["total_ns"] for name in PHASES}
    assert totals == {"wait": 90 + 690, "notice": 10, "copy": 20, "completion": 0}


def test_each_operation_has_its_own() -> None:
    trace = in_pieces(in_pieces(in_pieces(Trace(), 100, 3), 1000, 1), 2000, 2)
    results = results_of(trace.records(), InsideWaits, OperationsInWindow)
    waits, operations = results[InsideWaits], results[OperationsInWindow]
    begins = [[begin for begin, _ in waits.of(int(its))] for its in operations.serial]
    assert begins == [[210, 310], [], [2110]]
    assert operations.inside.tolist() == [140, 0, 70]


def test_a_wait_inside_follows_who_was_told() -> None:
    trace = Trace().sleep(15, 60, 65).ready(55).call("epoll_wait", 10, 70, 1, fd=9)
    trace.copy(85).sleep(90, 160, 165).copy(170)
    operations = operations_of(trace.call("recvfrom", 80, 175, 128))
    assert WAIT_KINDS[operations.wait_kind[0]] == "multiplexed"
    assert [phase.tolist() for phase in operations.phases()] == [[45 + 75], [30], [15], [0]]


# messages


def messages(trace: Trace, at: int, count: int, told: int | None, flags: int = 0) -> Trace:
    """A recvmmsg of datagrams of 50 bytes, of which the probes tell `told` (None: an old recording)."""
    if told is not None:
        trace.messages("recvmmsg", at + 10, told, 50 * told, flags)
    return trace.call("recvmmsg", at, at + 10, count)


@pytest.mark.parametrize("batches", range(1, 7))
def test_the_bytes_of_messages_are_theirs(batches: int) -> None:
    trace = messages(messages(Trace().ready(50), 100, 3, 3), 200, 1, 1)
    found = reported(trace, batches)["operations"]
    assert [(op["bytes"], op.get("messages")) for op in found] == [(150, 3), (50, None)]


def test_bytes_that_are_not_known_are_not_said() -> None:
    found = reported(messages(messages(Trace(), 100, 3, None), 200, 3, 2))["operations"]
    assert [(op["bytes"], op["messages"]) for op in found] == [(None, 3), (None, 3)]


def test_messages_that_are_looked_at_stay() -> None:
    trace = messages(messages(Trace().ready(50), 100, 2, 2, MSG_PEEK), 200, 2, 2)
    (op,) = reported(trace)["operations"]
    assert (op["ask_ns"], op["bytes"]) == (100, 100)


def test_several_records_of_one_call_are_one() -> None:
    trace = Trace().messages("recvmmsg", 109, 64, 6400).messages("recvmmsg", 110, 6, 600)
    trace.call("recvfrom", 90, 95, EAGAIN)
    (op,) = reported(trace.call("recvmmsg", 100, 110, 70))["operations"]
    assert (op["bytes"], op["messages"]) == (7000, 70)


def test_the_age_of_what_is_queued_does_not_drift() -> None:
    """Each call takes as many readinesses as messages: the age of the last is that of the first."""
    trace = Trace()
    for at in range(0, 100_000, 1000):
        for i in range(8):
            trace.ready(at + 100 + i)
        messages(trace, at + 500, 8, 8)
    operations = operations_of(trace)
    assert len(operations) == 100 and set(operations.queued.tolist()) == {400}


def test_no_records_no_waits() -> None:
    assert (
        len(results_of(RecordBatch.of(Trace().records()[:0]).records(), InsideWaits)[InsideWaits])
        == 0
    )
