"""tracer/report/bench/build.py: medians of the rounds' medians, their ends, and the published table beside them."""

from __future__ import annotations

from typing import Any

import pytest
from support.bench import CALLS, block, result, round_of, usual
from support.contract import faults

from tracer.report.bench import published


def rows(made: Any) -> dict[tuple[str, int], Any]:
    assert not faults(made, "readiness")
    return {(row["call"], row["n"]): row for row in made["rows"]}


def test_medians_of_rounds_with_what_the_clocks_take_taken_off() -> None:
    made = result([round_of({("poll", 10): ns}) for ns in (1000, 5000, 1200)])
    row = rows(made)["poll", 10]
    assert (row["wall_ns"], row["cpu_ns"]) == (1200, 1200)
    assert row["spread"]["cpu_ns"] == row["spread"]["wall_ns"] == [1000, 5000]
    assert (row["operations"], row["traced_operations"]) == (18, 18)
    assert (row["in_call_ns"], row["traced_wall_ns"]) == (650, 1300)
    assert row["spread"]["in_call_ns"] == [550, 2550]


def test_one_late_operation_of_a_round_changes_nothing() -> None:
    late = round_of({("poll", 10): 1000})
    late.untraced["blocks"] = [block("poll", 10, [1020, 1020, 10**8], [1300, 1300, 10**8])]
    assert rows(result([late]))["poll", 10]["spread"]["wall_ns"] == [1000, 1000]


def test_ratios_are_to_the_fewest_descriptors_and_the_tables_stand_beside() -> None:
    found = rows(result([usual(), usual()]))
    assert [*found] == [(call, n) for call in CALLS for n in (10, 1000)]
    assert found["poll", 10]["ratio"] == found["epoll-lt", 1000]["ratio"] == 1
    assert found["poll", 1000]["ratio"] == round((130_000 + 700) / (1300 + 700), 2)
    assert found["poll", 1000]["published_ratio"] == pytest.approx(35 / 0.61)
    assert found["epoll-lt", 1000]["published_ratio"] == pytest.approx(0.53 / 0.41)
    assert found["io_uring", 1000]["published_ratio"] is None
    for options in ({"active": 2}, {"churn": True}):  # the table is of neither
        assert rows(result([usual()], **options))["poll", 1000]["published_ratio"] is None


def test_the_published_table_is_the_books() -> None:
    seconds = {(row["call"], row["n"]): row["cpu_s"] for row in published.table()["rows"]}
    assert len(seconds) == 12
    assert seconds["select", 10] == 0.73 and seconds["poll", 10_000] == 990
    assert published.ratio("select", 10_000, 10) == pytest.approx(930 / 0.73)
    assert published.ratio("select", 30, 10) is None


def test_what_the_recording_lacks_is_not_counted() -> None:
    whole = {("poll", 10): 1000}
    other = {("poll", 10): 9000}
    for bad in (round_of(other, lost=7), round_of(other, missing=1), round_of(other, missing=-1)):
        row = rows(result([round_of(whole), bad]))["poll", 10]
        assert (row["in_call_ns"], row["traced_operations"]) == (550, 6)
        assert row["operations"] == 12
    made = result([round_of(whole, lost=7)])
    assert made["lost"] == 7
    row = rows(made)["poll", 10]
    assert row["in_call_ns"] is row["traced_wall_ns"] is row["spread"]["in_call_ns"] is None


def test_what_did_not_fit_is_said() -> None:
    why = "no process may have more descriptors open here (ulimit -H -n)"
    one = round_of({("poll", 10): 1000}, most=900, why=why)
    made = result([one, one], {"io_uring": "liburing is not here"})
    assert not faults(made, "readiness")
    assert made["left_out"] == [
        {"call": "io_uring", "n": None, "why": "liburing is not here"},
        {"call": None, "n": 1000, "why": why},
    ]


def test_a_ring_that_the_kernel_refuses_is_said_once() -> None:
    one = round_of(
        {("poll", 10): 1000}, lacks={"io_uring": "io_uring_setup: Operation not permitted"}
    )
    made = result([one, one])
    assert not faults(made, "readiness")
    assert [(its["call"], its["why"]) for its in made["left_out"]] == [
        ("io_uring", "io_uring_setup: Operation not permitted")
    ]


def test_fewer_rounds_than_were_asked_for() -> None:
    made = result([usual()], rounds=7)
    assert not faults(made, "readiness")
    assert made["interrupted"] and made["rounds"] == 1
