"""tracer/report/figure_steps.py: one operation as the steps of a figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.analysing import batches, operations_of, results_of
from support.drawn import lines_of_figure, row
from support.records_builder import EAGAIN, SIGIO, TID, Trace

from tracer.analysis.operations.in_window import InsideWaits, OperationsInWindow
from tracer.analysis.operations.waits_inside import no_waits
from tracer.analysis.verdict.io_model import models_of
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind
from tracer.report.figure_steps import figure
from tracer.report.operations import Listed


def figure_of(trace: Trace, base: int = 0) -> Any:
    def read(since: int | None, until: int | None) -> Iterator[RecordBatch]:
        records = trace.records()
        return batches(records[(records["time"] >= since) & (records["time"] <= until)])

    results = results_of(trace.records(), OperationsInWindow, InsideWaits)
    operations = results[OperationsInWindow]
    return figure(operations, models_of(operations), results[InsideWaits], read, base)


def kinds(its: dict[str, Any]) -> list[str]:
    return [step["kind"] for step in its["steps"]]


def at(step: dict[str, Any]) -> int:
    time: int = next(step[key] for key in ("enter_ns", "at_ns", "generated_ns") if key in step)
    return time


def blocking(trace: Trace, start: int, wait: int = 100) -> Trace:
    ready = start + wait
    trace.sleep(start + 10, ready + 10, ready + 20).ready(ready).copy(ready + 30)
    return trace.call("recvfrom", start, ready + 40, 64)


def test_no_operation_no_figure() -> None:
    assert figure_of(Trace()) is None


def test_blocking_step_by_step() -> None:
    its = figure_of(blocking(Trace(), 100))
    assert (its["operation"], its["model"]) == (0, "blocking")
    assert kinds(its) == ["call", "ready", "wake", "run", "copy"]
    call, ready, wake, run, copy = its["steps"]
    assert (call["name"], call["enter_ns"], call["exit_ns"], call["result"]) == (
        "recvfrom",
        100,
        240,
        64,
    )
    assert (call["tid"], call["fd"], call["count"], call["blocked_ns"]) == (TID, 4, 1, 100)
    assert call["brings_data"] and not call["waits"]
    assert (ready["at_ns"], wake["at_ns"], run["at_ns"]) == (200, 210, 220)
    assert (copy["at_ns"], copy["end_ns"]) == (230, 240)
    assert not ready["estimated"] and not copy["estimated"]


def drawn_of(call: str) -> tuple[dict[str, Any], str]:
    """The copy's step where `call` brings the data, and the figure as text."""
    its = figure_of(Trace().ready(50).sleep(30, 55, 60).call(call, 20, 90, 64))
    step = next(step for step in its["steps"] if step["kind"] == "copy")
    return step, "\n".join(lines_of_figure({"figure": its}))


@pytest.mark.parametrize("name", syscalls.COPY)
def test_what_such_a_receive_brings_is_copied_to_user_space(name: str) -> None:
    step, drawn = drawn_of(name)
    assert "moved" not in step
    assert "copy to user" in drawn and "copy complete" in drawn and "has the data" in drawn


def test_a_receive_that_is_not_said_to_copy_moves() -> None:
    step, drawn = drawn_of("splice")
    assert step["moved"] is True
    assert "moves data" in drawn and "data is moved" in drawn and "knows it was moved" in drawn
    assert not any(word in drawn for word in ("to user", "copy complete", "has the data"))


def test_times_count_from_the_base() -> None:
    early, late = figure_of(blocking(Trace(), 1100)), figure_of(blocking(Trace(), 1100), 1000)
    assert [at(step) - 1000 for step in early["steps"]] == [at(step) for step in late["steps"]]


def test_steps_are_in_time_order() -> None:
    trace = Trace().ready(200).signal(SIGIO, 205, 215).copy(232).call("recvfrom", 230, 240, 64)
    steps = figure_of(trace)["steps"]
    assert [at(step) for step in steps] == sorted(at(step) for step in steps)
    assert [step["name"] for step in steps if step["kind"] == "signal"] == ["SIGIO"]


