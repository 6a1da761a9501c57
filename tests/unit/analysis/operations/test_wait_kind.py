"""tracer/analysis/operations/{wait_kind,boundaries}.py: how an operation was waited for, on records made by hand."""

from __future__ import annotations

import pytest
from support.analysing import analyse, boundaries, check, only
from support.records_builder import (
    ASYNC,
    EAGAIN,
    ESPIPE,
    FD,
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

from tracer.analysis.operations.table import BY_SUSPEND, BY_THREAD
from tracer.recording.records import Kind

# the models


def test_blocking() -> None:
    op = only(Trace().sleep(110, 210, 220).ready(200).copy(230).call("recvfrom", 100, 240, 64))
    assert op.wait_kind == "blocked" and (op.tid, op.fd, op.bytes, op.inode) == (TID, FD, 64, INODE)
    assert boundaries(op) == (100, 200, 220, 230, 240, 240)
    assert op.phases == (100, 30, 10, 0)
    assert op.estimated == [] and op.raw == {} and op.queued == 0


def test_blocking_without_a_copy_tracepoint_copies_from_the_switch_in() -> None:
    op = only(Trace().sleep(110, 210, 220).ready(200).call("recvfrom", 100, 240, 64))
    assert op.copy_start == 220 and op.estimated == ["copy_start"]


def test_blocking_without_readiness_takes_the_waking() -> None:
    op = only(Trace().sleep(110, 210, 220).copy(230).call("recvfrom", 100, 240, 64))
    assert op.ready == 210 and op.estimated == ["ready"]


def test_nonblocking_asks_with_its_first_poll() -> None:
    trace = Trace()
    for start in range(100, 200, 10):
        trace.call("recvfrom", start, start + 5, EAGAIN)
    op = only(trace.ready(197).copy(202).call("recvfrom", 200, 205, 64))
    assert op.wait_kind == "polled"
    assert boundaries(op) == (100, 197, 200, 202, 205, 205)
    assert op.eagain_count == 10
    assert op.estimated == []


def test_nonblocking_readiness_that_comes_after_the_data_was_taken() -> None:
    trace = (
        Trace()
        .call("recvfrom", 100, 105, EAGAIN)
        .copy(112)
        .call("recvfrom", 110, 115, 64)
        .ready(117)
    )
    trace.call("recvfrom", 120, 125, EAGAIN).ready(128).copy(132).call("recvfrom", 130, 135, 64)
    first, second = analyse(trace)
    assert first.raw["ready"] == 117 and "ready" in first.estimated
    assert first.ask <= first.ready <= first.copy_start
    assert second.ready == 128 and second.estimated == [] and second.queued == 0


def test_nonblocking_readiness_between_entry_and_copy() -> None:
    op = only(
        Trace()
        .call("recvfrom", 100, 105, EAGAIN)
        .ready(111)
        .copy(113)
        .call("recvfrom", 110, 115, 64)
    )
    assert (op.ready, op.told) == (111, 111)
    assert op.estimated == ["told"] and op.raw == {"told": 110}


def test_nonblocking_readiness_after_the_copy_began_is_clamped_and_listed() -> None:
    op = only(
        Trace()
        .call("recvfrom", 100, 105, EAGAIN)
        .copy(111)
        .ready(113)
        .call("recvfrom", 110, 115, 64)
    )
    assert op.ready == op.copy_start == 111
    assert op.raw["ready"] == 113 and {"ready", "told"} <= set(op.estimated)


@pytest.mark.parametrize(
    ("call", "model"),
    [
        ("select", "select"),
        ("pselect6", "select"),
        ("poll", "poll"),
        ("ppoll", "poll"),
        ("epoll_wait", "epoll_wait"),
        ("epoll_pwait", "epoll_wait"),
        ("epoll_pwait2", "epoll_wait"),
    ],
)
def test_multiplexing(call: str, model: str) -> None:
    op = only(
        Trace()
        .sleep(110, 210, 220)
        .ready(200)
        .call(call, 100, 230, 1, fd=9)
        .copy(242)
        .call("recvfrom", 240, 250, 64)
    )
    assert op.wait_kind == "multiplexed" and op.wait_nr == model and op.epfd == 9
    assert boundaries(op) == (100, 200, 230, 242, 250, 250)
    assert op.estimated == []


def test_multiplexing_that_timed_out_belongs_to_the_wait() -> None:
    op = only(
        Trace()
        .sleep(110, None, 150)
        .call("poll", 100, 160, 0)
        .sleep(175, 210, 220)
        .ready(200)
        .call("poll", 170, 230, 1)
        .copy(242)
        .call("recvfrom", 240, 250, 64)
    )
    assert op.ask == 100 and op.told == 230


def test_multiplexing_until_the_receive_says_eagain() -> None:
    trace = Trace().sleep(110, 210, 220).ready(200).call("epoll_wait", 100, 230, 1, fd=9)
    trace.copy(242).call("recvfrom", 240, 250, 64).call("recvfrom", 260, 265, EAGAIN)
    trace.sleep(275, 310, 320).ready(300).call("epoll_wait", 270, 330, 1, fd=9)
    trace.copy(342).call("recvfrom", 340, 350, 64)
    first, second = analyse(trace)
    assert second.wait_kind == "multiplexed" and boundaries(second) == (
        260,
        300,
        330,
        342,
        350,
        350,
    )
    assert boundaries(first) == (100, 200, 230, 242, 250, 250)


def test_a_wait_that_told_at_once_found_the_data_there() -> None:
    """What a partial read left behind has no readiness of its own: it was there before the program asked again."""
    trace = (
        Trace()
        .sleep(110, 210, 220)
        .ready(200)
        .call("select", 100, 230, 1)
        .copy(242)
        .call("recvfrom", 240, 250, 50)
    )
    trace.call("select", 300, 310, 1).copy(912).call("recvfrom", 900, 920, 50)
    _, second = analyse(trace)
    assert second.wait_kind == "multiplexed" and (second.ask, second.ready, second.told) == (
        300,
        300,
        310,
    )
    assert second.phases == (0, 612, 8, 0) and "ready" in second.estimated


def test_signal_driven() -> None:
    trace = Trace().call("fcntl", 10, 20, 0, arg=4).args("fcntl", 21, 4, ASYNC | 0o4000)
    trace.ready(200).signal(SIGIO, 205, 215).copy(232).call("recvfrom", 230, 240, 64)
    trace.call("recvfrom", 250, 255, EAGAIN)
    trace.ready(300).signal(SIGIO, 305, 315).copy(332).call("recvfrom", 330, 340, 64)
    first, second = analyse(trace)
    assert first.wait_kind == second.wait_kind == "signal"
    assert boundaries(first) == (21, 200, 215, 232, 240, 240)
    assert first.signal == (SIGIO, 205, 215)
    assert second.ready == 300 and second.told == 315 and second.estimated == []


def test_signal_driven_without_polls_asks_where_the_last_operation_ended() -> None:
    trace = Trace().call("fcntl", 10, 20, 0).args("fcntl", 21, 4, ASYNC)
    trace.ready(200).signal(SIGIO, 205, 215).copy(232).call("recvfrom", 230, 240, 64)
    trace.ready(300).signal(SIGIO, 305, 315).copy(332).call("recvfrom", 330, 340, 64)
    assert [op.ask for op in analyse(trace)] == [21, 240]


def test_posix_aio() -> None:
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID, fd=TID)
    first, second = analyse(aio(aio(trace, 100), 1100))
    for op, at in ((first, 100), (second, 1100)):
        check(op)
        assert op.wait_kind == "posix-aio" and (op.tid, op.receiver_tid) == (TID, HELPER)
        assert boundaries(op) == (at, at + 200, at + 220, at + 230, at + 240, at + 250)
        assert op.phases == (200, 30, 10, 10)
        assert op.estimated == []


