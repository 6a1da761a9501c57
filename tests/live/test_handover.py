"""Who was told and who receives need not be one thread: a pool of workers behind an epoll loop, on the running kernel;
and what is a wake-up for nothing, and what is none."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.running import check_nothing_lost, check_operations, iotrace, report_of


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[str, Any]]:
    """(what the program said that it did, what iotrace reports)."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler (cc)")
    place = tmp_path_factory.mktemp("handed")
    program, recording = place / "handed", place / "run"
    source = Path(__file__).with_name("handed.c")
    subprocess.run(["cc", "-O1", "-w", "-o", program, source, "-lpthread"], check=True)
    done = iotrace("trace", "--no-cost", "-o", recording, "--", program)
    assert done.returncode == 0, done.stderr
    said: dict[str, int] = json.loads(done.stdout.splitlines()[0])
    return said, report_of("report", recording)


def test_each_was_handed_over_by_the_thread_that_was_told(traced):
    said, report = traced
    check_nothing_lost(report)
    check_operations(report)
    main = report["target"]["pid"]
    handed = [op for op in report["operations"] if op["handover"]]
    assert (said["handed"], said["polled"]) == (97, 31) and len(handed) == 97 + 31
    assert {op["bytes"] for op in handed} == {5}
    assert {op["handover"]["tid"] for op in handed} == {main}
    assert len({op["tid"] for op in handed} - {main}) in (2, 3)
    woken = [op["handover"] for op in handed if op["handover"]["woken_ns"] is not None]
    assert woken
    for its in woken:
        assert its["told_ns"] <= its["woken_ns"] <= its["running_ns"]
    for op in handed:
        assert {"ask", "told"} <= set(op["estimated"])
        assert op["told_ns"] == op["handover"]["told_ns"] or "told_ns" in op["raw"]


def test_it_is_multiplexing_by_what_was_registered_and_through_a_futex(traced):
    _, report = traced
    (process,) = (its for its in report["processes"] if its["threads"] == 4)
    evidence = " ".join(process["model"]["evidence"])
    assert process["model"]["name"] == "mixed"  # the last part of the program is select's
    assert set(process["model"]["shares"]) == {"epoll-lt", "poll", "select"}
    assert "97 of 97 were handed over" in evidence and "31 of 31 were handed over" in evidence
    assert "through a futex" in evidence
    assert "registered with EPOLLIN|EPOLLONESHOT" in evidence and "semaphore" not in evidence
    (waking, fetching), notice = (
        (report["phases"][name]["total_ns"] for name in ("waking", "fetching")),
        report["phases"]["notice"]["total_ns"],
    )
    assert waking + fetching == notice


def test_the_eventfd_of_its_own_threads_is_told_apart(traced):
    said, report = traced
    channels = [its for its in report["self_wakeups"] if its["kind"] == "eventfd"]
    assert [its["count"] for its in channels] == [said["woken"]]


def test_wake_ups_for_nothing_and_those_that_are_not(traced):
    said, report = traced
    (repeated,) = (its for its in report["advice"] if its["rule"] == "repeated wake-ups")
    assert repeated["count"] == said["told"] - 1 == 210
    (select,) = (its for its in report["wakeups"] if its["call"] == "select")
    assert select["returned"] == said["found"] == 31 and select["found_nothing"] == 0
    assert not {its["rule"] for its in report["advice"]} & {"not drained", "polling", "told again"}
