"""tracer/analysis/identity against what plain reading of all records says (tests/reference/as_of.py). What descriptors
stand for: test_descriptor_lives.py."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reference import as_of
from support.analysing import results_of
from support.records_builder import Trace

from tracer.analysis.identity.identity import Identity
from tracer.recording.records import Kind

THREADS = [100, 101, 102, 103]


@st.composite
def traces(draw: st.DrawFn) -> np.ndarray:
    """Threads and processes begin. No ID is used twice."""
    trace, unborn, alive = Trace(), [101, 102, 103], [100]
    for i in range(draw(st.integers(0, 12))):
        time, tid = 10 * (i + 1), draw(st.sampled_from(alive))
        what = draw(st.sampled_from(["thread", "fork", "call"]))
        if unborn and what != "call":
            new, inside = unborn.pop(0), what == "thread"
            tgid = as_of.process_of(trace.records(), tid, time) if inside else new
            trace.add(Kind.THREAD, time, tid=new, fd=tid, result=tgid)
            alive.append(new)
        else:
            trace.call("getpid", time - draw(st.integers(1, 5)), time, tid, tid=tid)
    return trace.records()


@given(traces(), st.lists(st.integers(0, 140), min_size=1, max_size=5))
def test_the_process_of_every_thread_at_every_time(records: np.ndarray, times: list[int]) -> None:
    identity = results_of(records, Identity)[Identity]
    asked = [(tid, time) for tid in THREADS for time in times]
    tids, at = (np.array(column, np.int64) for column in zip(*asked, strict=True))
    tgids = identity.process_of(tids, at)
    assert tgids.tolist() == [as_of.process_of(records, tid, time) for tid, time in asked]