def test_posix_aio_nobody_was_told_of_is_done_when_it_is_copied() -> None:
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID).aio_read(100)
    trace.sleep(130, 310, 320, tid=HELPER).ready(300).copy(330, tid=HELPER).call(
        "read", 120, 340, 64, tid=HELPER
    )
    op = only(trace)
    assert op.done == op.copy_end == 340 and op.estimated == ["done"]


def test_posix_aio_of_data_that_was_queued() -> None:
    """The helper's pread64 that says ESPIPE does not say that the socket was empty."""
    trace = Trace().add(Kind.THREAD, 50, tid=HELPER, result=TID).ready(60).ready(70)
    for at in (100, 200):
        trace.aio_read(at).call("pread64", at + 10, at + 15, ESPIPE, tid=HELPER).copy(
            at + 25, tid=HELPER
        )
        trace.call("read", at + 20, at + 30, 64, tid=HELPER).signal(
            SIGRTMIN, at + 35, at + 40, code=SI_ASYNCIO
        )
    first, second = analyse(trace)
    assert (first.raw.get("ready"), second.raw.get("ready")) == (60, 70)
    assert (first.queued, second.queued) == (40, 130)


# what was left behind, named, or told of otherwise

EPOLL, EPOLLIN = 9, 1


def edge_triggered(events: int = EPOLLIN | 1 << 31) -> Trace:
    return (
        Trace()
        .call("epoll_ctl", 3, 4, 0, fd=EPOLL, arg=1)
        .args("epoll_ctl", 4, 1, FD, first=EPOLL, fourth=events)
    )


@pytest.mark.parametrize("flag", [1 << 31, 1 << 30])
def test_a_sleep_in_edge_triggered_epoll_does_not_say_that_the_socket_is_empty(flag: int) -> None:
    trace = edge_triggered(EPOLLIN | flag).ready(10).ready(11)
    trace.call("epoll_wait", 20, 22, 1, fd=EPOLL).call("recvfrom", 23, 25, 64)
    trace.sleep(32, 100, 105).ready(99).call("epoll_wait", 30, 110, 1, fd=EPOLL).call(
        "recvfrom", 111, 115, 64
    )
    first, second = analyse(trace)
    assert (first.raw["ready"], second.raw["ready"]) == (10, 11)
    assert second.queued == 30 - 11 and second.fell_asleep == 30


