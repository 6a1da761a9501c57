"""tracer/analysis/threads/states_over_time.py: changes of state sum to what the table of threads says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.analysing import results_of
from support.records_builder import TID, Trace

from tracer.analysis.threads import states_over_time
from tracer.analysis.threads.states_over_time import StatesOverTime
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.recording.records import Kind
from tracer.terms import STATES

OTHER = 7


def busy(rounds: int = 20) -> Trace:
    """Two threads: one sleeps in calls and is preempted in and out of them, the other makes calls alone."""
    trace = Trace().add(Kind.START, 3, tid=OTHER, result=OTHER)
    for start in range(1000, 1000 + rounds * 1000, 1000):
        trace.sleep(start + 10, start + 310, start + 350).call("recvfrom", start, start + 400, 64)
        trace.preempted(start + 500, start + 550).preempted(start + 610, start + 620)
        trace.call("write", start + 600, start + 640, 4)
        trace.call("getpid", start + 100, start + 900, 1, tid=OTHER)
    return trace.add(Kind.SWITCH_OUT, 1000 + rounds * 1000, arg=1).add(Kind.WAKING, 90_000, tid=5)


def sums(its: dict[str, Any], end: int) -> dict[str, int]:
    """State → how long the thread was in it, by its changes."""
    edges = [*its["at_ns"], end]
    totals = dict.fromkeys(STATES, 0)
    for index, state in enumerate(its["states"]):
        totals[STATES[state]] += edges[index + 1] - edges[index]
    return totals


@pytest.mark.parametrize("count", [1, 2, 7, 60])
@pytest.mark.parametrize("window", [None, (2120, 9610)])
def test_the_changes_sum_to_the_table_of_threads(
    count: int, window: tuple[int, int] | None
) -> None:
    results = results_of(busy().records(), StatesOverTime, ThreadStates, window=window, count=count)
    shown = results[StatesOverTime]["states_over_time"]
    assert shown["exact"] and shown["cell_ns"] == 0 and shown["more_threads"] == 0
    times = {thread.tid: thread for thread in results[ThreadStates]}
    assert {its["tid"] for its in shown["threads"]} == times.keys() == {TID, OTHER}
    for its in shown["threads"]:
        thread = times[its["tid"]]
        assert its["at_ns"][0] == thread.start_ns
        assert its["at_ns"] == sorted(set(its["at_ns"]))
        assert its["end_ns"] == thread.end_ns
        assert sums(its, thread.end_ns) == {
            state: getattr(thread, f"{state}_ns") for state in STATES
        }


def test_of_too_many_changes_each_cell_has_the_state_that_took_most_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact = results_of(busy(300).records(), StatesOverTime, window=(1000, 301_000))
    monkeypatch.setattr(states_over_time, "MOST", 100)
    cells = results_of(busy(300).records(), StatesOverTime, window=(1000, 301_000), count=9)
    fine, coarse = (its[StatesOverTime]["states_over_time"] for its in (exact, cells))
    assert fine["changes"] == coarse["changes"] and not coarse["exact"]
    assert coarse["cell_ns"] == 300_000 // states_over_time.CELLS
    for one, other in zip(fine["threads"], coarse["threads"], strict=True):
        assert len(other["at_ns"]) <= states_over_time.CELLS
        at = np.arange(1500, 300_000, 997)  # a sixth of them within a cell of a change
        same = [
            np.array(its["states"])[np.searchsorted(its["at_ns"], at, "right") - 1]
            for its in (one, other)
        ]
        assert (same[0] == same[1]).mean() > 0.8


def test_it_is_made_on_request_alone() -> None:
    assert StatesOverTime.ON_REQUEST == "states_over_time"
