"""tracer/analysis/counts/syscall_stats.py: calls by name on generated traces, however a batch is cut."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records_builder import TID, Trace
from support.reports import built

from tracer.kernel import syscalls
from tracer.recording.records import SAYS_TRAPPED, Kind

NUMBERS = st.sampled_from([0, 39, 45, 500, 0x3FFF, 0x4000, 0x7FFF, 0x8003, 0x1002D, 0x4000002D])
CALLS = st.lists(
    st.tuples(
        NUMBERS,
        st.booleans(),
        st.sampled_from(["call", "refused", "trapped"]),
        st.sampled_from([0, 7, -1, -11, 0x1002D]),
    ),
    max_size=40,
)


def unentered(trace: Trace, time: int, nr: int, result: int, arg: int = 0, says: int = 0) -> Trace:
    return trace.add(Kind.UNENTERED, time, start=says, result=result, nr=nr, fd=1, arg=arg)


def rows(trace: Trace, cuts: int = 1, **facts: object) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in built(trace, cuts, **facts)["syscalls"]}


@given(CALLS, st.integers(1, 5))
def test_every_call_is_counted_under_its_name(made, cuts):
    trace, wanted = Trace(), Counter()
    for place, (number, compat, how, result) in enumerate(made):
        time, (nr, arg) = 100 + 10 * place, syscalls.coded(number, compat)
        name = syscalls.name_of(nr, arg)
        wanted[name, "calls"] += 1
        wanted[name, "unentered"] += how != "call"
        wanted[name, "trapped"] += how == "trapped"
        if how == "call":
            trace.add(Kind.CALL, time, start=time - 3, result=result, nr=nr, arg=arg)
            wanted[name, "total_ns"] += 3
        else:
            unentered(trace, time, nr, result, arg, SAYS_TRAPPED if how == "trapped" else 0)
        if -4095 <= result < 0 and how != "trapped":
            wanted[name, syscalls.error_name(result)] += 1
    found = Counter()
    for name, row in rows(trace, cuts).items():
        found.update(
            {(name, key): row[key] for key in ("calls", "unentered", "trapped", "total_ns")}
        )
        found.update({(name, error): count for error, count in row["errors"].items()})
    assert +found == +wanted


def test_a_refused_call_has_no_times_and_a_trapped_one_no_result():
    trace = Trace().call("getppid", 100, 150, 7)
    nr = syscalls.numbers()
    for i in range(5):
        unentered(trace, 200 + i, nr["getppid"], -1)
        unentered(trace, 300 + i, nr["getuid"], nr["getuid"], says=SAYS_TRAPPED)
    report = built(trace, ledger={"counted": 0, "unentered": 10})
    calls = {row["name"]: row for row in report["syscalls"]}
    assert (calls["getppid"]["calls"], calls["getppid"]["max_ns"]) == (6, 50)
    assert calls["getppid"]["errors"] == {"EPERM": 5} and calls["getppid"]["unentered"] == 5
    assert calls["getuid"]["trapped"] == calls["getuid"]["unentered"] == 5
    assert calls["getuid"]["errors"] == {} and calls["getuid"]["total_ns"] == 0
    assert [thread["tid"] for thread in report["threads"]] == [TID]


@pytest.mark.parametrize("kind", [Kind.CALL, Kind.UNENTERED])
def test_both_edges_of_the_window_are_inside(kind):
    trace = Trace()
    for time in (99, 100, 150, 200, 201):
        trace.add(kind, time, start=90, nr=39)
    assert rows(trace, window_ns=[100, 200])["getpid"]["calls"] == 3
