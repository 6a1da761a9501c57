"""tracer/operations.py: records made by hand, one for each way to wait for data and for what kernels do besides."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from analysing import operations_of, plain
from hypothesis import given
from hypothesis import strategies as st
from records_builder import (
    ASYNC,
    EAGAIN,
    ERESTARTSYS,
    ESPIPE,
    FD,
    FILE,
    INODE,
    PIPE,
    SI_ASYNCIO,
    SIGIO,
    SIGRTMIN,
    TID,
    Trace,
)

from tracer.completions import BY_SUSPEND, BY_THREAD
from tracer.operations import PHASES
from tracer.records import RECORD, Kind

HELPER = 101


def analyse(trace: Trace, batches: int = 1) -> list[SimpleNamespace]:
    return plain(operations_of(trace, batches))


def only(trace: Trace) -> SimpleNamespace:
    operations = analyse(trace)
    assert len(operations) == 1
    check(operations[0])
    return operations[0]


def check(op: SimpleNamespace) -> None:
    times = [op.ask, op.ready, op.told, op.copy_start, op.copy_end, op.done]
    assert times == sorted(times)
    assert len(op.phases) == len(PHASES) and min(op.phases) >= 0
    assert sum(op.phases) == op.done - op.ask
    assert set(op.raw) <= set(op.estimated)
    assert len(set(op.estimated)) == len(op.estimated)
    assert op.queued >= 0


def boundaries(op: SimpleNamespace) -> tuple:
    return op.ask, op.ready, op.told, op.copy_start, op.copy_end, op.done


# the models

def test_blocking():
    op = only(Trace().sleep(110, 210, 220).ready(200).copy(230).call("recvfrom", 100, 240, 64))
    assert op.way == "blocked" and (op.tid, op.fd, op.bytes, op.inode) == (TID, FD, 64, INODE)
    assert boundaries(op) == (100, 200, 220, 230, 240, 240)
    assert op.phases == (100, 30, 10, 0)
    assert op.estimated == [] and op.raw == {} and op.queued == 0


def test_blocking_without_a_copy_tracepoint_copies_from_the_switch_in():
    op = only(Trace().sleep(110, 210, 220).ready(200).call("recvfrom", 100, 240, 64))
    assert op.copy_start == 220 and op.estimated == ["copy_start"]


def test_blocking_without_readiness_takes_the_waking():
    op = only(Trace().sleep(110, 210, 220).copy(230).call("recvfrom", 100, 240, 64))
    assert op.ready == 210 and op.estimated == ["ready"]


def test_nonblocking_asks_with_its_first_poll():
    trace = Trace()
    for start in range(100, 200, 10):
        trace.call("recvfrom", start, start + 5, EAGAIN)
    op = only(trace.ready(197).copy(202).call("recvfrom", 200, 205, 64))
    assert op.way == "polled"
    assert boundaries(op) == (100, 197, 200, 202, 205, 205)
    assert op.fruitless == 10
    assert op.estimated == []


def test_nonblocking_readiness_that_comes_after_the_data_was_taken():
    trace = Trace().call("recvfrom", 100, 105, EAGAIN).copy(112).call("recvfrom", 110, 115, 64).ready(117)
    trace.call("recvfrom", 120, 125, EAGAIN).ready(128).copy(132).call("recvfrom", 130, 135, 64)
    first, second = analyse(trace)
    assert first.raw["ready"] == 117 and "ready" in first.estimated
    assert first.ask <= first.ready <= first.copy_start
    assert second.ready == 128 and second.estimated == [] and second.queued == 0


def test_nonblocking_readiness_between_entry_and_copy():
    op = only(Trace().call("recvfrom", 100, 105, EAGAIN).ready(111).copy(113).call("recvfrom", 110, 115, 64))
    assert (op.ready, op.told) == (111, 111)
    assert op.estimated == ["told"] and op.raw == {"told": 110}


def test_nonblocking_readiness_after_the_copy_began_is_clamped_and_listed():
    op = only(Trace().call("recvfrom", 100, 105, EAGAIN).copy(111).ready(113).call("recvfrom", 110, 115, 64))
    assert op.ready == op.copy_start == 111
    assert op.raw["ready"] == 113 and {"ready", "told"} <= set(op.estimated)


@pytest.mark.parametrize(("call", "model"), [("select", "select"), ("pselect6", "select"), ("poll", "poll"),
                                             ("ppoll", "poll"), ("epoll_wait", "epoll_wait"),
                                             ("epoll_pwait", "epoll_wait"), ("epoll_pwait2", "epoll_wait")])
def test_multiplexing(call, model):
    op = only(Trace().sleep(110, 210, 220).ready(200).call(call, 100, 230, 1, fd=9)
              .copy(242).call("recvfrom", 240, 250, 64))
    assert op.way == "multiplexed" and op.waited_in == model and op.watcher == 9
    assert boundaries(op) == (100, 200, 230, 242, 250, 250)
    assert op.estimated == []


def test_multiplexing_that_timed_out_belongs_to_the_wait():
    op = only(Trace().sleep(110, None, 150).call("poll", 100, 160, 0).sleep(175, 210, 220).ready(200)
              .call("poll", 170, 230, 1).copy(242).call("recvfrom", 240, 250, 64))
    assert op.ask == 100 and op.told == 230


def test_multiplexing_until_the_receive_says_eagain():
    trace = Trace().sleep(110, 210, 220).ready(200).call("epoll_wait", 100, 230, 1, fd=9)
    trace.copy(242).call("recvfrom", 240, 250, 64).call("recvfrom", 260, 265, EAGAIN)
    trace.sleep(275, 310, 320).ready(300).call("epoll_wait", 270, 330, 1, fd=9)
    trace.copy(342).call("recvfrom", 340, 350, 64)
    first, second = analyse(trace)
    assert second.way == "multiplexed" and boundaries(second) == (260, 300, 330, 342, 350, 350)
    assert boundaries(first) == (100, 200, 230, 242, 250, 250)


def test_a_wait_that_told_at_once_found_the_data_there():
    """What a partial read left behind has no readiness of its own: it was there before the program asked again."""
    trace = Trace().sleep(110, 210, 220).ready(200).call("select", 100, 230, 1).copy(242).call("recvfrom", 240, 250, 50)
    trace.call("select", 300, 310, 1).copy(912).call("recvfrom", 900, 920, 50)
    _, second = analyse(trace)
    assert second.way == "multiplexed" and (second.ask, second.ready, second.told) == (300, 300, 310)
    assert second.phases == (0, 612, 8, 0) and "ready" in second.estimated


def test_signal_driven():
    trace = Trace().call("fcntl", 10, 20, 0, arg=4).args("fcntl", 21, 4, ASYNC | 0o4000)
    trace.ready(200).signal(SIGIO, 205, 215).copy(232).call("recvfrom", 230, 240, 64)
    trace.call("recvfrom", 250, 255, EAGAIN)
    trace.ready(300).signal(SIGIO, 305, 315).copy(332).call("recvfrom", 330, 340, 64)
    first, second = analyse(trace)
    assert first.way == second.way == "signal"
    assert boundaries(first) == (21, 200, 215, 232, 240, 240)
    assert first.signal == (SIGIO, 205, 215)
    assert second.ready == 300 and second.told == 315 and second.estimated == []


def test_signal_driven_without_polls_asks_where_the_last_operation_ended():
    trace = Trace().call("fcntl", 10, 20, 0).args("fcntl", 21, 4, ASYNC)
    trace.ready(200).signal(SIGIO, 205, 215).copy(232).call("recvfrom", 230, 240, 64)
    trace.ready(300).signal(SIGIO, 305, 315).copy(332).call("recvfrom", 330, 340, 64)
    assert [op.ask for op in analyse(trace)] == [21, 240]


def aio(trace: Trace, at: int) -> Trace:
    """An aio_read at `at`: the helper sleeps in read until `at` + 200; the signal comes at `at` + 250."""
    trace.aio_read(at)
    trace.call("pread64", at + 10, at + 15, ESPIPE, tid=HELPER)
    trace.sleep(at + 30, at + 210, at + 220, tid=HELPER).ready(at + 200).copy(at + 230, tid=HELPER)
    trace.call("read", at + 20, at + 240, 64, tid=HELPER)
    return trace.signal(SIGRTMIN, at + 245, at + 250, code=SI_ASYNCIO)


def test_posix_aio():
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID, fd=TID)
    first, second = analyse(aio(aio(trace, 100), 1100))
    for op, at in ((first, 100), (second, 1100)):
        check(op)
        assert op.way == "posix-aio" and (op.tid, op.helper) == (TID, HELPER)
        assert boundaries(op) == (at, at + 200, at + 220, at + 230, at + 240, at + 250)
        assert op.phases == (200, 30, 10, 10)
        assert op.estimated == []


def test_posix_aio_nobody_was_told_of_is_done_when_it_is_copied():
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID).aio_read(100)
    trace.sleep(130, 310, 320, tid=HELPER).ready(300).copy(330, tid=HELPER).call("read", 120, 340, 64, tid=HELPER)
    op = only(trace)
    assert op.done == op.copy_end == 340 and op.estimated == ["done"]


def test_posix_aio_of_data_that_was_queued():
    """The helper's pread64 that says ESPIPE does not say that the socket was empty."""
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID).ready(60).ready(70)
    for at in (100, 200):
        trace.aio_read(at).call("pread64", at + 10, at + 15, ESPIPE, tid=HELPER).copy(at + 25, tid=HELPER)
        trace.call("read", at + 20, at + 30, 64, tid=HELPER).signal(SIGRTMIN, at + 35, at + 40, code=SI_ASYNCIO)
    first, second = analyse(trace)
    assert (first.raw.get("ready"), second.raw.get("ready")) == (60, 70)
    assert (first.queued, second.queued) == (40, 130)


