"""tracer/analysis/operations/{kernel_requests,io_uring,linux_aio}.py: reads told from records made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Self

import pytest
from support.analysing import operations_of, plain
from support.records_builder import FD, FILE, INODE, TID, Trace

from tracer.analysis.operations.table import COMPLETION_KINDS
from tracer.recording.records import Kind

RING, REQUEST, DATA, WORKER = 7, 0x1000, 0x55, 101
RECV, READ, SEND = 27, 22, 26
DIRECT = 0o40000


class Requests(Trace):
    """A trace with io_uring's and native AIO's records."""

    def submit(
        self,
        time: int,
        *,
        request: int = REQUEST,
        data: int = DATA,
        opcode: int = RECV,
        fd: int = FD,
        tid: int = TID,
        flags: int = 0,
    ) -> Self:
        return self.add(
            Kind.URING_SUBMIT,
            time,
            start=request,
            result=data,
            nr=opcode,
            fd=fd,
            tid=tid,
            arg=flags,
        )

    def armed(self, time: int, *, request: int = REQUEST, data: int = DATA, tid: int = TID) -> Self:
        return self.add(Kind.URING_POLL, time, start=request, result=data, tid=tid)

    def to_worker(self, time: int, *, request: int = REQUEST, data: int = DATA) -> Self:
        return self.add(Kind.URING_WORK, time, start=request, result=data)

    def complete(
        self,
        time: int,
        result: int = 64,
        *,
        request: int = REQUEST,
        data: int = DATA,
        tid: int = TID,
        more: bool = False,
    ) -> Self:
        return self.add(
            Kind.URING_COMPLETE, time, start=request, result=data, fd=result, tid=tid, arg=2 * more
        )

    def enter(
        self, start: int, end: int, *, wait: int = 0, result: int = 1, tid: int = TID
    ) -> Self:
        return self.call("io_uring_enter", start, end, result, fd=RING, arg=wait, tid=tid)

    def iocb(self, time: int, *, block: int = REQUEST, opcode: int = 0, fd: int = FD) -> Self:
        return self.add(Kind.AIO_SUBMIT, time, start=block, result=64, nr=opcode, fd=fd)

    def event(self, time: int, *, block: int = REQUEST, result: int = 64) -> Self:
        return self.add(Kind.AIO_EVENT, time, start=block, result=result)


def told(trace: Trace, count: int = 1) -> list[SimpleNamespace]:
    ops = plain(operations_of(trace, count))
    for op in ops:
        op.completion_kind = COMPLETION_KINDS[op.completion_kind]
    return ops


def test_completed_inside_the_call_that_submits() -> None:
    (op,) = told(Requests().ready(5).submit(12).complete(18).enter(10, 20, wait=1))
    assert (op.wait_kind, op.completion_kind, op.receiver_tid) == ("io-uring", "inline", 0)
    assert (op.ask, op.raw_ready, op.copy_end, op.done, op.queued) == (10, 5, 18, 20, 5)
    assert "done" not in op.estimated
    assert op.wait_nr == "" and op.epfd == -1  # no call of a wait told


def test_poll_armed_and_completed_as_task_work_of_a_thread_that_computes() -> None:
    (op,) = told(Requests().submit(12).armed(14).enter(10, 20).ready(100).complete(120))
    assert (op.completion_kind, op.ask, op.ready, op.copy_start, op.copy_end, op.done) == (
        "poll-armed",
        10,
        100,
        100,
        120,
        120,
    )
    assert "done" in op.estimated and "ready" not in op.estimated


def test_poll_armed_and_waited_for() -> None:
    trace = (
        Requests()
        .submit(12)
        .armed(14)
        .sleep(20, 101, 110)
        .ready(100)
        .complete(115)
        .enter(10, 120, wait=1)
    )
    (op,) = told(trace)
    assert (op.completion_kind, op.ready, op.told, op.copy_start, op.copy_end, op.done) == (
        "poll-armed",
        100,
        110,
        110,
        115,
        120,
    )
    assert op.slept == 90


def test_given_to_a_worker_that_copies() -> None:
    trace = (
        Requests()
        .add(Kind.THREAD, 3, tid=WORKER, fd=TID, result=TID)
        .ready(5)
        .submit(12)
        .to_worker(13)
    )
    trace.enter(10, 20).sleep(32, 50, 60).add(Kind.SWITCH_IN, 40, tid=WORKER).complete(
        48, tid=WORKER
    )
    (op,) = told(trace.enter(30, 65, wait=1, result=0))
    assert (op.completion_kind, op.tid, op.receiver_tid) == ("worker", TID, WORKER)
    assert (op.copy_start, op.copy_end, op.done) == (40, 48, 65)


def test_a_worker_that_finds_nothing_arms_a_poll() -> None:
    trace = (
        Requests()
        .submit(12)
        .to_worker(13)
        .armed(15, tid=WORKER)
        .enter(10, 20)
        .ready(100)
        .complete(110)
    )
    (op,) = told(trace)
    assert (op.completion_kind, op.receiver_tid) == ("poll-armed", 0)


def test_a_completion_that_lay_there_is_told_by_the_next_wait() -> None:
    (op,) = told(
        Requests()
        .submit(12)
        .armed(13)
        .enter(10, 20)
        .ready(30)
        .complete(40)
        .enter(50, 55, wait=1, result=0)
    )
    assert op.done == 55 and "done" not in op.estimated


def test_a_thread_that_asks_for_more_may_have_seen_it_in_the_ring() -> None:
    trace = Requests().submit(12).armed(13).enter(10, 20).ready(30).complete(40)
    trace.submit(52, request=0x2000).armed(53, request=0x2000).enter(50, 90, wait=1).ready(70)
    first, second = told(trace.complete(80, request=0x2000))
    assert first.done == 40 and "done" in first.estimated
    assert second.done == 90


def test_multishot_asks_once_and_is_known_by_its_user_data() -> None:
    trace = Requests().submit(12).armed(14)
    for i in range(3):
        trace.ready(100 + 100 * i).complete(120 + 100 * i, request=0, more=True)
    trace.complete(420, 0)  # its end brings nothing
    ops = told(trace)
    assert [op.completion_kind for op in ops] == ["multishot"] * 3
    assert [(op.ask, op.ready, op.copy_end) for op in ops] == [
        (12, 100, 120),
        (120, 200, 220),
        (220, 300, 320),
    ]


@pytest.mark.parametrize(("opcode", "result"), [(SEND, 64), (RECV, 0), (RECV, -11)])
def test_what_brings_no_data_is_no_operation(opcode: int, result: int) -> None:
    assert told(Requests().submit(12, opcode=opcode).complete(18, result).enter(10, 20)) == []


def test_a_request_used_again_for_something_else() -> None:
    trace = Requests().submit(12).complete(14).submit(15, opcode=SEND).complete(16).enter(10, 20)
    assert len(told(trace)) == 1


def test_without_addresses_the_user_data_tells() -> None:
    """As Linux 5.10 has it."""
    trace = (
        Requests()
        .submit(12, request=0)
        .armed(14, request=0)
        .enter(10, 20)
        .ready(100)
        .complete(120, request=0)
    )
    (op,) = told(trace)
    assert (op.completion_kind, op.ready, op.copy_end) == ("poll-armed", 100, 120)


def test_a_file_that_the_device_reads() -> None:
    (op,) = told(
        Requests(FILE).submit(12, opcode=READ).enter(10, 20).complete(500).enter(30, 510, wait=1)
    )
    assert (op.completion_kind, op.ready, op.copy_end, op.done) == ("device", 500, 500, 510)


def test_a_file_is_copied_as_it_completes_even_if_a_socket_has_its_inode() -> None:
    trace = Requests(FILE).submit(12, opcode=READ).enter(10, 20).ready(100)
    assert told(trace.complete(500))[0].copy_start == 500


def test_a_registered_file_is_known_by_its_inode() -> None:
    trace = Requests().submit(12, fd=0, flags=1).armed(14).enter(10, 20).ready(100)
    (op,) = told(
        trace.add(Kind.URING_FILE, 119, start=REQUEST, result=INODE, arg=0o140777).complete(120)
    )
    assert (op.inode, op.ready) == (INODE, 100)


def test_a_kernel_thread_that_submits_and_who_waits() -> None:
    poller = 102
    trace = Requests().add(Kind.THREAD, 3, tid=poller, fd=TID, result=TID)
    trace.add(Kind.URING_RING, 4, fd=RING, arg=2).submit(12, tid=poller).armed(
        13, tid=poller
    ).ready(100)
    (op,) = told(trace.complete(110, tid=poller).enter(50, 120, wait=1, result=0))
    assert (op.tid, op.done) == (poller, 120)


def test_native_aio_on_a_socket_waits_in_io_submit() -> None:
    trace = Requests().iocb(11).sleep(20, 101, 110).ready(100).call("io_submit", 10, 120, 1, arg=1)
    (op,) = told(trace.call("io_getevents", 130, 135, 1).event(136))
    assert (op.wait_kind, op.completion_kind) == ("linux-aio", "in io_submit")
    assert (op.ask, op.ready, op.told, op.copy_end, op.done, op.slept) == (
        10,
        100,
        110,
        120,
        135,
        90,
    )


def test_native_aio_on_a_direct_file_is_done_by_the_device() -> None:
    trace = Requests(FILE).add(Kind.DESCRIPTOR, 3, start=INODE, result=DIRECT, fd=FD, arg=FILE)
    trace.iocb(11).call("io_submit", 10, 20, 1, arg=1).sleep(35, 90, 99).call(
        "io_getevents", 30, 100, 1
    )
    (op,) = told(trace.event(101))
    assert (op.completion_kind, op.ask, op.copy_end, op.done) == ("after io_submit", 10, 90, 100)
    assert "copy_end" in op.estimated


def test_native_aio_on_a_file_in_the_page_cache_is_done_in_io_submit() -> None:
    trace = (
        Requests(FILE).iocb(11).call("io_submit", 10, 20, 1, arg=1).call("io_getevents", 30, 35, 1)
    )
    assert told(trace.event(36))[0].completion_kind == "in io_submit"


def test_iocb_cmd_poll_tells_and_a_receive_copies() -> None:
    trace = (
        Requests()
        .iocb(11, opcode=5)
        .call("io_submit", 10, 20, 1, arg=1)
        .sleep(35, 101, 110)
        .ready(100)
    )
    trace.call("io_getevents", 30, 112, 1).event(113, result=1)
    (op,) = told(trace.call("recvfrom", 120, 125, 64))
    assert (op.wait_kind, op.wait_nr, op.ask, op.ready, op.told) == (
        "multiplexed",
        "io_getevents",
        30,
        100,
        112,
    )


@pytest.mark.parametrize("count", [2, 3, 7])
def test_where_a_batch_is_cut_changes_nothing(count: int) -> None:
    trace = (
        Requests()
        .submit(12)
        .armed(14)
        .sleep(20, 101, 110)
        .ready(100)
        .complete(115)
        .enter(10, 120, wait=1)
    )
    trace.submit(132).armed(134).sleep(140, 201, 210).ready(200).complete(215).enter(
        130, 220, wait=1
    )
    assert told(trace, count) == told(trace)


POLL_ADD = 6


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_poll_in_the_ring_tells_of_data_that_a_receive_takes(count: int) -> None:
    trace = (
        Requests()
        .submit(12, opcode=POLL_ADD)
        .armed(14)
        .sleep(16, 101, 105)
        .ready(100)
        .complete(106, 1)
    )
    trace.enter(10, 110, wait=1).copy(115).call("recvfrom", 112, 120, 64)
    (op,) = told(trace, count)
    assert (op.wait_kind, op.wait_nr) == ("multiplexed", "io_uring_enter")
    assert (op.ask, op.ready, op.told, op.done) == (10, 100, 110, 120)


def test_iocb_cmd_poll_once_is_enough() -> None:
    trace = Requests().iocb(11, opcode=5).call("io_submit", 10, 20, 1, arg=1)
    trace.iocb(23, block=0x2000).call("io_submit", 22, 25, 1, arg=1)  # in a later batch, of a read
    trace.sleep(35, 101, 110).ready(100).call("io_getevents", 30, 112, 1).event(113, result=1)
    (op,) = told(trace.call("recvfrom", 120, 125, 64), 3)
    assert op.wait_nr == "io_getevents"


def test_a_submission_that_waits_for_nothing_tells_nothing() -> None:
    trace = Requests().submit(12, opcode=POLL_ADD).armed(14).enter(10, 15)
    (op,) = told(trace.sleep(31, 101, 105).ready(100).copy(107).call("recvfrom", 30, 120, 64))
    assert op.wait_kind == "blocked"


# what happens at one instant, as a clock may have it


def test_at_the_begin_and_at_the_end_of_the_call_is_inside_it() -> None:
    for trace in Requests().submit(12).complete(20), Requests().submit(10).complete(18):
        (op,) = told(trace.enter(10, 20))
        assert op.completion_kind == "inline"


def test_found_without_data_as_it_was_submitted() -> None:
    (op,) = told(Requests().submit(12).armed(12).enter(10, 20).complete(40))
    assert op.completion_kind == "poll-armed"


def test_a_copy_as_it_was_completed() -> None:
    (op,) = told(Requests().submit(12).copy(18).complete(18).enter(10, 20))
    assert op.copy_start == 18 and "copy_start" not in op.estimated


def test_who_asks_for_more_as_the_wait_returns_was_told_by_it() -> None:
    trace = Requests().submit(12).armed(13).enter(10, 20).complete(40).enter(50, 55, wait=1)
    (op,) = told(trace.submit(55, request=0x2000))
    assert op.done == 55


def test_who_goes_to_wait_as_it_is_completed_is_told_by_the_wait() -> None:
    trace = Requests().submit(12).armed(13).enter(10, 20).complete(40).enter(40, 90, wait=1)
    (op,) = told(trace.submit(52, request=0x2000))
    assert op.done == 90


def test_who_sleeps_from_the_completion_on_sleeps_for_the_next_one() -> None:
    trace = Requests().submit(12).armed(14).complete(120, request=0, more=True)
    _, op = told(trace.sleep(120, 201, 210).complete(220, request=0, more=True))
    assert (op.slept, op.told) == (90, 210)


def test_a_multishot_request_that_is_armed_again_has_taken_what_came_before() -> None:
    trace = Requests().submit(12).armed(14).complete(120, request=0, more=True)
    trace.ready(130).ready(140).armed(150)
    _, op = told(trace.complete(220, request=0, more=True))
    assert (op.ask, op.ready) == (120, 130)


# whose is what


def test_a_copy_before_the_completion_of_another_request_was_for_that_one() -> None:
    trace = Requests().add(Kind.THREAD, 3, tid=WORKER, fd=TID, result=TID)
    trace.submit(12).submit(13, request=0x2000, data=DATA + 1).enter(10, 20)
    trace.copy(150, tid=WORKER).complete(200, tid=WORKER)
    first, second = told(trace.complete(201, request=0x2000, data=DATA + 1, tid=WORKER))
    assert first.copy_start == 150 and "copy_start" not in first.estimated
    assert second.copy_start == 200 and "copy_start" in second.estimated


def test_requests_that_the_program_numbers_alike_are_told_by_their_addresses() -> None:
    trace = Requests().submit(12).enter(10, 20).submit(32, request=0x2000).enter(30, 40)
    first, second = told(trace.complete(50).complete(60, request=0x2000))
    assert (first.ask, second.ask) == (10, 30)


OTHER, THIRD = 102, 103


def test_who_asks_of_a_ring_that_no_kernel_thread_polls_is_told_by_its_own_wait() -> None:
    trace = Requests().add(Kind.THREAD, 3, tid=OTHER, fd=TID, result=TID)
    trace.add(Kind.URING_RING, 4, fd=RING, arg=0).submit(12, tid=OTHER).enter(10, 20, tid=OTHER)
    trace.complete(40, tid=OTHER).enter(50, 60, wait=1)
    (op,) = told(trace.enter(50, 70, wait=1, tid=OTHER))
    assert op.done == 70


def test_a_ring_that_is_polled_says_nothing_of_another_process() -> None:
    trace = Requests().add(Kind.URING_RING, 4, fd=RING, arg=2)
    trace.add(Kind.THREAD, 3, tid=OTHER, fd=TID, result=OTHER)
    trace.add(Kind.THREAD, 3, tid=THIRD, fd=OTHER, result=OTHER)
    trace.submit(12, tid=OTHER).enter(10, 20, tid=OTHER).complete(40, tid=OTHER)
    trace.submit(41, tid=THIRD, opcode=SEND)  # so that its process is known
    (op,) = told(trace.enter(50, 60, wait=1, tid=THIRD).enter(50, 70, wait=1, tid=OTHER))
    assert op.done == 70


def test_a_main_thread_that_waits_for_what_a_kernel_thread_asked() -> None:
    """The requests do not tell its process."""
    trace = Requests().add(Kind.THREAD, 3, tid=OTHER, fd=TID, result=TID)
    trace.add(Kind.THREAD, 3, tid=THIRD, fd=TID, result=TID)
    trace.add(Kind.URING_RING, 4, fd=RING, tid=OTHER, arg=2).submit(12, tid=THIRD)
    (op,) = told(trace.complete(40, tid=THIRD).enter(50, 60, wait=1))
    assert (op.tid, op.done) == (THIRD, 60)
