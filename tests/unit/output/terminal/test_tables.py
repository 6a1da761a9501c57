"""tracer/output/terminal/tables.py and the sections beside it: phases, threads, calls, signals, lanes, locks."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len
from support.report_samples import MS, TID, sample

from tracer.output.terminal import tables
from tracer.output.terminal.lines import printed
from tracer.output.terminal.report import render
from tracer.output.units import duration


def test_phases_table_gives_all_seven_numbers() -> None:
    text = render(sample("blocking"))
    wait = next(line for line in text.splitlines() if line.startswith("wait "))
    phase = sample("blocking")["phases"]["wait"]
    for key in ("min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns", "total_ns"):
        assert duration(phase[key], fixed=True) in wait
    assert wait.split()[1] == "20" and wait.endswith("%")


def test_thread_states_and_cpu_use() -> None:
    text = render(sample("nonblocking"))
    line = next(line for line in text.splitlines() if line.startswith(str(TID)))
    assert "99.1%" in line and "118 ms" in line and "█" in line and "▓" in line and "·" not in line


def test_calls_show_errors_and_the_library_call_has_no_times() -> None:
    text = render(sample("nonblocking"))
    assert "246,920" in text and "EAGAIN 246,900" in text
    line = next(
        line for line in render(sample("posix-aio")).splitlines() if line.startswith("aio_read")
    )
    assert "20" in line and "a library call" in line and "ns" not in line


def test_calls_that_were_not_entered_are_shown_beside_the_dearest() -> None:
    dear = {"errors": {}, "unentered": 0, "trapped": 0, "total_ns": MS, "p50_ns": 1, "p99_ns": 1}
    calls = [{"name": f"call_{i}", "calls": 1, "max_ns": 1, **dear} for i in range(40)]
    none = dict.fromkeys(("total_ns", "p50_ns", "p99_ns", "max_ns"), 0)
    calls += [
        {"name": "getppid", "calls": 100, "errors": {"EPERM": 100}, "unentered": 100, **none},
        {"name": "getuid", "calls": 9, "errors": {}, "unentered": 9, "trapped": 9, **none},
        {"name": "i386:3", "abi_name": "read", "calls": 7, "errors": {}, "unentered": 7, **none},
    ]
    text = render(sample("blocking", syscalls=calls))
    assert re.search(r"^getppid +100 +(– +){4}EPERM 100, not entered\s+100$", text, re.M)
    assert re.search(r"^getuid +9 +(– +){4}trapped \(SIGSYS\) 9$", text, re.M)
    assert re.search(r"^i386:3 read +7 ", text, re.M)


def test_threads_that_a_signal_ended_are_named() -> None:
    report = sample("blocking")
    (thread,) = report["threads"]
    report["threads"] += [thread | {"tid": 500 + i, "killed_by": "SIGSYS"} for i in range(5)]
    text = " ".join(render(report).split())
    assert "killed by SIGSYS: " in text and " 502 and 2 threads more" in text
    assert "killed by" not in render(sample("blocking"))


def test_merged_signals_are_named() -> None:
    text = render(
        sample(
            "signal", signals=[{"name": "SIGIO", "generated": 500, "delivered": 286, "merged": 214}]
        )
    )
    assert "500" in text and "286" in text and "214 merged" in text


def test_large_numbers_still_fit() -> None:
    report = sample("nonblocking")
    for phase in report["phases"].values():
        phase.update(count=123_456_789, total_ns=987_654 * 10**9)
    report["threads"][0].update(tid=4_194_304, name="数据线程数据线程数据线程", blocked_ns=10**15)
    report["syscalls"][0].update(calls=10**12, errors={f"E{i}LONGNAME": 10**9 for i in range(6)})
    text = render(report)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "123,456,789" in text and "1,000,000,000,000" in text and "4194304" in text


# lanes, locks, wake-ups

LANES = {
    "pairs": [{"tids": [11, 12], "overlap_ns": 0, "possible_ns": 5 * MS}],
    "begin_ns": 7 * MS,
    "cell_ns": MS,
    "threads": [
        {"tid": 11, "on_cpu_ns": 9 * MS, "cpus": [0], "cells": [0] * 30 + [-2] * 30},
        {"tid": 12, "on_cpu_ns": 5 * MS, "cpus": [0, 11], "cells": [-1] * 30 + [11] * 30},
    ],
}


def test_lanes_show_who_had_which_cpu() -> None:
    text = render(sample("blocking", lanes=LANES))
    assert (
        "11          " + "0" * 30 + "░" * 30 in text
        and "12          " + "·" * 30 + "b" * 30 in text
    )
    assert "11 and 12 never ran at the same time" in text
    together = {**LANES, "pairs": [{"tids": [11, 12], "overlap_ns": 2 * MS, "possible_ns": 5 * MS}]}
    assert "in parallel, for 2 ms, 40.0%" in " ".join(
        render(sample("blocking", lanes=together)).split()
    )
    assert "On which CPU" not in render(sample("blocking", lanes=None))


def test_locks_say_who_waited_for_whom() -> None:
    word = {
        "address": "…00004000",
        "process": 11,
        "kind": "mutual exclusion",
        "waits": 5,
        "wakes": 9,
        "waited_ns": 9 * MS,
        "longest_ns": 4 * MS,
        "between": [
            {"waiter": 11, "waker": 12, "count": 3, "waited_ns": 6 * MS, "longest_ns": 4 * MS},
            {"waiter": 12, "waker": None, "count": 2, "waited_ns": 3 * MS, "longest_ns": 2 * MS},
        ],
    }
    small = {**word, "address": "…00005000", "waited_ns": MS // 10}
    text = render(sample("blocking", locks=[word, small]))
    assert "…00004000  mutual exclusion" in text and "…00005000" not in text
    assert re.search(r"3 +11 +12 +4 ms +6 ms", text) and re.search(r"2 +12 +\? +2 ms +3 ms", text)
    assert "Waits on futexes" not in render(sample("blocking", locks=[]))


def test_wake_ups_for_nothing_are_said() -> None:
    herd = {
        "call": "epoll_wait",
        "threads": 4,
        "returned": 26,
        "woken": 92,
        "slept_again": 60,
        "found_nothing": 6,
    }
    text = " ".join(render(sample("epoll-lt", wakeups=[herd])).split())
    assert "92 in 4 threads; 26 calls returned. 66 (71.7%) were for nothing: 60 slept again" in text
    assert "6 found EAGAIN" in text
    one = {**herd, "threads": 1, "slept_again": 0, "found_nothing": 0}
    assert "Wake-ups" not in render(sample("epoll-lt", wakeups=[one]))
    assert "None was for nothing" in render(sample("epoll-lt", wakeups=[{**one, "threads": 2}]))


def test_signals_taken_and_overflowed() -> None:
    text = render(
        sample(
            "signal",
            signals=[
                {
                    "name": "SIGIO",
                    "generated": 3,
                    "delivered": 0,
                    "taken": 3,
                    "merged": 8,
                    "overflowed": 0,
                },
                {
                    "name": "SIGRTMIN+1",
                    "generated": 12,
                    "delivered": 0,
                    "taken": 10,
                    "merged": 0,
                    "overflowed": 11,
                },
            ],
        )
    )
    assert re.search(r"SIGIO +3 +0 +3 +8 merged into a pending one", text)
    assert re.search(r"SIGRTMIN\+1 +12 +0 +10 +11 found the queue full, 2 not yet taken", text)


def test_rounds_without_messages_draw_no_operation() -> None:
    report = sample(
        "blocking", operations=[], figure=None, options={"proto": "none", "messages": 23}
    )
    text = render(report | {"scenario": "lock"})
    assert "23 rounds" in text and "No operation to draw" not in text and "Phases" not in text


@pytest.mark.parametrize(
    ("fetching_ns", "brief", "split"),
    [(0, False, False), (1, False, True), (40, True, False), (60, True, True)],
)
def test_notice_is_parted_where_the_program_was_told_and_came_later(
    fetching_ns: int, brief: bool, split: bool
) -> None:
    report = sample("epoll-lt")
    notice = report["phases"]["notice"]
    whole_ns = notice["total_ns"]
    report["phases"] |= {
        "waking": notice | {"total_ns": whole_ns * (100 - fetching_ns) // 100},
        "fetching": notice | {"total_ns": whole_ns * fetching_ns // 100},
    }
    rows = [
        line.split()[:2] for line in printed([tables.phases(report, 80, brief)], 80).splitlines()
    ]
    assert (["·", "fetching"] in rows) is split and (["·", "waking"] in rows) is split
