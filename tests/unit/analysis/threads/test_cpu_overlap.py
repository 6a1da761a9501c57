"""tracer/analysis/threads/cpu_overlap.py: who had a CPU when, and how long two ran together."""

from __future__ import annotations

from typing import Any

import pytest
from support.analysing import results_of
from support.records_builder import TID, Trace

from tracer.analysis.threads.cpu_overlap import CpuOverlap
from tracer.recording.records import Kind

OTHER = 200


def lanes_or_none(
    trace: Trace, window: tuple[int, int] | None = None, count: int = 1
) -> dict[str, Any] | None:
    results = results_of(trace.records(), CpuOverlap, window=window, count=count)
    found: dict[str, Any] | None = results[CpuOverlap]["lanes"]
    return found


def lanes(trace: Trace, window: tuple[int, int], count: int = 1) -> dict[str, Any]:
    found = lanes_or_none(trace, window, count)
    assert found is not None
    return found


def on(trace: Trace, tid: int, cpu: int, *times: tuple[int, int]) -> Trace:
    for since, until in times:
        trace.add(Kind.SWITCH_IN, since, tid=tid, nr=cpu).add(
            Kind.SWITCH_OUT, until, tid=tid, nr=cpu
        )
    return trace


def two(first: Any, second: Any, cpu: Any = 0, other_cpu: Any = 1) -> Trace:
    trace = (
        Trace().add(Kind.SWITCH_OUT, 3, arg=1).add(Kind.THREAD, 4, tid=OTHER, result=TID, fd=TID)
    )
    return on(on(trace, TID, cpu, *first), OTHER, other_cpu, *second)


def test_taking_turns_is_no_overlap() -> None:
    its = lanes(two([(10, 100), (200, 300)], [(100, 200), (300, 400)], 0, 0), (10, 400))
    assert its["pairs"] == [{"tids": [OTHER, TID], "overlap_ns": 0, "possible_ns": 190}]
    assert [thread["cpus"] for thread in its["threads"]] == [[0], [0]]


def test_overlap_is_the_time_that_both_had_a_cpu() -> None:
    its = lanes(two([(10, 100), (200, 300)], [(50, 250)]), (10, 300))
    assert its["pairs"][0]["overlap_ns"] == 50 + 50


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_window_cuts_and_batches_do_not(count: int) -> None:
    assert lanes(two([(10, 100)], [(20, 100)]), (50, 90), count)["pairs"][0]["overlap_ns"] == 40


def test_who_still_runs_at_the_end_runs_until_then() -> None:
    trace = two([(10, 100)], [(10, 60)]).add(Kind.SWITCH_IN, 70, tid=OTHER, nr=1)
    assert lanes(trace, (10, 100))["pairs"][0]["overlap_ns"] == 50 + 30


@pytest.mark.parametrize("count", range(1, 9))
def test_a_batch_in_which_one_did_not_run(count: int) -> None:
    trace = two([(10, 100), (500, 600)], [(200, 300), (700, 800)])
    assert lanes(trace, (10, 800), count)["pairs"][0]["overlap_ns"] == 0


def test_one_thread_alone_has_no_lanes() -> None:
    assert lanes_or_none(on(Trace(), TID, 0, (10, 100))) is None
    assert lanes_or_none(two([(10, 1000)], [(20, 21)]), (10, 1000)) is None  # the other hardly ran


def test_cells_show_the_cpu_of_most_of_them() -> None:
    its = lanes(two([(10, 610)], [(610, 1210)], 3, 4), (10, 1210))
    first, second = (
        {thread["tid"]: thread["cells"] for thread in its["threads"]}[tid] for tid in (TID, OTHER)
    )
    assert first[:30] == [3] * 30 and 3 not in first[30:]
    assert second[30:] == [4] * 30 and 4 not in second[:30]
