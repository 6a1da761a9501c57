"""tracer/report/oracle.py: where the trace says otherwise than the workload, the report says so, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from tracer.report.contract import Expected, Signal, Syscall
from tracer.report.oracle import expected

NOTES: dict[str, Any] = {
    "messages": 3,
    "bytes": 192,
    "dropped": 1,
    "calls": {"select": 3, "recvfrom": 5},
    "errors": {"recvfrom": {"EAGAIN": 2}},
    "signals": {"SIGIO": 3},
    "receive_ns": [1_010, 1_020],
}
ALL = ("calls", "errors", "signals", "bytes")


def call(name: str, calls: int, errors: dict[str, int] | None = None) -> Syscall:
    return {
        "name": name,
        "calls": calls,
        "errors": errors or {},
        "total_ns": 0,
        "min_ns": 0,
        "p50_ns": 0,
        "p90_ns": 0,
        "p99_ns": 0,
        "max_ns": 0,
        "hist": {},
    }


def sigio(delivered: int, taken: int = 0) -> Signal:
    return {
        "name": "SIGIO",
        "generated": delivered,
        "delivered": delivered,
        "taken": taken,
        "merged": 0,
        "overflowed": 0,
    }


def said(
    calls: list[Syscall] | None = None,
    signals: list[Signal] | None = None,
    received: int = 192,
    open_loop: bool = False,
    **facts: Any,
) -> Expected:
    made = expected(
        {"base_ns": 1_000, "options": {"open_loop": open_loop}, "notes": NOTES} | facts,
        [call("pselect6", 3), call("recvfrom", 5, {"EAGAIN": 2})] if calls is None else calls,
        [sigio(3)] if signals is None else signals,
        received,
    )
    assert made is not None
    return made


def test_no_notes_no_word() -> None:
    assert expected({"base_ns": 0, "options": {}, "notes": None}, [], [], 0) is None


def test_all_agrees() -> None:
    """The program's select is the kernel's pselect6."""
    its = said()
    assert its["differences"] == []
    assert its["match"] == {"calls": True, "errors": True, "signals": True, "bytes": True}


@pytest.mark.parametrize(
    ("changed", "group", "line"),
    [
        (
            {"calls": [call("pselect6", 3), call("recvfrom", 6, {"EAGAIN": 2})]},
            "calls",
            "recvfrom: the program says 5, the trace 6",
        ),
        (
            {"calls": [call("select", 3), call("recvfrom", 5)]},
            "errors",
            "recvfrom EAGAIN: the program says 2, the trace 0",
        ),
        ({"signals": []}, "signals", "SIGIO: the program says 3, the trace 0"),
        ({"received": 128}, "bytes", "bytes: the program says 192, the trace 128"),
    ],
)
def test_what_differs_is_said(changed: dict[str, Any], group: str, line: str) -> None:
    its = said(**changed)
    assert its["differences"] == [line]
    assert its["match"] == {name: name != group for name in ALL}


def test_one_name_may_be_several_calls() -> None:
    assert said([call("select", 1), call("pselect6", 2), call("recvfrom", 5, {"EAGAIN": 2})])[
        "match"
    ]["calls"]


def test_a_signal_that_a_call_took_counts() -> None:
    assert said(signals=[sigio(1, taken=2)])["match"]["signals"]


def test_in_an_open_loop_a_handler_may_run_once_for_several() -> None:
    assert said(signals=[sigio(4)], open_loop=True)["differences"] == []
    assert not said(signals=[sigio(4)])["match"]["signals"]
    assert not said(signals=[sigio(2)], open_loop=True)["match"]["signals"]


def test_times_count_from_the_base() -> None:
    its = said(sender={"send_begin_ns": [1_001, 1_002], "sent": 4})
    assert its["receive_ns"] == [10, 20] and its["send_begin_ns"] == [1, 2] and its["sent"] == 4
    assert said()["send_begin_ns"] == [] and said()["sent"] is None


@pytest.mark.parametrize("proto, same", [("none", True), ("udp", False)])
def test_a_program_that_counts_rounds_says_nothing_of_bytes(proto: str, same: bool) -> None:
    notes = NOTES | {"bytes": 0}
    its = said(options={"open_loop": False, "proto": proto}, notes=notes)
    assert its["match"]["bytes"] is same
    assert bool(its["differences"]) is not same