# data that was there before it was asked for

def test_queued_data_was_waited_for_no_time():
    op = only(Trace().ready(50).copy(105).call("recvfrom", 100, 110, 64))
    assert op.way == "at once" and op.queued == 50
    assert op.phases == (0, 5, 5, 0)
    assert op.raw["ready"] == 50 and "ready" in op.estimated


def test_two_datagrams_queued_are_taken_in_the_order_in_which_they_came():
    trace = Trace().ready(50).ready(60).copy(105).call("recvfrom", 100, 110, 64)
    first, second = analyse(trace.copy(125).call("recvfrom", 120, 130, 32))
    assert (first.queued, second.queued) == (50, 60)
    assert (first.raw["ready"], second.raw["ready"]) == (50, 60)


def test_stream_merges_what_is_there_into_one_receive():
    trace = Trace().call("socket", 10, 20, 5, fd=2).args("socket", 21, 1, 0, first=2)
    trace.add(Kind.DESCRIPTOR, 22, start=77, fd=5, arg=0o140777)
    trace.ready(50, 77).ready(60, 77).ready(70, 77).copy(105).call("recvfrom", 100, 110, 192, fd=5)
    trace.sleep(130, 210, 220).ready(200, 77).copy(230).call("recvfrom", 120, 240, 64, fd=5)
    first, second = analyse(trace)
    assert (first.bytes, first.queued) == (192, 50)
    assert second.ready == 200 and second.queued == 0 and second.estimated == []


