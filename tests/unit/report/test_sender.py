"""tracer/report/sender.py: the sender's calls by its own clock, and where in them data was made ready."""

from __future__ import annotations

from typing import Any

import pytest
from support.records_builder import Trace
from support.reports import built


def received(trace: Trace, at: int) -> Trace:
    """Asked for at `at`, ready 100 later, received 40 after that."""
    trace.sleep(at + 10, at + 110, at + 120).ready(at + 100).copy(at + 130)
    return trace.call("recvfrom", at, at + 140, 64)


def report(*sends: tuple[int, int], count: int = 3) -> dict[str, Any]:
    trace = Trace()
    for number in range(count):
        received(trace, 1000 * (number + 1))
    begin, returned = [its[0] for its in sends], [its[1] for its in sends]
    return built(trace, sender={"send_begin_ns": begin, "send_returned_ns": returned})


def test_the_data_is_made_ready_inside_the_sends() -> None:
    its = report((1090, 1120), (2095, 2200), (3060, 3110))["sender"]
    assert (its["inside"], its["outside"]) == (3, 0)
    assert [its["took"][key] for key in ("min_ns", "max_ns")] == [30, 105]
    assert [its["until_ready"][key] for key in ("min_ns", "p50_ns", "max_ns")] == [5, 10, 40]
    assert [its["after_ready"][key] for key in ("min_ns", "p50_ns", "max_ns")] == [10, 20, 100]
    assert its["early"] == 1  # the second: received at 2140


def test_what_was_made_ready_by_something_else_lies_outside() -> None:
    its = report((1010, 1020), (2150, 2160), (3100, 3100))["sender"]
    assert (its["inside"], its["outside"], its["early"]) == (1, 2, 0)
    none = report((10, 20))["sender"]
    assert none["until_ready"] is none["after_ready"] is None and none["outside"] == 3


@pytest.mark.parametrize(
    "noted",
    [None, {}, {"send_begin_ns": [1], "sent": 1}, {"send_begin_ns": [5], "send_returned_ns": [4]}],
)
def test_an_older_recording_says_nothing_of_it(noted: Any) -> None:
    its = built(received(Trace(), 1000), sender=noted)
    assert its["sender"] is None
    assert all(step["kind"] != "send" for step in its["figure"]["steps"])


def steps(*sends: tuple[int, int]) -> list[dict[str, Any]]:
    drawn = report(*sends, count=1)["figure"]["steps"]
    return [step for step in drawn if step["kind"] == "send"]


def test_the_send_that_is_drawn_is_the_last_one_before_the_data_was_ready() -> None:
    assert steps((1050, 1060), (1090, 1130), (1101, 1140)) == [
        {"kind": "send", "enter_ns": 1090, "exit_ns": 1130}
    ]
    assert steps((990, 1020))[0]["exit_ns"] == 1020  # it had returned: something else made it ready


def test_no_send_is_drawn_that_was_over_when_the_data_was_asked_for() -> None:
    assert steps((500, 600)) == [] == steps((1101, 1140))
