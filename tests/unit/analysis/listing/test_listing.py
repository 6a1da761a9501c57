"""tracer/analysis/listing/listing.py and its renderer: the strace-like listing."""

from __future__ import annotations

import select
from typing import Any

import numpy as np
from support.records_builder import EAGAIN, FD, TID, Trace
from support.running import RECORDING, assert_one_line, iotrace

from tracer.analysis.listing.listing import events
from tracer.kernel import syscall_filter
from tracer.kernel.syscalls import coded, numbers
from tracer.output.listing import lines
from tracer.recording import parquet
from tracer.recording.records import SAYS_TRAPPED, Kind

FACTS = {"base_ns": 0}


def listing(trace: Trace, facts: dict[str, Any] = FACTS, **chosen: Any) -> list[str]:
    """What is listed, without the times."""
    return [
        line[25:].rpartition(" <")[0] or line[25:]
        for line in list(lines(events([trace.records()], facts, **chosen)))[1:]
    ]


def test_a_call_with_its_arguments_and_its_error() -> None:
    trace = Trace().call("recvfrom", 1_000_000, 3_500_000, EAGAIN, arg=0x40)
    text = list(lines(events([trace.records()], FACTS)))
    assert (
        text[-1]
        == f"{'1.000000':>14}  {TID:>7}  recvfrom({FD}<socket:[9000]>, flags=MSG_DONTWAIT) = "
        "-1 EAGAIN (Resource temporarily unavailable) <0.002500>"
    )


def test_what_a_set_up_call_was_given() -> None:
    trace = (
        Trace()
        .call("epoll_ctl", 10, 20, 0, fd=6)
        .args("epoll_ctl", 21, 1, FD, first=6, fourth=select.EPOLLIN | select.EPOLLET)
    )
    trace.call("epoll_ctl", 30, 40, 0, fd=6, arg=2)  # its arguments were lost
    assert listing(trace)[-2:] == [
        f"epoll_ctl(6, op=EPOLL_CTL_ADD, target={FD}, events=EPOLLIN|EPOLLET) = 0",
        "epoll_ctl(6, op=EPOLL_CTL_DEL) = 0",
    ]


def test_other_events() -> None:
    trace = (
        Trace()
        .signal(29, 5, 6)
        .add(Kind.THREAD, 7, tid=101, fd=TID, result=TID)
        .add(Kind.EXIT, 9, tid=101)
    )
    trace.add(Kind.OPEN, 99, start=50, nr=numbers()["read"], fd=FD)
    assert listing(trace) == [
        f"+++ started, process {TID} +++",
        "--- SIGIO {si_code=128} ---",
        f"+++ created by {TID} in process {TID} +++",
        "+++ exited +++",
        f"read({FD}<socket:[9000]>, count=0",
    ]


def test_a_call_that_was_entered_before_its_thread_was_adopted() -> None:
    trace = (
        Trace()
        .add(Kind.START, 5, start=5, result=TID, arg=77)
        .call("read", 5, 1005, 1)
        .call("read", 2000, 3000, 1)
    )
    text = [
        line.rpartition(" ")[2]
        for line in lines(events([trace.records()], FACTS))
        if "read(" in line
    ]
    assert text == ["<>0.000001>", "<0.000001>"]


def test_a_restarted_call_says_so() -> None:
    assert "ERESTARTSYS (to be restarted)" in listing(Trace().call("read", 5, 6, -512))[-1]
    assert "to be restarted" not in listing(Trace().call("ioctl", 5, 6, -515))[-1]


def test_choices() -> None:
    trace = (
        Trace().call("read", 5, 6, 1).call("write", 7, 8, 1, fd=9).call("getpid", 9, 10, 100, fd=FD)
    )
    assert [
        line.partition("(")[0] for line in listing(trace, calls=syscall_filter.parse("desc"))
    ] == ["read", "write"]
    assert [line.partition("(")[0] for line in listing(trace, fds=[FD])] == ["read"]
    assert [line.partition("(")[0] for line in listing(trace, paths=["socket:[9000]"])] == ["read"]
    assert listing(trace, paths=["socket:[1]"]) == []