def test_accepted_socket_is_a_stream():
    trace = Trace().call("accept4", 10, 20, 5).add(Kind.DESCRIPTOR, 21, start=77, fd=5, arg=0o140777)
    trace.ready(50, 77).ready(60, 77).copy(105).call("recvfrom", 100, 110, 128, fd=5)
    first, second = analyse(trace.ready(200, 77).copy(215).call("recvfrom", 150, 220, 64, fd=5))
    assert first.queued == 50 and second.ready == 200


def test_readiness_between_looking_and_sleeping():
    """The data came after the thread looked and before the scheduler had it off the CPU."""
    op = only(Trace().ready(108).sleep(110, 112, 120).copy(130).call("recvfrom", 100, 140, 64))
    assert op.way == "blocked" and op.ready == 108


def test_sockets_do_not_share_their_readiness():
    trace = Trace().add(Kind.DESCRIPTOR, 3, start=8, fd=5, arg=0o140777).ready(50, 8)
    op = only(trace.sleep(110, 210, 220).ready(200).copy(230).call("recvfrom", 100, 240, 64))
    assert op.ready == 200


# what is no operation

def test_end_of_file_is_no_operation():
    assert analyse(Trace().sleep(110, 210, 220).ready(200).call("recvfrom", 100, 240, 0)) == []


def test_regular_files_are_no_operation():
    assert analyse(Trace(FILE).call("read", 100, 110, 64)) == []


def test_unknown_descriptors_are_no_operation():
    assert analyse(Trace().call("read", 100, 110, 64, fd=17)) == []


def test_errors_are_no_operation():
    assert analyse(Trace().call("recvfrom", 100, 110, EAGAIN).call("recvfrom", 120, 130, -104)) == []


def test_nothing_is_no_operation():
    assert analyse(Trace()) == []
    nothing = Trace()
    nothing.rows.clear()
    assert analyse(nothing) == []


def test_a_pipe_is_one():
    op = only(Trace(PIPE).sleep(110, 210, 220).call("read", 100, 240, 64))
    assert op.way == "blocked" and op.ready == 210
    assert op.estimated == ["ready", "copy_start"]


