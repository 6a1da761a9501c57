"""`iotrace compare` on the running kernel: whole, valid, interrupted, and with what this machine cannot run.

Needs root and a kernel that runs BPF; no test here asserts a time."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal

import pytest
from jsonschema import Draft202012Validator
from support.running import (
    ROOT,
    assert_one_line,
    check_closed_loop,
    iotrace,
    report_of,
    runner,
    running,
)

from scenarios import Scenario, find
from tracer.bpf.loader import Attachment
from tracer.cli.main import main
from tracer.kernel import features
from tracer.run import scenario

SCHEMA = Draft202012Validator(
    json.loads((ROOT / "docs" / "schema" / "compare.schema.json").read_text())
)
DEFAULT = [
    "blocking",
    "nonblocking",
    "select",
    "poll",
    "epoll-lt",
    "signal",
    "posix-aio",
    "io-uring",
]
SHORT = ("--rounds", 3, "--messages", 5, "--interval", "1ms")

try:
    with Attachment(features.find(), 4096):
        pass
except features.CannotTrace as error:
    pytest.skip(" ".join(str(error).split())[:200], allow_module_level=True)


def test_one_for_each_model_with_what_each_is(tmp_path):
    result = report_of("compare", "--rounds", 3, env={"TMPDIR": str(tmp_path)})
    SCHEMA.validate(result)
    assert [its["name"] for its in result["models"]] == DEFAULT and result["unavailable"] == []
    found = {its["name"]: its for its in result["models"]}
    for name, its in found.items():
        assert (
            its["model"] == name and its["runs"] == 3 and its["messages"] == 60 and its["lost"] == 0
        )
        assert its["lang"] == ("c" if shutil.which("cc") and find(name).twin else "python")
        assert its["synchronous"] is (name not in ("posix-aio", "io-uring"))
    assert {name: its["meanwhile"] for name, its in found.items()} == {
        "blocking": "asleep",
        "nonblocking": "asking",
        "select": "asleep",
        "poll": "asleep",
        "epoll-lt": "asleep",
        "signal": "free",
        "posix-aio": "free",
        "io-uring": "free",
    }
    calls = {name: its["measures"]["calls"]["runs"] for name, its in found.items()}
    assert calls["blocking"] == [1] * 3 and calls["signal"] == [3] * 3
    assert calls["select"] == calls["poll"] == calls["epoll-lt"] == [2] * 3
    assert min(calls["nonblocking"]) > max(
        max(runs) for name, runs in calls.items() if name != "nonblocking"
    )
    assert len(result["differences"]) == 10 * 28
    assert os.listdir(tmp_path) == []


def test_recordings_are_kept_and_are_reports(tmp_path):
    result = report_of(
        "compare", "epoll-lt", "threads", "--sockets", 5, *SHORT, "-o", tmp_path / "runs"
    )
    SCHEMA.validate(result)
    paths = [path for its in result["models"] for path in its["recordings"]]
    assert sorted(os.listdir(tmp_path / "runs")) == sorted(os.path.basename(path) for path in paths)
    assert len(paths) == 6
    for path in paths:
        check_closed_loop(
            report_of("report", path),
            re.sub("-(c|python)-[0-9]+.parquet$", "", os.path.basename(path)),
            5,
        )


@pytest.mark.skipif(not shutil.which("cc"), reason="no cc")
def test_both_languages_and_what_has_no_twin(monkeypatch):
    has = Scenario.twin.fget
    twins = property(lambda its: None if its.name == "io-uring" else has(its))
    monkeypatch.setattr(Scenario, "twin", twins)
    both = ("--lang", "both")
    done = runner().invoke(main, ["compare", "poll", "io-uring", *both, *map(str, SHORT), "--json"])
    result = json.loads(done.stdout)
    SCHEMA.validate(result)
    assert [(its["name"], its["lang"]) for its in result["models"]] == [
        ("poll", "c"),
        ("poll", "python"),
        ("io-uring", "python"),
    ]
    assert [(its["name"], its["lang"]) for its in result["unavailable"]] == [("io-uring", "c")]


def test_what_this_kernel_cannot_run_is_said_and_the_rest_goes_on(monkeypatch, tmp_path):
    real = scenario.traced

    def refusing(plan, *rest):
        if plan.scenario == "poll":
            raise scenario.CannotRun("poll: not on this kernel")
        return real(plan, *rest)

    monkeypatch.setattr(scenario, "traced", refusing)
    command = ["compare", "blocking", "poll", *map(str, SHORT), "--lang", "python", "--json"]
    command += ["-o", str(tmp_path)]
    done = runner().invoke(main, command)
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    SCHEMA.validate(result)
    assert [its["name"] for its in result["models"]] == ["blocking"]
    assert result["unavailable"] == [
        {"name": "poll", "lang": "python", "why": "poll: not on this kernel"}
    ]
    assert sorted(os.listdir(tmp_path)) == [
        f"blocking-python-{number}.parquet" for number in (1, 2, 3)
    ]
    done = runner().invoke(main, ["compare", "poll", *map(str, SHORT)])
    assert (
        done.exit_code == 3
        and done.stdout == ""
        and done.stderr.splitlines()[-1] == "iotrace: poll: not on this kernel"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(number, tmp_path):
    kept, temporary = tmp_path / "kept", tmp_path / "temporary"
    temporary.mkdir()
    with running(
        "compare",
        "blocking",
        "nonblocking",
        "--messages",
        1000,
        "-o",
        kept,
        env={"TMPDIR": str(temporary)},
    ) as run:
        run.await_messages(3)
        run.process.send_signal(number)
        done = run.end()
        assert run.processes() == []
    assert (
        done.returncode == 1
        and done.stdout == ""
        and done.stderr.splitlines()[-1] == "iotrace: interrupted"
    )
    assert os.listdir(temporary) == os.listdir(kept) == []


def test_interrupted_it_compares_the_rounds_that_were_whole(tmp_path):
    kept, temporary = tmp_path / "kept", tmp_path / "temporary"
    temporary.mkdir()
    arguments = ("blocking", "select", "--rounds", 100, *SHORT[2:], "-o", kept, "--json")
    with running("compare", *arguments, env={"TMPDIR": str(temporary)}) as run:
        while not kept.exists() or len(os.listdir(kept)) < 3:  # one round, and a run
            run.check_running()
        run.process.send_signal(signal.SIGINT)
        done = run.end()
        assert run.processes() == []
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "iotrace: interrupted"
    result = json.loads(done.stdout)
    SCHEMA.validate(result)
    assert result["interrupted"] and result["options"]["rounds"] == 100
    one, other = result["models"]
    assert one["runs"] == other["runs"] >= 1 and one["messages"] == 5 * one["runs"]
    shown = {path for its in result["models"] for path in its["recordings"]}
    there = {str(kept / name) for name in os.listdir(kept)}
    assert shown <= there and len(there) - len(shown) <= 1
    assert os.listdir(temporary) == []


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("nonsense",), 2, "nonsense"),
        (("blocking", "--rounds", "2"), 2, "--rounds"),
        (("blocking", "--sockets", "5"), 2, "socket"),
        (("linux-aio",), 2, "file"),
        (("blocking", "--pin", "4095"), 2, "CPU 4095"),
        (("blocking", "--pin", "0,1,2"), 2, "0,1"),
        (("blocking", "--lang", "perl"), 2, "both"),
        (("blocking", "-o", "/proc/x"), 1, "/proc/x"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments, status, word):
    assert_one_line(iotrace("compare", *arguments), status, word)


def test_what_is_printed_fits_in_80_columns():
    done = iotrace(
        "compare",
        "blocking",
        "epoll-herd-exclusive",
        "--proto",
        "tcp",
        *SHORT,
        env={"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= 80
    assert "iotrace: 5 of 6 runs made" in done.stderr
