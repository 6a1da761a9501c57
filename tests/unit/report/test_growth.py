"""How the report's work grows with the number of processes and threads: not with its square, whatever a clock says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.counting import Counted, Walked, WalkedDict, counted, work

from tracer.analysis.counts import locks
from tracer.analysis.counts.fd_usage import VALUES, FdUsage
from tracer.analysis.counts.lock_owners import Owners
from tracer.analysis.identity.open_files import FileKind
from tracer.analysis.operations import during_wait
from tracer.analysis.operations.table import BLOCKED, POLLED, Operations, of_columns
from tracer.analysis.operations.waits_inside import no_waits
from tracer.analysis.tables.table import names_of
from tracer.analysis.threads.absences import OffCpuTimes
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.analysis.threads.timeline import OffCpu
from tracer.analysis.verdict import advice, io_model
from tracer.analysis.verdict.context import io_of_processes
from tracer.report import processes

SMALL, TIMES = 100, 4
EACH = 12  # operations of a process
GROWTH = 1.2 * TIMES  # the square would be TIMES² = 16


def operations(count: int, wait_kind: int = BLOCKED) -> Operations:
    """EACH of each of `count` processes of one thread."""
    number = np.arange(count * EACH)
    ask = number * 1_000_000
    columns = dict.fromkeys(names_of(Operations), np.zeros(len(number), np.int64))
    columns |= {
        "tid": 1000 + number % count,
        "tgid": 1000 + number % count,
        "fd": number % count,
        "inode": number % count,
        "wait_kind": number * 0 + wait_kind,
        "ask": ask,
        "ready": ask + 200_000,
        "told": ask + 800_000,
        "copy_start": ask + 810_000,
        "copy_end": ask + 820_000,
        "done": ask + 820_000,
    }
    table: Operations = counted(of_columns(columns))  # type: ignore[assignment]  # as it was
    return table


def times(count: int) -> Walked:
    return Walked(
        ThreadTimes(1000 + i, 1000 + i, "x", i, i + 100, 40, 10, 20, 30, 1, 1) for i in range(count)
    )


def threads(count: int) -> processes.Threads:
    wakers = {1000 + i: {1000 + (i + 1) % count: 3} for i in range(count)}
    return processes.Threads(times(count), {}, {}, wakers, {}, {}, {}, {})


def used(count: int, kind: int = FileKind.REGULAR, **values: int) -> FdUsage:
    keys = np.stack([1000 + np.arange(count), np.arange(count), np.arange(count)], axis=1)
    columns: dict[str, np.ndarray] = {
        name: np.full(count, values.get(name, 0)).view(Counted) for name in VALUES
    }
    modes, kinds = (np.full(count, value).view(Counted) for value in (0o100644, int(kind)))
    return FdUsage(keys.view(Counted), modes, kinds, columns)


def seen(count: int, wait_kind: int = BLOCKED, **values: int) -> advice.ProgramIo:
    files = WalkedDict({(1000 + i, i, i): "x" for i in range(count)})
    scans = [
        {
            "tgid": 1000 + i,
            "fd": i,
            "call": "epoll_wait",
            "calls": 50,
            "repeated": 50,
            "repeated_ns": 1,
        }
        for i in range(count)
    ]
    return advice.ProgramIo(
        operations(count, wait_kind),
        used(count, **values),
        files,
        scans,
        {},
        {},
        OffCpuTimes(away(operations(count))),
    )


def listing(count: int) -> Callable[[], list[dict[str, Any]]]:
    its = operations(count)
    return lambda: processes.listed(
        threads(count),
        its,
        np.zeros(len(its), np.int64).view(Counted),
        {},
        {},
        0,
        np.zeros(len(its), bool).view(Counted),
    )


def away(its: Operations) -> OffCpu:
    out = np.asarray(its.ask)
    return OffCpu(
        its.tid,
        *(column.view(Counted) for column in (out + 10, out + 100, out + 200, out < 0, out < 0)),
    )


def waiting(count: int) -> Callable[[], dict[str, Any]]:
    its = operations(count)
    return lambda: during_wait.waiting(its, no_waits(), OffCpuTimes(away(its)))


def futexes(count: int) -> Callable[[], list[dict[str, Any]]]:
    number = np.arange(count * EACH)
    none = np.zeros(len(number), np.int64)
    columns = (number % count << 32, number, none, none, number, number + 1, number + 2)
    columns += (none + 1, none + 1)
    calls = locks._FutexCalls(*(column.view(Counted) for column in columns))
    return lambda: locks._locks(calls, Owners())


@pytest.mark.parametrize(
    "made",
    [
        listing,
        waiting,
        futexes,
        lambda count: partial(io_of_processes, used(count, receives=3)),
        lambda count: partial(io_of_processes, used(count, kind=FileKind.TERMINAL, receives=3)),
        lambda count: partial(advice._noticing, seen(count)),
        lambda count: partial(
            advice._polling, seen(count, POLLED, receive_again=1000, again_runs=1)
        ),
    ],
    ids=["processes", "waiting", "futexes", "moved", "read", "noticing", "polling"],
)
def test_work_does_not_grow_with_the_square(made: Any) -> None:
    small, large = (work(made(count)) for count in (SMALL, TIMES * SMALL))
    assert small > SMALL and large <= GROWTH * small


def test_each_rule_and_list_has_its_say_at_that_size() -> None:
    assert len(listing(SMALL)()) == SMALL and len(futexes(SMALL)()) == 16
    assert len(advice._noticing(seen(SMALL))) == len(advice._repeated(seen(SMALL))) == SMALL
    assert len(advice._polling(seen(SMALL, POLLED, receive_again=1000, again_runs=1))) == SMALL
    assert waiting(SMALL)()["asleep_ns"] == SMALL * EACH * 90
    assert io_of_processes(used(SMALL, receives=3))[1000].files == 3
    terminals = io_of_processes(used(SMALL, kind=FileKind.TERMINAL, receives=3))
    assert terminals[1000].reads == (("terminals", 3, 0),)
    assert io_model.judge(operations(SMALL), np.zeros(SMALL * EACH, np.int64)).name == "blocking"


def test_names_are_put_together_once() -> None:
    its = threads(SMALL)
    none, outside = np.zeros(SMALL * EACH, np.int64), np.zeros(SMALL * EACH, bool)
    found = processes.listed(its, operations(SMALL), none, {}, {}, 0, outside)
    assert all(process["wakers"][0]["name"] == "x" for process in found)
    assert (
        isinstance(its.times, Walked) and its.times.times == 2
    )  # for the processes, and for the names


def test_files_are_gone_through_once_for_all_scans() -> None:
    its = seen(SMALL)
    assert advice._repeated(its) and isinstance(its.files, WalkedDict)
    assert its.files.times == 1