def test_polled_pipe_was_ready_somewhere_between_and_says_so():
    op = only(Trace(PIPE).call("read", 100, 105, EAGAIN).call("read", 110, 115, 64))
    assert op.way == "polled" and 105 <= op.ready <= 110 and "ready" in op.estimated


@pytest.mark.parametrize("call", ["recvfrom", "recvmsg", "recvmmsg", "read", "readv"])
def test_every_receiving_call_receives(call):
    assert only(Trace().sleep(110, 210, 220).ready(200).copy(230).call(call, 100, 240, 1)).way == "blocked"


# what kernels do besides

def test_restarted_call_is_one_operation():
    trace = Trace()
    for start in (100, 200, 300):
        trace.sleep(start + 5, start + 50, start + 60).call("recvfrom", start, start + 70, ERESTARTSYS)
    op = only(trace.sleep(410, 460, 470).ready(450).copy(480).call("recvfrom", 400, 490, 64))
    assert op.way == "blocked"
    assert boundaries(op) == (100, 450, 470, 480, 490, 490)


def test_preemption_in_the_call_is_no_wait():
    op = only(Trace().ready(50).preempted(102, 150).copy(160).call("recvfrom", 100, 170, 64))
    assert op.way == "at once" and op.queued == 50


def test_threads_wait_for_themselves():
    other = 105
    trace = Trace().add(Kind.THREAD, 3, tid=other, result=TID, fd=TID)
    trace.add(Kind.DESCRIPTOR, 4, start=8, fd=5, arg=0o140777, tid=other)
    trace.sleep(110, 210, 220).sleep(112, 310, 320, tid=other).ready(200).ready(300, 8)
    trace.copy(230).call("recvfrom", 100, 240, 64).copy(330, tid=other).call("recvfrom", 105, 340, 32, fd=5, tid=other)
    first, second = analyse(trace)
    assert boundaries(first) == (100, 200, 220, 230, 240, 240)
    assert boundaries(second) == (105, 300, 320, 330, 340, 340)


def test_operations_come_in_the_order_in_which_they_were_done():
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID)
    trace.add(Kind.DESCRIPTOR, 60, start=8, fd=5, arg=0o140777)
    trace = aio(trace, 100).ready(342, 8).copy(344).call("recvfrom", 343, 346, 32, fd=5)
    assert [op.done for op in analyse(trace)] == [346, 350]


def test_registrations_are_those_of_the_time():
    trace = Trace()
    for at, events in ((10, 1 | 1 << 31), (1010, 1)):
        trace.args("epoll_ctl", at, 1, FD, first=9, fourth=events)
        trace.sleep(at + 100, at + 200, at + 210).ready(at + 190).call("epoll_wait", at + 90, at + 220, 1, fd=9)
        trace.call("recvfrom", at + 230, at + 240, 64)
    assert [op.events for op in analyse(trace)] == [1 | 1 << 31, 1]


@pytest.mark.parametrize("batches", [2, 3, 7])
def test_batches_change_nothing(batches):
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID)
    aio(trace, 100).sleep(1110, 1210, 1220).ready(1200).copy(1230).call("recvfrom", 1100, 1240, 64)
    trace.call("recvfrom", 1300, 1305, EAGAIN).ready(1320).copy(1332).call("recvfrom", 1330, 1335, 64)
    assert [boundaries(op) for op in analyse(trace, batches)] == [boundaries(op) for op in analyse(trace)]


def test_polls_split_between_batches_keep_their_count():
    trace = Trace()
    for start in range(100, 300, 10):
        trace.call("recvfrom", start, start + 5, EAGAIN)
    trace.ready(297).copy(302).call("recvfrom", 300, 305, 64)
    for batches in (1, 2, 5):
        (op,) = analyse(trace, batches)
        assert op.ask == 100 and op.fruitless == 20


# whatever comes, phases are contiguous

events = st.lists(st.tuples(
    st.sampled_from(["call", "error", "wait", "ready", "copy", "sleep", "out", "waking", "in", "signal", "aio", "eof"]),
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([TID, HELPER]), st.booleans()), max_size=40)


@given(events, st.integers(1, 4))
def test_phases_are_contiguous_whatever_comes(steps, batches):
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
            trace.signal(SIGIO if second else SIGRTMIN, now, end, code=0x80 if second else SI_ASYNCIO, tid=tid)
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


def test_records_of_the_builder_are_records():
    assert Trace().records().dtype == RECORD


# what was left behind, named, or told of otherwise

EPOLL, EPOLLIN = 9, 1