def test_a_sleep_in_level_triggered_epoll_does() -> None:
    trace = edge_triggered(EPOLLIN).ready(10).ready(11)
    trace.call("epoll_wait", 20, 22, 1, fd=EPOLL).call("recvfrom", 23, 25, 64)
    trace.sleep(32, 100, 105).ready(99).call("epoll_wait", 30, 110, 1, fd=EPOLL).call(
        "recvfrom", 111, 115, 64
    )
    assert analyse(trace)[1].ready == 99


@pytest.mark.parametrize(("named", "handled"), [(FD, True), (FD, False), (FD + 1, False)])
def test_a_signal_set_with_f_setsig_names_its_descriptor(named: int, handled: bool) -> None:
    number = SIGRTMIN + 1
    trace = Trace().ready(50).add(Kind.SIGNAL_GENERATE, 51, fd=number, arg=1, start=named)
    if handled:
        trace.add(Kind.SIGNAL_DELIVER, 60, fd=number, arg=1, start=1, result=named)
    else:
        trace.sleep(20, 52, 58).call("rt_sigtimedwait", 10, 60, number)
    op = only(trace.call("recvfrom", 70, 75, 64))
    assert (op.wait_kind, op.raw["told"], op.named, op.by_sigwait) == (
        "signal",
        60,
        named == FD,
        not handled,
    )


def test_plain_sigio_names_nothing() -> None:
    assert not only(Trace().ready(50).signal(SIGIO, 51, 60).call("recvfrom", 70, 75, 64)).named


def helped() -> Trace:
    """An aio_read whose helper thread has received at 110."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=TID, fd=TID).aio_read(10)
    return trace.sleep(30, 101, 105, tid=HELPER).ready(100).call("read", 20, 110, 64, tid=HELPER)


def test_aio_read_told_by_a_new_thread() -> None:
    trace = (
        helped()
        .add(Kind.THREAD, 115, tid=102, result=TID, fd=HELPER)
        .add(Kind.SWITCH_IN, 120, tid=102)
    )
    op = only(trace.call("gettid", 130, 131, 102, tid=102).call("getpid", 140, 141, TID))
    assert (op.done, op.completion_kind, "done" in op.estimated) == (120, BY_THREAD, False)


def test_aio_read_told_by_the_first_thread_that_is_born_at_all() -> None:
    trace = Trace().add(Kind.START, 3, tid=HELPER, result=TID, start=2).aio_read(10)
    trace.call("read", 20, 110, 64, tid=HELPER).add(
        Kind.THREAD, 115, tid=102, result=TID, fd=HELPER
    )
    op = only(trace.add(Kind.SWITCH_IN, 120, tid=102).call("gettid", 130, 131, 102, tid=102))
    assert (op.done, op.completion_kind) == (120, BY_THREAD)


def test_aio_suspend_before_the_aio_read_was_for_another() -> None:
    trace = helped().add(Kind.LIBRARY, 8, nr=2, arg=1).sleep(43, 113, 118)
    op = only(trace.call("futex", 42, 120, 0, fd=0x4000, arg=137))
    assert (op.done, op.completion_kind, "done" in op.estimated) == (110, 0, True)


def test_data_that_came_as_aio_suspend_began_to_wait() -> None:
    trace = helped().add(Kind.LIBRARY, 109, nr=2, arg=1)
    op = only(trace.call("futex", 110, 120, 0, fd=0x4000, arg=137))
    assert (op.done, op.completion_kind, "done" in op.estimated) == (120, BY_SUSPEND, False)


def test_aio_read_told_in_aio_suspend() -> None:
    trace = helped().add(Kind.LIBRARY, 40, nr=2, arg=1).sleep(43, 113, 118)
    op = only(trace.call("futex", 42, 120, 0, fd=0x4000, arg=137))
    assert (op.done, op.completion_kind, "done" in op.estimated) == (120, BY_SUSPEND, False)


def test_aio_suspend_called_when_all_is_done() -> None:
    op = only(helped().add(Kind.LIBRARY, 140, nr=2, arg=1).call("getpid", 150, 151, TID))
    assert (op.done, op.completion_kind, "done" in op.estimated) == (140, BY_SUSPEND, True)


def test_a_futex_that_is_not_aio_suspends_tells_nothing() -> None:
    op = only(helped().sleep(43, 113, 118).call("futex", 42, 120, 0, fd=0x4000, arg=137))
    assert (op.done, op.completion_kind) == (110, 0) and "done" in op.estimated


def test_without_readiness_a_signal_tells_when_it_was_sent() -> None:
    """A pipe has no sk_data_ready: what sent the signal did so when the data came."""
    trace = (
        Trace(PIPE)
        .call("read", 100, 105, EAGAIN)
        .signal(SIGIO, 205, 215)
        .call("read", 230, 240, 64)
    )
    trace.call("read", 245, 250, EAGAIN).signal(SIGIO, 243, 255).call(
        "read", 300, 310, 64
    )  # sent before that look
    assert [(op.ready, "ready" in op.estimated) for op in analyse(trace)] == [
        (205, True),
        (300, True),
    ]
