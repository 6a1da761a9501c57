"""tracer/analysis/identity against what plain reading of all records says (tests/reference/as_of.py)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reference import as_of
from support.analysing import results_of
from support.records_builder import FILE, PIPE, SOCKET, Trace

from tracer.analysis.identity.identity import Identity
from tracer.recording.records import WAS_OPEN, Kind

THREADS, FDS = [100, 101, 102, 103], [3, 4]


@st.composite
def traces(draw: st.DrawFn) -> np.ndarray:
    """Threads and processes begin, call, and have their descriptors looked at. No ID is used twice."""
    trace, unborn, alive = Trace(), [101, 102, 103], [100]
    for i in range(draw(st.integers(0, 12))):
        time, tid = 10 * (i + 1), draw(st.sampled_from(alive))
        what = draw(st.sampled_from(["thread", "fork", "looked at", "received", "looked at"]))
        fd = draw(st.sampled_from(FDS))
        if what in ("thread", "fork") and unborn:
            new = unborn.pop(0)
            tgid = as_of.process_of(trace.records(), tid, time) if what == "thread" else new
            trace.add(Kind.THREAD, time, tid=new, fd=tid, result=tgid)
            alive.append(new)
        elif what == "received":
            trace.call("recvfrom", time - draw(st.integers(1, 5)), time, 64, fd=fd, tid=tid)
        else:
            mode = draw(st.sampled_from([SOCKET, PIPE, FILE]))
            opened = draw(st.sampled_from([0, WAS_OPEN]))
            trace.add(Kind.DESCRIPTOR, time, start=900 + i, fd=fd, arg=mode, tid=tid, nr=opened)
    return trace.records()


@given(traces(), st.lists(st.integers(0, 140), min_size=1, max_size=5))
def test_every_time_and_thread_and_descriptor(records: np.ndarray, times: list[int]) -> None:
    identity = results_of(records, Identity)[Identity]
    asked = [(tid, fd, time) for tid in THREADS for fd in FDS for time in times]
    tids, fds, at = (np.array(column, np.int64) for column in zip(*asked, strict=True))
    tgids = identity.process_of(tids, at)
    assert tgids.tolist() == [as_of.process_of(records, tid, time) for tid, _, time in asked]
    inodes, modes = identity.file(tgids, fds, at)
    wanted = [
        as_of.file_of(records, tgid, fd, time)
        for tgid, (_, fd, time) in zip(tgids.tolist(), asked, strict=True)
    ]
    assert list(zip(inodes.tolist(), modes.tolist(), strict=True)) == wanted