def test_a_window_leaves_out_what_is_outside() -> None:
    trace = Trace().call("read", 5, 6, 1).call("read", 7, 8, 2).call("read", 9, 10, 3)
    assert [line[-1] for line in listing(trace, {"base_ns": 0, "window_ns": [8, 9]})] == ["2"]


def test_batches_part_nothing() -> None:
    trace = Trace()
    for i in range(3000):
        trace.call("epoll_ctl", 10 * i + 10, 10 * i + 15, 0, fd=6)
        trace.args("epoll_ctl", 10 * i + 16, 1, FD, first=6, fourth=1)
    records = trace.records()
    whole = list(events([records], FACTS))
    assert list(events(np.array_split(records, 7), FACTS)) == whole
    assert len(whole) == 3001 and all(len(event["arguments"]) == 4 for event in whole[1:])


def test_the_command() -> None:
    done = iotrace("report", RECORDING, "--events", "-e", "recvfrom")
    assert done.returncode == 0 and done.stderr == ""
    listed = done.stdout.splitlines()[1:]
    records = np.concatenate(list(parquet.read(str(RECORDING))))
    window = parquet.read_facts(str(RECORDING))["notes"]["window_ns"]
    inside = (records["time"] >= window[0]) & (records["time"] <= window[1])
    wanted = (records["kind"] == Kind.CALL) & (records["nr"] == numbers()["recvfrom"]) & inside
    assert len(listed) == wanted.sum() > 20 and all("recvfrom(" in line for line in listed)


def test_nonsense_is_wrong_usage() -> None:
    assert_one_line(iotrace("report", RECORDING, "-e", "read"), 2, "--events")
    assert_one_line(iotrace("report", RECORDING, "--events", "--json"), 2, "Parquet")
    assert_one_line(iotrace("report", RECORDING, "--events", "-e", "raed"), 2, "did you mean read?")


def test_a_call_without_an_entry_has_its_answer_and_no_duration() -> None:
    nr = numbers()
    trace = (
        Trace()
        .add(Kind.UNENTERED, 30, nr=nr["getppid"], result=-1)
        .add(Kind.UNENTERED, 40, start=SAYS_TRAPPED, nr=nr["getuid"], result=nr["getuid"])
        .add(Kind.UNENTERED, 50, nr=nr["close"], result=0, fd=FD)
    )
    assert [line[25:] for line in lines(events([trace.records()], FACTS))][-3:] == [
        "getppid(…) = -1 EPERM (Operation not permitted) <not entered: a filter or tracer answered>",
        "getuid(…) = ? <trapped by a filter: SIGSYS>",
        f"close({FD}<socket:[9000]>) = 0 <not entered: a filter or tracer answered>",
    ]
    (shown,) = events([trace.records()], FACTS, calls=[nr["getuid"]])
    assert shown["result"] is None and shown["duration_ns"] is None


def test_a_call_whose_number_no_table_knows_is_listed_by_its_number() -> None:
    trace = Trace()
    for place, (number, compat) in enumerate([(0x1002D, False), (0x4000002D, False), (3, True)]):
        nr, arg = coded(number, compat)
        trace.add(Kind.CALL, 20 + place, start=15, nr=nr, arg=arg, result=-38)
    assert [line.split(" = ")[0] for line in listing(trace)[-3:]] == [
        "syscall_0x1002d(…)",
        "x32:45(…)",
        "i386:3(…)",
    ]


def test_how_a_thread_ended() -> None:
    trace = Trace()
    for place, status in enumerate((-1, 0, 3 << 8, 31, 31 | 0x80, 40)):
        trace.add(Kind.EXIT, 20 + place, tid=101 + place, fd=status)
    assert listing(trace)[-6:] == [
        "+++ exited +++",  # as older recordings have it
        "+++ exited with 0 +++",
        "+++ exited with 3 +++",
        "+++ killed by SIGSYS +++",
        "+++ killed by SIGSYS (core dumped) +++",
        "+++ killed by SIGRTMIN+6 +++",
    ]
