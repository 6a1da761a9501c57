"""tracer/analysis/operations/receives.py: what is an operation, which data it took; on records made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.analysing import analyse, boundaries, check, only
from support.records_builder import (
    EAGAIN,
    ERESTARTSYS,
    FD,
    FILE,
    HELPER,
    INODE,
    PIPE,
    SI_ASYNCIO,
    SIGIO,
    SIGRTMIN,
    TID,
    Trace,
    aio,
)

from tracer.recording.records import RECORD, Kind

# data that was there before it was asked for


def test_queued_data_was_waited_for_no_time() -> None:
    op = only(Trace().ready(50).copy(105).call("recvfrom", 100, 110, 64))
    assert op.wait_kind == "at once" and op.queued == 50
    assert op.phases == (0, 5, 5, 0)
    assert op.raw["ready"] == 50 and "ready" in op.estimated


def test_two_datagrams_queued_are_taken_in_the_order_in_which_they_came() -> None:
    trace = Trace().ready(50).ready(60).copy(105).call("recvfrom", 100, 110, 64)
    first, second = analyse(trace.copy(125).call("recvfrom", 120, 130, 32))
    assert (first.queued, second.queued) == (50, 60)
    assert (first.raw["ready"], second.raw["ready"]) == (50, 60)


def test_stream_merges_what_is_there_into_one_receive() -> None:
    trace = Trace().call("socket", 10, 20, 5, fd=2).args("socket", 21, 1, 0, first=2)
    trace.add(Kind.DESCRIPTOR, 22, start=77, fd=5, arg=0o140777)
    trace.ready(50, 77).ready(60, 77).ready(70, 77).copy(105).call("recvfrom", 100, 110, 192, fd=5)
    trace.sleep(130, 210, 220).ready(200, 77).copy(230).call("recvfrom", 120, 240, 64, fd=5)
    first, second = analyse(trace)
    assert (first.bytes, first.queued) == (192, 50)
    assert second.ready == 200 and second.queued == 0 and second.estimated == []


def test_accepted_socket_is_a_stream() -> None:
    trace = (
        Trace().call("accept4", 10, 20, 5).add(Kind.DESCRIPTOR, 21, start=77, fd=5, arg=0o140777)
    )
    trace.ready(50, 77).ready(60, 77).copy(105).call("recvfrom", 100, 110, 128, fd=5)
    first, second = analyse(trace.ready(200, 77).copy(215).call("recvfrom", 150, 220, 64, fd=5))
    assert first.queued == 50 and second.ready == 200


def test_readiness_between_looking_and_sleeping() -> None:
    """The data came after the thread looked and before the scheduler had it off the CPU."""
    op = only(Trace().ready(108).sleep(110, 112, 120).copy(130).call("recvfrom", 100, 140, 64))
    assert op.wait_kind == "blocked" and op.ready == 108


def test_sockets_do_not_share_their_readiness() -> None:
    trace = Trace().add(Kind.DESCRIPTOR, 3, start=8, fd=5, arg=0o140777).ready(50, 8)
    op = only(trace.sleep(110, 210, 220).ready(200).copy(230).call("recvfrom", 100, 240, 64))
    assert op.ready == 200


# what is no operation


@pytest.mark.parametrize("number", [1024, 0xFFFF])
def test_a_call_of_an_unknown_number_is_no_operation(number: int) -> None:
    trace = Trace().add(Kind.CALL, 110, start=100, result=64, nr=number, fd=FD)
    assert only(trace.call("recvfrom", 120, 130, 64)).ask == 120


def test_end_of_file_is_no_operation() -> None:
    assert analyse(Trace().sleep(110, 210, 220).ready(200).call("recvfrom", 100, 240, 0)) == []


def test_regular_files_are_no_operation() -> None:
    assert analyse(Trace(FILE).call("read", 100, 110, 64)) == []


def test_unknown_descriptors_are_no_operation() -> None:
    assert analyse(Trace().call("read", 100, 110, 64, fd=17)) == []


def test_errors_are_no_operation() -> None:
    assert (
        analyse(Trace().call("recvfrom", 100, 110, EAGAIN).call("recvfrom", 120, 130, -104)) == []
    )


def test_nothing_is_no_operation() -> None:
    assert analyse(Trace()) == []
    nothing = Trace()
    nothing.rows.clear()
    assert analyse(nothing) == []


def test_a_pipe_is_one() -> None:
    op = only(Trace(PIPE).sleep(110, 210, 220).call("read", 100, 240, 64))
    assert op.wait_kind == "blocked" and op.ready == 210
    assert op.estimated == ["ready", "copy_start"]


def test_polled_pipe_was_ready_somewhere_between_and_says_so() -> None:
    op = only(Trace(PIPE).call("read", 100, 105, EAGAIN).call("read", 110, 115, 64))
    assert op.wait_kind == "polled" and 105 <= op.ready <= 110 and "ready" in op.estimated


@pytest.mark.parametrize("call", ["recvfrom", "recvmsg", "recvmmsg", "read", "readv"])
def test_every_receiving_call_receives(call: str) -> None:
    assert (
        only(Trace().sleep(110, 210, 220).ready(200).copy(230).call(call, 100, 240, 1)).wait_kind
        == "blocked"
    )


# what kernels do besides


def test_restarted_call_is_one_operation() -> None:
    trace = Trace()
    for start in (100, 200, 300):
        trace.sleep(start + 5, start + 50, start + 60).call(
            "recvfrom", start, start + 70, ERESTARTSYS
        )
    op = only(trace.sleep(410, 460, 470).ready(450).copy(480).call("recvfrom", 400, 490, 64))
    assert op.wait_kind == "blocked"
    assert boundaries(op) == (100, 450, 470, 480, 490, 490)


@pytest.mark.parametrize(
    ("result", "ready"),
    [(-512, 180), (-513, 180), (-514, 180), (-515, 100), (-516, 180), (-517, 100)],
)
def test_a_receive_that_is_restarted_had_found_nothing(result: int, ready: int) -> None:
    """So what was reported before it is not the data that came later. −515 and −517 restart nothing."""
    trace = Trace().ready(90).call("recvfrom", 100, 170, result).ready(180)
    assert only(trace.call("recvfrom", 200, 290, 64)).ready == ready


def test_preemption_in_the_call_is_no_wait() -> None:
    op = only(Trace().ready(50).preempted(102, 150).copy(160).call("recvfrom", 100, 170, 64))
    assert op.wait_kind == "at once" and op.queued == 50


def test_threads_wait_for_themselves() -> None:
    other = 105
    trace = Trace().add(Kind.THREAD, 3, tid=other, result=TID, fd=TID)
    trace.add(Kind.DESCRIPTOR, 4, start=8, fd=5, arg=0o140777, tid=other)
    trace.sleep(110, 210, 220).sleep(112, 310, 320, tid=other).ready(200).ready(300, 8)
    trace.copy(230).call("recvfrom", 100, 240, 64).copy(330, tid=other).call(
        "recvfrom", 105, 340, 32, fd=5, tid=other
    )
    first, second = analyse(trace)
    assert boundaries(first) == (100, 200, 220, 230, 240, 240)
    assert boundaries(second) == (105, 300, 320, 330, 340, 340)


def test_operations_come_in_the_order_in_which_they_were_done() -> None:
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID)
    trace.add(Kind.DESCRIPTOR, 60, start=8, fd=5, arg=0o140777)
    trace = aio(trace, 100).ready(342, 8).copy(344).call("recvfrom", 343, 346, 32, fd=5)
    assert [op.done for op in analyse(trace)] == [346, 350]


def test_registrations_are_those_of_the_time() -> None:
    trace = Trace()
    for at, events in ((10, 1 | 1 << 31), (1010, 1)):
        trace.args("epoll_ctl", at, 1, FD, first=9, fourth=events)
        trace.sleep(at + 100, at + 200, at + 210).ready(at + 190).call(
            "epoll_wait", at + 90, at + 220, 1, fd=9
        )
        trace.call("recvfrom", at + 230, at + 240, 64)
    assert [op.events for op in analyse(trace)] == [1 | 1 << 31, 1]


@pytest.mark.parametrize("batches", [2, 3, 7])
def test_batches_change_nothing(batches: int) -> None:
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID)
    aio(trace, 100).sleep(1110, 1210, 1220).ready(1200).copy(1230).call("recvfrom", 1100, 1240, 64)
    trace.call("recvfrom", 1300, 1305, EAGAIN).ready(1320).copy(1332).call(
        "recvfrom", 1330, 1335, 64
    )
    assert [boundaries(op) for op in analyse(trace, batches)] == [
        boundaries(op) for op in analyse(trace)
    ]


def test_polls_split_between_batches_keep_their_count() -> None:
    trace = Trace()
    for start in range(100, 300, 10):
        trace.call("recvfrom", start, start + 5, EAGAIN)
    trace.ready(297).copy(302).call("recvfrom", 300, 305, 64)
    for batches in (1, 2, 5):
        (op,) = analyse(trace, batches)
        assert op.ask == 100 and op.eagain_count == 20


# whatever comes, phases are contiguous

events = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "call",
                "error",
                "wait",
                "ready",
                "copy",
                "sleep",
                "out",
                "waking",
                "in",
                "signal",
                "aio",
                "eof",
            ]
        ),
        st.integers(1, 40),
        st.integers(1, 40),
        st.sampled_from([TID, HELPER]),
        st.booleans(),
    ),
    max_size=40,
)


@given(events, st.integers(1, 4))
def test_phases_are_contiguous_whatever_comes(
    steps: list[tuple[str, int, int, int, bool]], batches: int
) -> None:
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=TID)
    trace.add(Kind.DESCRIPTOR, 4, start=8, fd=5, arg=0o140777)
    now, received = 100, 0
    for what, gap, length, tid, second in steps:
        fd, inode = (5, 8) if second else (FD, INODE)
        now += gap
        end = now + length
        if what == "call":
            trace.call("recvfrom", now, end, 64, fd=fd, tid=tid)
            received += 1
        elif what in ("error", "eof"):
            trace.call("recvfrom", now, end, EAGAIN if what == "error" else 0, fd=fd, tid=tid)
        elif what == "wait":
            trace.call("epoll_wait", now, end, int(second), fd=9, tid=tid)
        elif what == "ready":
            trace.ready(now, inode)
        elif what == "copy":
            trace.copy(now, tid=tid)
        elif what == "sleep":
            trace.sleep(now, now + length // 2, end, tid=tid)
        elif what == "signal":
            trace.signal(
                SIGIO if second else SIGRTMIN,
                now,
                end,
                code=0x80 if second else SI_ASYNCIO,
                tid=tid,
            )
        elif what == "aio":
            trace.aio_read(now, fd=fd, tid=tid)
        else:
            kind = {"out": Kind.SWITCH_OUT, "waking": Kind.WAKING, "in": Kind.SWITCH_IN}[what]
            trace.add(kind, now, tid=tid, arg=int(second))
        now = end
    operations = analyse(trace, batches)
    assert len(operations) == received
    for op in operations:
        check(op)
    assert [op.done for op in operations] == sorted(op.done for op in operations)


def test_records_of_the_builder_are_records() -> None:
    assert Trace().records().dtype == RECORD


# asks that are carried over to the next batch: at most so many of a thread


def asks_then_receives(counts: dict[int, int]) -> list[tuple[int, int, int]]:
    """(thread, ask, asks that found nothing) of the one operation of each thread, after so many asks in an earlier
    batch."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=TID)
    for tid, count in counts.items():
        for i in range(count):
            name, at = ("recvfrom", "recvmsg")[i % 2], tid * 100_000 + 10 * i  # equal ones are one
            trace.call(name, at, at + 5, EAGAIN, tid=tid)
    for i in range(2 * len(trace.rows)):  # so that there are batches of asks, of these, of receives
        trace.call("getpid", 20_000_000 + 10 * i, 20_000_000 + 10 * i + 5, 7)
    for tid in counts:
        trace.call("recvfrom", 30_000_000 + tid, 40_000_000 + tid, 64, tid=tid)
    return [(op.tid, op.ask, op.eagain_count) for op in analyse(trace, 3)]


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({TID: 256}, {TID: 256}),
        ({TID: 257}, {TID: 256}),
        ({TID: 300}, {TID: 256}),
        ({TID: 300, HELPER: 2}, {TID: 256, HELPER: 2}),
        ({TID: 2, HELPER: 258}, {TID: 2, HELPER: 256}),
        ({TID: 200, HELPER: 200}, {TID: 200, HELPER: 200}),
        ({TID: 300, HELPER: 300}, {TID: 256, HELPER: 256}),
    ],
)
def test_of_many_asks_the_first_and_the_last_are_kept(
    counts: dict[int, int], kept: dict[int, int]
) -> None:
    found = asks_then_receives(counts)
    assert found == [(tid, tid * 100_000, count) for tid, count in kept.items()]