def test_polls_are_one_step() -> None:
    trace = Trace()
    for start in range(100, 200, 10):
        trace.call("recvfrom", start, start + 4, EAGAIN)
    its = figure_of(trace.ready(197).copy(202).call("recvfrom", 200, 205, 64))
    polls, last = (step for step in its["steps"] if step["kind"] == "call")
    assert (polls["count"], polls["result"], polls["busy_ns"], polls["brings_data"]) == (
        10,
        "EAGAIN",
        40,
        False,
    )
    assert (last["count"], last["result"], last["brings_data"]) == (1, 64, True)


def test_multiplexing_waits_in_one_call_and_copies_in_the_next() -> None:
    its = figure_of(
        Trace()
        .sleep(110, 210, 220)
        .ready(200)
        .call("pselect6", 100, 230, 1)
        .copy(242)
        .call("recvfrom", 240, 250, 64)
    )
    waits, brings = (step for step in its["steps"] if step["kind"] == "call")
    assert waits["waits"] and not waits["brings_data"] and waits["blocked_ns"] == 100
    assert brings["brings_data"] and not brings["waits"]


def test_what_was_not_seen_is_marked() -> None:
    its = figure_of(Trace().sleep(110, 210, 220).call("recvfrom", 100, 240, 64))
    assert all(step["estimated"] for step in its["steps"] if step["kind"] in ("ready", "copy"))


def test_the_median_operation_is_drawn() -> None:
    trace, start = Trace(), 1000
    for wait in (500, 100, 900, 300, 700):
        blocking(trace, start, wait)
        start += 2000
    its = figure_of(trace)
    assert (its["operation"], its["of"]) == (0, 5)


def test_one_that_waited_is_drawn_rather_than_one_that_found_its_data() -> None:
    trace = Trace()
    for start in (10, 20, 30):
        trace.ready(start).copy(start + 2).call("recvfrom", start + 1, start + 5, 64)
    its = figure_of(blocking(trace, 100))
    assert (its["operation"], its["of"]) == (3, 1)


def test_of_two_models_the_more_frequent_is_drawn() -> None:
    trace = blocking(blocking(Trace(), 100), 1100)
    trace.sleep(2110, 2210, 2220).ready(2200).call("poll", 2100, 2230, 1).call(
        "recvfrom", 2240, 2250, 64
    )
    assert figure_of(trace)["model"] == "blocking"


def test_a_signal_that_a_call_waited_for_comes_with_that_call() -> None:
    trace = Trace().call("recvfrom", 90, 95, EAGAIN).sleep(110, 205, 210).ready(200)
    trace.add(Kind.SIGNAL_GENERATE, 204, fd=35, arg=1, start=4).call(
        "rt_sigtimedwait", 100, 215, 35
    )
    its = figure_of(trace.call("recvfrom", 230, 240, 64))
    (told,) = [step for step in its["steps"] if step["kind"] == "signal"]
    (call,) = [step for step in its["steps"] if step.get("name") == "rt_sigtimedwait"]
    assert (
        told["taken"]
        and call["signal"] == told["name"]
        and call["waits"]
        and call["exit_ns"] == told["delivered_ns"]
    )


def test_a_handlers_signal_is_not_taken() -> None:
    trace = Trace().ready(200).signal(SIGIO, 205, 215).copy(232).call("recvfrom", 230, 240, 64)
    assert [step["taken"] for step in figure_of(trace)["steps"] if step["kind"] == "signal"] == [
        False
    ]


def test_a_request_shows_its_calls_and_what_the_kernel_did_with_it() -> None:
    trace = (
        Trace()
        .add(Kind.URING_SUBMIT, 112, start=64, result=5, nr=27, fd=4)
        .call("io_uring_enter", 110, 120, 1, fd=7)
    )
    trace.add(Kind.URING_POLL, 114, start=64, result=5).sleep(140, 201, 210).ready(200)
    trace.add(Kind.URING_COMPLETE, 215, start=64, result=5, fd=64)
    its = figure_of(trace.call("io_uring_enter", 130, 220, 0, fd=7, arg=1))
    assert its["model"] == "io-uring"
    assert [(step["name"], step["waits"]) for step in its["steps"] if step["kind"] == "call"] == [
        ("io_uring_enter", False),
        ("io_uring_enter", True),
    ]
    assert [
        (step["what"], step["at_ns"]) for step in its["steps"] if step["kind"] == "request"
    ] == [("poll armed", 114)]
    assert {"wake", "run", "ready", "copy"} <= set(kinds(its))


