"""tracer/analysis/verdict/non_io.py: what a program does that receives no messages, or hardly any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from support.records_builder import FILE, SOCKET, TID, Trace
from support.reports import built

from tracer.analysis.verdict import facts
from tracer.analysis.verdict.io_model import ModelVerdict
from tracer.analysis.verdict.non_io import INSTEADS, IoCounts, judged
from tracer.output.terminal.report import render
from tracer.output.terminal.verdict import INSTEADS as TITLES
from tracer.recording.records import Kind

NONE = ModelVerdict("none", None, 1.0, (facts.NothingReceived(),))
SELECT = ModelVerdict("select", True, 0.67, (facts.SleptInCall(1, 1, 5),))
NO_IO = IoCounts()
BUSY = {"computing": 90, "waiting for futexes": 40}
LANES: dict[str, Any] = {
    "pairs": [{"tids": [1, 2], "overlap_ns": 0, "possible_ns": 50}],
    "threads": [{"tid": 1, "cpus": [0]}, {"tid": 2, "cpus": [0]}],
}


def word(kind: str, waits: int = 20, waited: int = 40) -> dict[str, Any]:
    return {
        "kind": kind,
        "waits": waits,
        "waited_ns": waited,
        "slept_ns": waited // 2,
        "longest_ns": waited // waits,
    }


NOTHING_MOVED = IoCounts()


def what(
    times: dict[str, Any],
    *,
    mostly: str | None = None,
    moved: IoCounts = NO_IO,
    locks: Sequence[dict[str, Any]] = (),
    lanes: dict[str, Any] | None = None,
    operations: int = 0,
    model: ModelVerdict = NONE,
) -> str | None:
    its = judged(
        model, operations, moved, list(locks), lanes, {"mostly": mostly, "times_ns": times}
    )
    assert its is model or (its.name == "none" and its.synchronous is None and its.evidence)
    return its.instead


def test_each_has_its_words() -> None:
    assert set(TITLES) == set(INSTEADS)


@pytest.mark.parametrize("kind", ["mutual exclusion", "two-way waiting", "synchronisation"])
def test_who_waits_again_and_again_on_a_futex(kind: str) -> None:
    assert what(BUSY, locks=[word(kind), word("unclear", 90, 90)], lanes=LANES) == kind


def test_the_time_of_who_only_waits_there_stands_beside_its_waits() -> None:
    """It counts as idle, and what the others did decides; of the waits it is the one that waited."""
    activity = {
        "mostly": "computing",
        "times_ns": {"computing": 90},
        "idle_times_ns": {"computing": 1, "waiting for futexes": 20},
    }
    verdict = judged(NONE, 0, NO_IO, [word("synchronisation")], None, activity)
    assert facts.FutexSleeps(20, 40, 20, 2, False, False) in verdict.evidence
    assert facts.TimeSpent(91, 0, 20) in verdict.evidence


def test_the_kind_that_was_waited_for_longer() -> None:
    assert (
        what(BUSY, locks=[word("synchronisation", 11, 30), word("mutual exclusion", 20, 20)])
        == "synchronisation"
    )


def test_a_join_is_no_lock_and_neither_is_a_short_wait() -> None:
    for waits in (1, 9):
        assert what(BUSY, locks=[word("synchronisation", waits)], lanes=LANES) == "concurrent"
    assert what(BUSY, locks=[word("synchronisation", 10)], lanes=LANES) == "synchronisation"
    assert (
        what(BUSY, locks=[word("mutual exclusion", 20, 6)], lanes=LANES) == "concurrent"
    )  # of 130


def test_both_at_once_is_parallel() -> None:
    pair = {"tids": [1, 2], "overlap_ns": 1, "possible_ns": 50}
    assert what(BUSY, lanes=LANES | {"pairs": [*LANES["pairs"], pair]}) == "parallel"


def test_one_that_computes_and_one_that_sleeps() -> None:
    assert what({"computing": 90, "in system calls": 9}, mostly="computing") == "computing"
    assert (
        what({"waiting for a CPU": 90, "computing": 9}, mostly="waiting for a CPU") == "computing"
    )
    assert what({"computing": 9, "waiting for time": 990}, mostly="waiting for time") is None
    # of a timer's loop on a machine that is busy
    late = {"computing": 9, "waiting for a CPU": 2000, "waiting for time": 990}
    assert what(late, mostly="waiting for a CPU") is None
    assert (
        what({"computing": 9, "waiting for time": 990}, mostly="waiting for time", lanes=LANES)
        is None
    )


def test_files_where_it_does_not_compute() -> None:
    assert what({"computing": 30, "in system calls": 40}, moved=IoCounts(1000)) == "files"
    assert what({"computing": 90, "in system calls": 40}, moved=IoCounts(1000)) == "computing"
    assert (
        what({"computing": 30, "in system calls": 40}, moved=IoCounts(99)) is None
    )  # so much is read to start
    assert (
        what(
            {"computing": 1, "waiting for time": 40},
            mostly="waiting for time",
            moved=IoCounts(1000),
        )
        is None
    )


def test_what_was_received_all_the_same_is_said() -> None:
    its = judged(SELECT, 3, IoCounts(1085, 2), [], None, {"mostly": None, "times_ns": {}})
    assert its.evidence == (facts.FileCalls(1085, 2), facts.FewReceives(3, ("select",)))
    its = judged(NONE, 0, IoCounts(1085, 2), [], None, {"mostly": None, "times_ns": {}})
    assert its.evidence == (facts.NothingReceived(), facts.FileCalls(1085, 2))


@pytest.mark.parametrize(
    ("operations", "moved", "mostly", "wanted"),
    [
        (1, IoCounts(1085, 2), None, "files"),
        (10, IoCounts(990), None, "files"),
        (11, IoCounts(989), None, None),
        (1, IoCounts(1085, 100), None, None),
        (1, IoCounts(1085), "waiting for data", None),
        (1, IoCounts(1085), "waiting for connections", None),
        (1, IoCounts(1085), "waiting for time", "files"),
        (1, IoCounts(99), None, None),
    ],
)
def test_a_stray_operation_decides_nothing(
    operations: int, moved: IoCounts, mostly: str | None, wanted: Any
) -> None:
    times = {"computing": 30, "in system calls": 40, "waiting for data": 200}
    assert what(times, operations=operations, moved=moved, mostly=mostly, model=SELECT) == wanted


def reads(count: int) -> Trace:
    """So many reads of a file, and one byte from a pipe in between."""
    trace = Trace(SOCKET).add(Kind.DESCRIPTOR, 3, start=77, fd=5, arg=FILE)
    for i in range(count):
        trace.call("read", 1000 * i + 100, 1000 * i + 900, 4096, fd=5)
    return trace.sleep(1000 * count, 1000 * count + 50, 1000 * count + 60).call(
        "read", 1000 * count - 10, 1000 * count + 70, 1
    )


def test_a_report_of_a_program_that_reads_files() -> None:
    its = built(reads(1085))
    assert (
        its["model"]["name"] == "none"
        and its["model"]["instead"] == "files"
        and len(its["operations"]) == 1
    )
    assert any("1,085 reads and writes of files" in line for line in its["model"]["evidence"])
    assert any("blocking" in line for line in its["model"]["evidence"])
    assert [p["model"]["instead"] for p in its["processes"] if p["tgid"] == TID] == ["files"]
    text = render(its)
    assert "file I/O, none of the models of waiting" in text and "Stevens" not in text
    assert built(reads(20))["model"]["name"] == "blocking"
