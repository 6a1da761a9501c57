"""tracer/analysis/operations/in_window.py: at a window's edges operations and the table of calls say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records_builder import HELPER, TID, Trace, aio
from support.reports import built

from tracer.recording.records import Kind


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=30, unique=True),
    st.integers(0, 600),
    st.integers(0, 1200),
    st.integers(1, 4),
)
def test_there_are_as_many_operations_as_receives_in_the_table(places, begin, length, cuts):
    trace = Trace()
    for place in places:
        trace.call("recvfrom", 10 * place, 10 * place + 7, 64)
    report = built(trace, cuts, window_ns=[begin, begin + length])
    calls = sum(row["calls"] for row in report["syscalls"])
    wanted = sum(begin <= 10 * place + 7 <= begin + length for place in places)
    assert len(report["operations"]) == calls == wanted
    assert sum(row["receives"] for row in report["descriptors"]) == wanted


@pytest.mark.parametrize(("end", "wanted"), [(1239, 0), (1240, 1), (1249, 1), (1250, 1)])
def test_a_completion_may_be_told_after_the_window_of_its_read(end, wanted):
    """The helper's read ends at 1240, its signal comes at 1250."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, fd=TID, result=TID)
    report = built(aio(trace, 1000), window_ns=[0, end])
    reads = [row["calls"] for row in report["syscalls"] if row["name"] == "read"]
    assert (len(report["operations"]), sum(reads)) == (wanted, wanted)