def edge_triggered(events: int = EPOLLIN | 1 << 31) -> Trace:
    return Trace().call("epoll_ctl", 3, 4, 0, fd=EPOLL, arg=1).args("epoll_ctl", 4, 1, FD, first=EPOLL, fourth=events)


@pytest.mark.parametrize("flag", [1 << 31, 1 << 30])
def test_a_sleep_in_edge_triggered_epoll_does_not_say_that_the_socket_is_empty(flag):
    trace = edge_triggered(EPOLLIN | flag).ready(10).ready(11)
    trace.call("epoll_wait", 20, 22, 1, fd=EPOLL).call("recvfrom", 23, 25, 64)
    trace.sleep(32, 100, 105).ready(99).call("epoll_wait", 30, 110, 1, fd=EPOLL).call("recvfrom", 111, 115, 64)
    first, second = analyse(trace)
    assert (first.raw["ready"], second.raw["ready"]) == (10, 11)
    assert second.queued == 30 - 11 and second.fell_asleep == 32


def test_a_sleep_in_level_triggered_epoll_does():
    trace = edge_triggered(EPOLLIN).ready(10).ready(11)
    trace.call("epoll_wait", 20, 22, 1, fd=EPOLL).call("recvfrom", 23, 25, 64)
    trace.sleep(32, 100, 105).ready(99).call("epoll_wait", 30, 110, 1, fd=EPOLL).call("recvfrom", 111, 115, 64)
    assert analyse(trace)[1].ready == 99


@pytest.mark.parametrize(("named", "handled"), [(FD, True), (FD, False), (FD + 1, False)])
def test_a_signal_set_with_f_setsig_names_its_descriptor(named, handled):
    number = SIGRTMIN + 1
    trace = Trace().ready(50).add(Kind.SIGNAL_GENERATE, 51, fd=number, arg=1, start=named)
    if handled:
        trace.add(Kind.SIGNAL_DELIVER, 60, fd=number, arg=1, start=1, result=named)
    else:
        trace.sleep(20, 52, 58).call("rt_sigtimedwait", 10, 60, number)
    op = only(trace.call("recvfrom", 70, 75, 64))
    assert (op.way, op.raw["told"], op.named, op.waited_for) == ("signal", 60, named == FD, not handled)


def test_plain_sigio_names_nothing():
    assert not only(Trace().ready(50).signal(SIGIO, 51, 60).call("recvfrom", 70, 75, 64)).named


def helped() -> Trace:
    """An aio_read whose helper thread has received at 110."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=TID, fd=TID).aio_read(10)
    return trace.sleep(30, 101, 105, tid=HELPER).ready(100).call("read", 20, 110, 64, tid=HELPER)


def test_aio_read_told_by_a_new_thread():
    trace = helped().add(Kind.THREAD, 115, tid=102, result=TID, fd=HELPER).add(Kind.SWITCH_IN, 120, tid=102)
    op = only(trace.call("gettid", 130, 131, 102, tid=102).call("getpid", 140, 141, TID))
    assert (op.done, op.how, "done" in op.estimated) == (120, BY_THREAD, False)


def test_aio_read_told_in_aio_suspend():
    trace = helped().add(Kind.LIBRARY, 40, nr=2, arg=1).sleep(43, 113, 118)
    op = only(trace.call("futex", 42, 120, 0, fd=0x4000, arg=137))
    assert (op.done, op.how, "done" in op.estimated) == (120, BY_SUSPEND, False)


def test_aio_suspend_called_when_all_is_done():
    op = only(helped().add(Kind.LIBRARY, 140, nr=2, arg=1).call("getpid", 150, 151, TID))
    assert (op.done, op.how, "done" in op.estimated) == (140, BY_SUSPEND, True)


def test_a_futex_that_is_not_aio_suspends_tells_nothing():
    op = only(helped().sleep(43, 113, 118).call("futex", 42, 120, 0, fd=0x4000, arg=137))
    assert (op.done, op.how) == (110, 0) and "done" in op.estimated


def test_without_readiness_a_signal_tells_when_it_was_sent():
    """A pipe has no sk_data_ready: what sent the signal did so when the data came."""
    trace = Trace(PIPE).call("read", 100, 105, EAGAIN).signal(SIGIO, 205, 215).call("read", 230, 240, 64)
    trace.call("read", 245, 250, EAGAIN).signal(SIGIO, 243, 255).call("read", 300, 310, 64)  # sent before that look
    assert [(op.ready, "ready" in op.estimated) for op in analyse(trace)] == [(205, True), (300, True)]
