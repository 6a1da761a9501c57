"""tracer/analysis/counts/fd_usage.py: what each call and each request moves, at the file that it moves from or to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.analysing import results_of
from support.records_builder import EAGAIN, FD, PIPE, TID, Trace

from tracer.analysis.counts import file_kinds
from tracer.analysis.counts.fd_usage import DescriptorUsage
from tracer.analysis.counts.file_kinds import Reads
from tracer.analysis.counts.usage_values import SYSV_QUEUE
from tracer.analysis.identity.open_files import FileKind
from tracer.recording.records import Kind

SOCKET, READ_END, WRITE_END, SOURCE, TARGET = 3, 5, 6, 7, 8
MSG_PEEK, MSG_ERRQUEUE = 2, 0x2000
WRONLY = 1
EMPTY = (0, 0, 0, 0)
IN = ("receives", "received_messages", "received_bytes", "looks")
OUT = ("sends", "sent_messages", "sent_bytes")


def program() -> Trace:
    """A process with two sockets, a pipe and two files."""
    trace = Trace()
    for fd, inode, mode, flags in (
        (SOCKET, 30, 0o140777, 2),
        (READ_END, 50, PIPE, 0),
        (WRITE_END, 50, PIPE, WRONLY),
        (SOURCE, 70, 0o100644, 0),
        (TARGET, 80, 0o100644, 2),
    ):
        trace.add(Kind.DESCRIPTOR, 3, start=inode, fd=fd, arg=mode, result=flags)
    return trace


def used(trace: Trace, count: int = 1, **window: Any) -> dict[int, dict[str, int]]:
    """Descriptor → what is not 0 of its counts."""
    usage = results_of(trace.records(), DescriptorUsage, count=count, **window)[DescriptorUsage]
    names = list(usage.values)
    rows = np.stack([usage.values[name] for name in names], axis=1).tolist()
    found: dict[int, dict[str, int]] = {}
    for (_, fd, _), row in zip(usage.keys.tolist(), rows, strict=True):
        assert fd not in found
        counts = {name: value for name, value in zip(names, row, strict=True) if value}
        counts.pop("calls_ns", None)
        found[fd] = counts
    return found


def moved(count: int, size: int, verb: str, calls: str) -> dict[str, int]:
    return {calls: count, f"{verb}_messages": count, f"{verb}_bytes": size}


def received(count: int, size: int) -> dict[str, int]:
    return moved(count, size, "received", "receives")


def sent(count: int, size: int) -> dict[str, int]:
    return moved(count, size, "sent", "sends")


@pytest.mark.parametrize(
    ("call", "fd", "second", "wanted"),
    [
        ("splice", FD, WRITE_END, {FD: received(1, 64), WRITE_END: sent(1, 64)}),
        ("splice", READ_END, FD, {READ_END: received(1, 64), FD: sent(1, 64)}),
        ("tee", READ_END, WRITE_END, {READ_END: {"looks": 1}, WRITE_END: sent(1, 64)}),
        ("sendfile", FD, SOURCE, {FD: sent(1, 64), SOURCE: received(1, 64)}),
        ("copy_file_range", SOURCE, TARGET, {SOURCE: received(1, 64), TARGET: sent(1, 64)}),
        ("vmsplice", READ_END, 0, {READ_END: received(1, 64)}),
        ("vmsplice", WRITE_END, 0, {WRITE_END: sent(1, 64)}),
        ("mq_timedreceive", TARGET, 0, {TARGET: received(1, 64)}),
    ],
)
@pytest.mark.parametrize("batches", [1, 2])
def test_what_a_call_moves_counts_at_both_files(
    call: str, fd: int, second: int, wanted: dict[int, dict[str, int]], batches: int
) -> None:
    assert used(program().call(call, 100, 110, 64, fd=fd, arg=second), batches) == wanted


@pytest.mark.parametrize("call", ["mq_timedsend", "msgsnd"])
def test_a_message_that_is_sent_to_a_queue_has_the_length_that_was_given(call: str) -> None:
    fd = TARGET if call == "mq_timedsend" else SYSV_QUEUE
    trace = program().call(call, 100, 110, 0, fd=TARGET, arg=50)
    assert used(trace.call(call, 120, 130, EAGAIN, fd=TARGET, arg=50)) == {
        fd: sent(1, 50) | {"send_again": 1}
    }


def test_a_message_without_content_is_one() -> None:
    trace = program().call("msgrcv", 100, 110, 0, fd=0).call("msgrcv", 120, 130, 30, fd=0)
    assert used(trace) == {SYSV_QUEUE: received(2, 30)}
    usage = results_of(trace.records(), DescriptorUsage)[DescriptorUsage]
    assert usage.keys.tolist() == [[TID, SYSV_QUEUE, 1]] and usage.kind.tolist() == [
        FileKind.MQUEUE
    ]


@pytest.mark.parametrize(("call", "flags"), [("recvfrom", MSG_PEEK), ("recvmsg", MSG_ERRQUEUE)])
def test_what_is_looked_at_is_not_received(call: str, flags: int) -> None:
    trace = program()
    for at in range(100, 500, 100):
        trace.call(call, at, at + 10, 1, arg=flags).call(call, at + 20, at + 30, 64)
    assert used(trace) == {FD: received(4, 256) | {"looks": 4}}


def mmsg(trace: Trace, call: str, at: int, count: int, told: int, flags: int = 0) -> Trace:
    trace.messages(call, at + 10, told, 50 * told, flags)
    return trace.call(call, at, at + 10, count, arg=8)


@pytest.mark.parametrize("batches", range(1, 6))
def test_messages_and_their_bytes(batches: int) -> None:
    trace = mmsg(mmsg(program(), "recvmmsg", 100, 8, 8), "sendmmsg", 200, 5, 5)
    trace = mmsg(trace, "recvmmsg", 300, 3, 3, MSG_PEEK)
    assert used(trace, batches) == {
        FD: {
            "receives": 1,
            "received_messages": 8,
            "received_bytes": 400,
            "looks": 1,
            "sends": 1,
            "sent_messages": 5,
            "sent_bytes": 250,
        }
    }


def test_messages_whose_bytes_are_not_known_are_marked() -> None:
    trace = mmsg(program(), "recvmmsg", 100, 8, 6).call("recvmmsg", 200, 210, 3)
    assert used(trace.call("sendmmsg", 300, 310, 4)) == {
        FD: {
            "receives": 2,
            "received_messages": 11,
            "received_bytes": 300,
            "received_unmeasured": 5,
            "sends": 1,
            "sent_messages": 4,
            "sent_unmeasured": 4,
        }
    }


def test_who_lacks_room_waits_to_send() -> None:
    """From a pipe to a socket: the data is there, and the socket is full."""
    trace = program().call("splice", 100, 110, EAGAIN, fd=READ_END, arg=FD)
    trace.sleep(210, 250, 260).call("splice", 200, 270, 64, fd=READ_END, arg=FD)
    found = used(trace)
    assert found[FD] == sent(1, 64) | {"send_again": 1, "sends_blocked": 1, "send_slept_ns": 50}
    assert found[READ_END] == received(1, 64)


def test_who_lacks_data_waits_to_receive() -> None:
    trace = program().call("splice", 100, 110, EAGAIN, arg=WRITE_END)
    trace.sleep(210, 250, 260).call("splice", 200, 270, 64, arg=WRITE_END)
    assert used(trace) == {
        FD: received(1, 64) | {"receive_again": 1, "again_runs": 1, "receive_slept_ns": 50},
        WRITE_END: sent(1, 64),
    }


# io_uring and native AIO


def uring(
    trace: Trace, at: int, opcode: int, results: list[int], *, fd: int = FD, flags: int = 0
) -> Trace:
    """A request that is completed so often, each but the last time with IORING_CQE_F_MORE."""
    trace.add(Kind.URING_SUBMIT, at, start=at, result=at, nr=opcode, fd=fd, arg=flags)
    for i, result in enumerate(results):
        more = 2 * (i < len(results) - 1)
        address = 0 if more else at
        trace.add(Kind.URING_COMPLETE, at + 1 + i, start=address, result=at, fd=result, arg=more)
    return trace


@pytest.mark.parametrize(
    ("opcode", "results", "wanted"),
    [
        *[(opcode, [64], received(1, 64)) for opcode in (1, 4, 10, 22, 27, 58)],
        *[(opcode, [64], sent(1, 64)) for opcode in (2, 5, 9, 23, 26, 30, 33, 47, 48, 60)],
        (49, [64, 32, 16], received(3, 112)),
        (13, [9], {"accepts": 1}),
        (13, [9, 10, 11, EAGAIN], {"accepts": 3, "accept_again": 1}),
        (16, [0], {"connects": 1}),
        (16, [-111], {}),
        (27, [EAGAIN], {"receive_again": 1}),
        (26, [EAGAIN], {"send_again": 1}),
        (11, [0], {}),
        (6, [1], {}),
    ],
)
def test_requests_of_io_uring_count_by_what_they_ask(
    opcode: int, results: list[int], wanted: dict[str, int]
) -> None:
    assert used(uring(program(), 100, opcode, results)) == ({FD: wanted} if wanted else {})


def test_memory_that_is_free_again_is_no_second_send() -> None:
    trace = program().add(Kind.URING_SUBMIT, 100, start=1, result=5, nr=47, fd=FD)
    trace.add(Kind.URING_COMPLETE, 101, start=1, result=5, fd=64, arg=2)
    trace.add(Kind.URING_COMPLETE, 109, start=1, result=5, fd=1 << 30, arg=8)
    assert used(trace) == {FD: sent(1, 64)}


def test_a_registered_file_is_that_of_its_own_request() -> None:
    """Of two requests at one address the second has no record of its file: it has not that of the first."""
    trace = program().add(Kind.URING_SUBMIT, 100, start=1, result=5, nr=22, fd=0, arg=1)
    trace.add(Kind.URING_FILE, 104, start=1, result=70, arg=0o100644)
    trace.add(Kind.URING_COMPLETE, 105, start=1, result=5, fd=64)
    trace.add(Kind.URING_SUBMIT, 200, start=1, result=6, nr=22, fd=0, arg=1)
    trace.add(Kind.URING_COMPLETE, 205, start=1, result=6, fd=32)
    usage = results_of(trace.records(), DescriptorUsage)[DescriptorUsage]
    rows = dict(
        zip(map(tuple, usage.keys.tolist()), usage.values["received_bytes"].tolist(), strict=True)
    )
    assert rows == {(TID, -1, 70): 64, (TID, -1, 0): 32}


def test_native_aio_counts_both_ways() -> None:
    trace = program()
    for at, opcode, result in ((100, 0, 64), (200, 1, 32), (300, 7, 16), (400, 8, 8), (500, 2, 0)):
        trace.add(Kind.AIO_SUBMIT, at, start=at, result=64, nr=opcode, fd=SOURCE)
        trace.add(Kind.AIO_EVENT, at + 50, start=at, result=result)
    assert used(trace) == {SOURCE: received(2, 80) | sent(2, 40)}


def test_what_is_completed_outside_the_window_does_not_count() -> None:
    trace = uring(uring(program(), 100, 26, [64]), 200, 26, [32])
    assert used(trace, window=(150, 300)) == {FD: sent(1, 32)}


# what else is read


@pytest.mark.parametrize(
    ("kind", "fd", "words"),
    [
        (FileKind.TIMERFD, 3, "timers (timerfd)"),
        (FileKind.TERMINAL, 3, "terminals"),
        (FileKind.MQUEUE, 3, "POSIX message queues"),
        (FileKind.MQUEUE, SYSV_QUEUE, "SysV message queues"),
        (FileKind.IO_URING, 3, "other descriptors"),
    ],
)
def test_what_is_read_has_a_kind(kind: FileKind, fd: int, words: str) -> None:
    assert file_kinds.words(kind, fd) == words


def test_other_reads_are_added_up_by_kind() -> None:
    keys = np.array([[1, 3, 9], [1, 4, 9], [1, 5, 8], [2, 3, 7], [1, 6, 6]])
    kinds = np.array(
        [
            *(FileKind.EVENTFD, FileKind.EVENTFD, FileKind.TERMINAL),
            *(FileKind.SOCKET, FileKind.REGULAR),
        ]
    )
    calls = np.array([2, 3, 1, 4, 5])
    found = file_kinds.other_reads(keys, kinds, calls, calls * 8)
    assert found == {1: (Reads("eventfds", 5, 40), Reads("terminals", 1, 8))}