def test_of_two_operations_the_shorter_is_drawn() -> None:
    assert figure_of(blocking(blocking(Trace(), 1000, 500), 3000))["operation"] == 1


def test_a_receive_on_another_descriptor_is_another_ones() -> None:
    trace = Trace().call("recvfrom", 100, 105, EAGAIN).call("recvfrom", 120, 125, EAGAIN, fd=9)
    its = figure_of(trace.ready(130).copy(142).call("recvfrom", 140, 150, 64))
    assert [(step["fd"], step["result"]) for step in its["steps"] if step["kind"] == "call"] == [
        (4, "EAGAIN"),
        (4, 64),
    ]


# waits inside


@pytest.mark.parametrize(
    ("waits", "counts"), [(1, [1]), (3, [1, 1, 1]), (4, [1, 2, 1]), (9, [1, 7, 1])]
)
def test_waits_after_the_first_bytes_are_steps_and_rows(waits: int, counts: list[int]) -> None:
    trace = Trace().sleep(110, 200, 210).ready(195).copy(220)
    for i in range(waits):
        trace.sleep(230 + 100 * i, 290 + 100 * i, 300 + 100 * i).copy(310 + 100 * i)
    its = figure_of(trace.call("recvfrom", 100, 340 + 100 * waits, 64))
    found = [step for step in its["steps"] if step["kind"] == "wait"]
    assert [step["count"] for step in found] == counts
    assert sum(step["blocked_ns"] for step in found) == 70 * waits
    (call,) = (step for step in its["steps"] if step["kind"] == "call")
    assert call["blocked_ns"] == 90
    inside = [{"from_ns": 230 + 100 * i, "to_ns": 300 + 100 * i} for i in range(waits)]
    drawn = "\n".join(lines_of_figure({"figure": its, "operations": [{"waits_inside": inside}]}))
    assert drawn.count("waits") == len(counts) and drawn.count("no more data") == len(counts)
    assert f"waited {waits} time" in drawn


def drawn(trace: Trace) -> list[str]:
    """The lines of the figure of the trace's median operation."""
    its = figure_of(trace)
    operations = list(Listed(operations_of(trace), no_waits(), 0))
    return lines_of_figure({"figure": its, "operations": operations})


def test_a_connection_that_was_accepted_before_its_receive_is_drawn() -> None:
    trace = Trace().sleep(110, 210, 220).call("epoll_wait", 100, 230, 1, fd=7)
    trace.call("accept4", 240, 250, 4, fd=3).call("accept4", 252, 254, 5, fd=3)
    its = figure_of(trace.call("recvfrom", 260, 270, 64))
    calls = [(step["name"], step["result"]) for step in its["steps"] if step["kind"] == "call"]
    assert calls == [("epoll_wait", 1), ("accept4", 4), ("recvfrom", 64)]
    lines = drawn(trace)
    assert row(lines, "accept4", "►") < row(lines, "new fd 4", "◄") < row(lines, "recvfrom", "►")


def left_behind() -> Trace:
    """Edge-triggered: data that was there when epoll_wait slept, until more came."""
    trace = Trace().call("epoll_create1", 10, 11, 7, fd=0)
    trace.call("epoll_ctl", 19, 20, 0, fd=7)
    trace.args("epoll_ctl", 21, 1, 4, first=7, fourth=0x80000001)
    trace.ready(30).ready(200).sleep(110, 202, 220)
    return trace.call("epoll_wait", 100, 230, 1, fd=7).call("recvfrom", 240, 250, 64)


def test_data_that_comes_to_what_was_left_is_shown_before_the_wake_that_it_makes() -> None:
    its = figure_of(left_behind())
    (more,) = [step for step in its["steps"] if step["kind"] == "arrival"]
    assert (more["at_ns"], more["count"]) == (200, 1)
    lines = drawn(left_behind())
    assert row(lines, "epoll_wait", "data was there") < row(lines, "blocked")
    assert row(lines, "blocked") < row(lines, "more data comes") < row(lines, "wakes tid")


