"""Runs that end early: by a signal, by their time limit, or because a process of theirs was killed."""

from __future__ import annotations

import json
import os
import select
import signal

import pytest
from support.cases import PROGRAMS, everyday, in_python
from support.running import (
    assert_one_line,
    check_nothing_lost,
    check_operations,
    report_of,
    running,
)

from scenarios import find


@pytest.mark.parametrize(
    ("name", "lang"),
    everyday(
        PROGRAMS,
        lambda name, lang: (
            in_python(name, lang) and name in ("blocking", "nonblocking", "signal", "io-uring")
        ),
    ),
)
def test_ctrl_c_shows_what_there_is(name, lang):
    with running("run", name, "--lang", lang, "--messages", 100000, "--no-cost", "--json") as run:
        run.await_messages(13)  # some let as many as eight be on their way
        run.process.send_signal(signal.SIGINT)
        done = run.end()
        assert run.processes() == []
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["ended"] == "interrupted"
    assert len(report["operations"]) >= 5
    assert report["model"]["name"] == find(name).model
    assert (
        report["expected"]["messages"] >= 5
    )  # it was asked to stop, and could still say what it did
    check_operations(report)
    check_nothing_lost(report)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_recording(tmp_path, number):
    path = tmp_path / "run.parquet"
    with running("run", "select", "--messages", 100000, "--no-cost", "-o", path) as run:
        run.await_messages(5)
        run.process.send_signal(number)
        done = run.end()
    assert done.returncode == 0 and "select" in done.stdout
    assert os.listdir(tmp_path) == ["run.parquet"]
    assert len(report_of("report", path)["operations"]) >= 5


def test_timeout_is_a_failure_that_leaves_its_recording(tmp_path):
    path = tmp_path / "run.parquet"
    with running(
        "run", "blocking", "--interval", "60s", "--timeout", 1, "--no-cost", "--json", "-o", path
    ) as run:
        done = run.end()
        assert run.processes() == []
    assert_one_line(done, 1, "timeout")
    assert os.listdir(tmp_path) == ["run.parquet"]
    report = report_of("report", path)
    assert (
        report["ended"] == "timeout"
        and report["operations"] == []
        and report["model"]["name"] == "none"
    )


def test_killed_receiver_is_a_failure(tmp_path):
    with running(
        "run", "blocking", "--messages", 100000, "--no-cost", "--json", "-o", tmp_path / "run"
    ) as run:
        run.await_messages(3)
        os.kill(run.receiver, signal.SIGKILL)
        done = run.end()
        assert run.processes() == []
    assert_one_line(done, 1, "blocking", "137")
    assert os.listdir(tmp_path) == []


def test_killed_sender_is_a_failure():
    with running(
        "run", "blocking", "--messages", 100000, "--no-cost", "--timeout", 20, "--json"
    ) as run:
        run.await_messages(3)
        os.kill(run.sender, signal.SIGKILL)
        done = run.end()
        assert run.processes() == []
    assert_one_line(done, 1, "sender")


@pytest.mark.parametrize("keep", [False, True])
def test_killed_iotrace_takes_the_scenario_with_it_and_leaves_what_it_recorded(tmp_path, keep):
    output = ("-o", tmp_path / "run") if keep else ()
    env = {"TMPDIR": str(tmp_path)}
    with running("run", "nonblocking", "--messages", 100000, "--no-cost", *output, env=env) as run:
        run.await_messages(3)
        ends = [os.pidfd_open(pid) for pid in (run.receiver, run.sender)]
        while keep and not (tmp_path / "run.partial").exists():
            run.await_messages(1)
        run.process.kill()
        for end in ends:
            assert select.select([end], [], [], 60)[0], "a process is left"
            os.close(end)
    assert os.listdir(tmp_path) == ["run.partial"] * keep
    if keep:
        report = report_of("report", tmp_path / "run.partial")
        assert (report["ended"], report["model"]["name"]) == ("cut short", "nonblocking")
        assert report["ledger"]["lost"] is None and len(report["operations"]) >= 3
