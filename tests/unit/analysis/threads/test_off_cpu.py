"""tracer/analysis/threads/timeline.py against its rules in plain Python (tests/reference/off_cpu.py)."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import off_cpu
from support.analysing import batches
from support.records_builder import EAGAIN, Trace

from tracer.analysis.threads.timeline import NEVER, OffCpu, Timeline
from tracer.kernel import syscalls
from tracer.recording.records import Kind

THREADS = st.sampled_from([100, 101])
NUMBERS = [syscalls.numbers()[name] for name in ("recvfrom", "read")]
SWITCHES = st.sampled_from([Kind.SWITCH_OUT, Kind.SWITCH_IN, Kind.WAKING])
EVENTS = st.one_of(
    st.tuples(SWITCHES, THREADS, st.integers(0, 1), st.sampled_from([0, 1, 2, 0x104, 0x108])),
    st.tuples(st.just(Kind.SIGNAL_DELIVER), THREADS, st.just(29), st.just(0)),
    st.tuples(st.just(Kind.EXIT), THREADS, st.just(0), st.just(0)),
    st.tuples(st.just(Kind.THREAD), THREADS, st.just(100), st.just(0)),
)
CALLS = st.tuples(
    st.just(Kind.CALL), THREADS, st.sampled_from([3, 4]), st.sampled_from([EAGAIN, EAGAIN, -4, 64])
)


@st.composite
def traces(draw: st.DrawFn) -> np.ndarray:
    """Records as any kernel might show them, switches left out and all. Each has a time of its own."""
    trace = Trace()
    events = draw(st.lists(st.one_of(EVENTS, EVENTS, CALLS, CALLS), max_size=25))
    left = {100: 0, 101: 0}  # when each thread's last call returned
    for i, (kind, tid, fd, value) in enumerate(events):
        time = 10 * (i + 1)
        if kind == Kind.CALL:
            start = draw(st.integers(left[tid] + 1, time - 1)) if left[tid] + 1 < time else time - 1
            number = draw(st.sampled_from(NUMBERS))
            trace.add(kind, time, start=start, result=value, tid=tid, nr=number, fd=fd)
            left[tid] = time
        else:
            trace.add(kind, time, result=100, tid=tid, fd=fd, arg=value)
    return trace.records()


def plain(absences: OffCpu) -> list[off_cpu.Away]:
    """Each as the reference has it."""
    rows = zip(
        *(getattr(absences, name).tolist() for name in off_cpu.Away._fields[:-1]), strict=True
    )
    ended = (off_cpu.Away(*row, shown=True) for row in rows)
    return [its._replace(woken=None) if its.woken == NEVER else its for its in ended]


@settings(max_examples=500)
@given(traces())
def test_times_off_the_cpu(records: np.ndarray) -> None:
    timeline = Timeline()
    (batch,) = batches(records)
    absences = timeline.feed(batch).absences
    away, blocked = plain(absences), (absences.blocked_until - absences.out).tolist()
    until = int(records["time"][-1])
    wanted, wanted_unended = off_cpu.times_away(records, until)
    assert sorted(away) == sorted(its._replace(shown=True) for its in wanted)
    assert blocked == [off_cpu.blocked(its) for its in away]
    # of one that had not ended with its batch, only the thread's last call is still known: `back` may be later
    unended = plain(timeline.finish(until).absences)
    assert len(unended) == len(wanted_unended)
    for one, other in zip(sorted(unended), sorted(wanted_unended), strict=True):
        assert one._replace(back=0, shown=True) == other._replace(back=0, shown=True)
        assert other.back <= one.back <= until


@settings(max_examples=500)
@given(traces())
def test_equal_failing_calls_are_one(records: np.ndarray) -> None:
    (batch,) = batches(records)
    calls = Timeline().feed(batch).calls
    names = (*off_cpu.Call._fields[:-1], "count")
    columns = (getattr(calls, name).tolist() for name in names)
    found = [off_cpu.Call(*row) for row in zip(*columns, strict=True)]
    assert found == off_cpu.folded(records)