def test_a_signal_that_woke_stands_before_the_wake() -> None:
    trace = Trace().call("recvfrom", 90, 95, EAGAIN).sleep(110, 202, 210).ready(200)
    trace.add(Kind.SIGNAL_GENERATE, 204, fd=35, arg=1, start=4)
    trace.call("rt_sigtimedwait", 100, 215, 35).call("recvfrom", 230, 240, 64)
    lines = drawn(trace)
    assert row(lines, "DATA READY") < row(lines, "sends SIG") < row(lines, "wakes tid")


def test_who_is_in_no_call_while_the_data_comes_continues_executing() -> None:
    trace = Trace().call("recvfrom", 100, 102, EAGAIN).ready(400).signal(SIGIO, 405, 415)
    lines = drawn(trace.copy(432).call("recvfrom", 430, 440, 64))
    assert row(lines, "EAGAIN") < row(lines, "continues executing") < row(lines, "DATA READY")
    preempted = Trace().call("recvfrom", 100, 102, EAGAIN).preempted(150, 380).ready(400)
    preempted.signal(SIGIO, 405, 415).copy(432).call("recvfrom", 430, 440, 64)
    lines = drawn(preempted)
    assert row(lines, "EAGAIN") < row(lines, "continues executing") < row(lines, "preempted")
    polling = Trace()
    for start in range(100, 400, 10):
        polling.call("recvfrom", start, start + 4, EAGAIN)
    polling.ready(397).copy(402).call("recvfrom", 400, 405, 64)
    assert not any("continues" in line for line in drawn(polling))
    waiting = Trace().sleep(110, 390, 392).call("epoll_wait", 100, 395, 0, fd=7)
    waiting.ready(400).copy(407).call("recvfrom", 405, 410, 64)
    assert not any("continues" in line for line in drawn(waiting)), (
        "it was in no call for 10 of 300"
    )


def uring(worker: bool = False) -> Trace:
    """A request that is completed while the program is in no call, by itself or by a worker."""
    trace = Trace().add(Kind.URING_SUBMIT, 112, start=64, result=5, nr=27, fd=4)
    trace.call("io_uring_enter", 110, 120, 1, fd=7).ready(200)
    tid = 77 if worker else TID
    if worker:
        trace.add(Kind.URING_WORK, 114, start=64, result=5)
        trace.add(Kind.SWITCH_IN, 204, tid=tid, fd=0)
    return trace.add(Kind.URING_COMPLETE, 215, start=64, result=5, fd=64, tid=tid)


def test_a_completion_that_no_call_tells_of_reaches_the_program_all_the_same() -> None:
    lines = drawn(uring())
    assert row(lines, "io_uring_enter", "►") < row(lines, "return 1", "◄")
    assert row(lines, "finds completion", "copy complete")
    assert not any("◄" in line and "►" in line for line in lines)


def test_a_kernels_worker_has_an_edge_from_its_cpu_to_the_copys_end() -> None:
    lines = drawn(uring(worker=True))
    runs, copied = row(lines, "has a CPU"), row(lines, "copy complete")
    assert not any("has a CPU again" in line for line in lines[: row(lines, "└")])
    assert all(line[31] == "┃" for line in lines[runs : copied + 1])


def test_the_legend_has_the_signs_that_were_drawn() -> None:
    asleep, awake = drawn(blocking(Trace(), 100)), drawn(uring())
    assert row(asleep, "┃ has a CPU   ┊ has none")
    assert not any("has none" in line for line in awake)


def test_who_is_preempted_inside_a_call_is_not_blocked_there() -> None:
    trace = Trace().preempted(110, 180).call("recvfrom", 100, 190, EAGAIN).ready(195)
    its = figure_of(trace.call("recvfrom", 200, 210, 64))
    asked = next(step for step in its["steps"] if step["kind"] == "call")
    assert asked["blocked_ns"] == 0 and "wake" not in kinds(its)
    (away,) = (step for step in its["steps"] if step["kind"] == "away")
    assert (away["at_ns"], away["end_ns"], away["state"]) == (110, 180, "preempted")
