"""What a report says of processes and descriptors: tracer/report/program.py and what it puts together."""

from __future__ import annotations

import numpy as np
import pytest
from support.records_builder import EAGAIN, FD, FILE, INODE, TID, Trace
from support.reports import US, built, two_processes

from tracer.analysis.tables.group_sum import GroupSum
from tracer.kernel.syscalls import numbers
from tracer.output.terminal.report import render
from tracer.recording.records import Kind


def test_sums() -> None:
    sums = GroupSum(2, 2)
    for _ in range(3):
        sums.add(
            (np.array([2, 1, 2]), np.array([5, 5, 5])),
            (np.array([1, 10, 100]), np.array([1, 1, 1])),
        )
    sums.add((np.empty(0), np.empty(0)), (np.empty(0), np.empty(0)))
    keys, values = sums.result()
    assert keys.tolist() == [[1, 5], [2, 5]] and values.tolist() == [[30, 3], [303, 6]]


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("futex", "waiting for futexes"),
        ("wait4", "waiting for children"),
        ("clock_nanosleep", "waiting for time"),
        ("recvfrom", "waiting for data"),
    ],
)
def test_a_program_that_mostly_waits_is_told_what_for(call: str, wanted: str) -> None:
    trace = Trace().sleep(1000, 900_000, 910_000).call(call, 500, 920_000, 0)
    its = built(trace)["activity"]
    assert its["mostly"] == wanted and its["share"] > 0.9
    assert sum(its["times_ns"].values()) == 919_999  # the thread's whole life


def test_a_call_that_never_returned_counts_too() -> None:
    trace = (
        Trace()
        .sleep(1000, None, None)
        .add(Kind.OPEN, 900_000, start=500, nr=numbers()["futex"], fd=-1)
    )
    trace.call("getpid", 10, 20, 1)
    its = built(trace)["activity"]
    assert its["mostly"] == "waiting for futexes"


def test_a_program_that_computes() -> None:
    its = built(Trace().call("getpid", 10, 20, 1).call("getpid", 900_000, 900_010, 1))
    assert its["activity"]["mostly"] == "computing" and its["model"]["name"] == "none"
    text = render(its | {"window_ns": [0, 900_010]}, width=80)
    assert "held back   CPU: it computes" in text and "computing, no I/O model" in text


def test_an_idle_thread_does_not_hide_the_others() -> None:
    trace = Trace().add(Kind.START, 1, tid=TID + 1, result=TID).sleep(1, None, None, tid=TID + 1)
    trace.call("getpid", 10, 20, 1).call("getpid", 900_000, 900_010, 1)
    its = built(trace)["processes"][0]
    assert its["threads"] == 2 and its["activity"]["idle_threads"] == 1
    assert its["activity"]["mostly"] == "computing"


def test_what_was_asked_before_we_came_is_estimated() -> None:
    trace = Trace().add(Kind.START, 5, start=5, result=TID, arg=77).sleep(5, 900, 950)
    trace.call("recvfrom", 5, 1000, 64).sleep(1200, 1300, 1310).call("recvfrom", 1100, 1400, 64)
    assert ["ask" in op["estimated"] for op in built(trace)["operations"]] == [True, False]


def test_each_process_has_its_own_verdict() -> None:
    its = built(two_processes())
    assert {p["tgid"]: (p["model"]["name"], p["operations"]) for p in its["processes"]} == {
        TID: ("blocking", 10),
        200: ("nonblocking", 10),
    }
    assert its["model"]["name"] == "mixed" and set(its["model"]["time_shares"]) == {
        "blocking",
        "nonblocking",
    }
    assert sum(its["model"]["time_shares"].values()) == pytest.approx(1, abs=0.001)
    assert built(two_processes(), 5)["processes"] == its["processes"]
    assert max(map(len, render(its, width=80).splitlines())) <= 80


def test_threads_of_one_name_are_a_group() -> None:
    trace = two_processes().add(Kind.THREAD, 3, tid=201, fd=200, result=200)
    for tid, name in ((200, b"main"), (201, b"worker")):
        trace.add(Kind.NAME, 5, tid=tid, start=int.from_bytes(name.ljust(8, b"\0"), "little"))
    groups = next(p for p in built(trace)["processes"] if p["tgid"] == 200)["groups"]
    assert {g["name"]: (g["threads"], g["operations"]) for g in groups} == {
        "main": (1, 10),
        "worker": (1, 0),
    }


def test_descriptors() -> None:
    trace = two_processes().call("sendto", 2_000 * US, 2_010 * US, 64)
    trace.sleep(2_101 * US, 2_150 * US, 2_160 * US).call("sendto", 2_100 * US, 2_170 * US, 64)
    trace.call("sendto", 2_200 * US, 2_201 * US, EAGAIN)
    its = built(trace)
    mine = next(d for d in its["descriptors"] if d["tgid"] == TID)
    assert (mine["fd"], mine["inode"], mine["file"]) == (FD, INODE, f"socket:[{INODE}]")
    assert (mine["receives"], mine["received_bytes"], mine["sends"], mine["sent_bytes"]) == (
        10,
        640,
        2,
        128,
    )
    assert (mine["sends_blocked"], mine["send_again"], mine["send_slept_ns"]) == (1, 1, 59 * US)
    assert mine["wait_ns"] + mine["notice_ns"] + mine["copy_ns"] == sum(
        op["done_ns"] - op["ask_ns"] for op in its["operations"] if op["fd"] == FD
    )
    other = next(d for d in its["descriptors"] if d["tgid"] == 200)
    assert other["receive_again"] == 10 and other["received_bytes"] == 80


def test_accepts_and_connects() -> None:
    trace = (
        Trace()
        .call("accept4", 10, 20, 9)
        .call("accept4", 30, 40, EAGAIN)
        .call("connect", 50, 60, -115, fd=7)
    )
    its = {d["fd"]: d for d in built(trace)["descriptors"]}
    assert (its[FD]["accepts"], its[FD]["accept_again"], its[7]["connects"]) == (1, 1, 1)
    text = render(built(trace), width=80)
    assert "1 connection accepted, 1 connection made" in text


def test_who_woke_it() -> None:
    trace = Trace().call("getpid", 10, 20, 1)
    for i, waker in enumerate((7, 7, 0)):
        trace.add(Kind.WAKING, 100 + i, fd=waker)
    wakers = built(trace, comms={"7": "sender"})["processes"][0]["wakers"]
    assert wakers == [
        {"tid": 7, "name": "sender", "count": 2},
        {"tid": 0, "name": "interrupt", "count": 1},
    ]


def test_what_is_read_from_a_file_is_no_operation_but_a_use() -> None:
    its = built(Trace(FILE).call("read", 10, 20, 100, arg=100))
    assert list(its["operations"]) == [] and its["descriptors"][0]["receives"] == 1


def test_the_cost_is_an_estimate() -> None:
    its = built(Trace().call("getpid", 10, 20, 1), event_cost_ns=300.0, ledger={"counted": 10})[
        "cost"
    ]
    assert (
        its["estimate"] is True
        and its["total_ns"] == 300 * its["events"] > 0
        and its["ratio"] is None
    )
