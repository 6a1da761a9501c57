"""What fails in iotrace while a target runs: the target goes on to its own end, and what was recorded is kept.

The faults are put into iotrace's own functions, which a command in this process then calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import Result
from support.running import check_nothing_lost, report_of, runner

from tracer.capture.collector import Collector
from tracer.capture.fd_names_live import Names
from tracer.capture.recorder import Recorder
from tracer.cli.main import main
from tracer.kernel import features, syscalls
from tracer.kernel.proc import Process
from tracer.recording import parquet, partial
from tracer.recording.parquet import Writer
from tracer.recording.records import Kind

COUNT = 5000
# so many calls, then a file that says that it came to its end
WORK = "import os, sys\nfor _ in range({}): os.getppid()\nopen(sys.argv[1], 'w').write('to the end')\nsys.exit(7)"


class Fault(Exception):
    """One of nobody's making."""


def failing(
    monkeypatch, owner: type, name: str, after: int, error: Exception | None = None
) -> None:
    """Has a method raise from its call number `after` on (from 0)."""
    real, count = getattr(owner, name), [0]

    def method(*arguments, **more):
        count[0] += 1
        if count[0] > after:
            raise error or Fault("by hand\nin two lines")
        return real(*arguments, **more)

    monkeypatch.setattr(owner, name, method)


def iotrace(*arguments: object) -> Result:
    return runner().invoke(main, list(map(str, arguments)))


def traced(tmp_path, *options: object) -> Result:
    program = [sys.executable, "-c", WORK.format(COUNT), tmp_path / "end"]
    return iotrace("trace", "--no-cost", *options, "--", *program)


def check(done: Result, status: int, *words: str) -> None:
    """One line of iotrace's own, the last one, that has the words."""
    assert done.exit_code == status, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("iotrace: ") and "Traceback" not in done.stderr
    for word in words:
        assert word in line


@pytest.fixture
def bystander():
    """A process that makes calls without end."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import os\nprint(flush=True)\nwhile True: os.getppid()"],
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("method", ["feed", "look"])
def test_names_that_fail_cost_names_alone(method, monkeypatch, tmp_path):
    failing(monkeypatch, Names, method, 0)
    done = traced(tmp_path, "--json", "-o", tmp_path / "run")
    check(
        done,
        125,
        "Fault: by hand in two lines",
        "may be missing, nothing else is",
        "ended with status 7",
    )
    assert (tmp_path / "end").read_text() == "to the end"
    report = json.loads(done.stdout)
    assert next(call["calls"] for call in report["syscalls"] if call["name"] == "getppid") == COUNT
    assert report["ended"] == "completed" and report["failure"] == "Fault: by hand in two lines"
    check_nothing_lost(report)
    assert report_of("report", tmp_path / "run") == report


@pytest.mark.parametrize(
    ("owner", "method"),
    [(Names, "catch_up"), (Names, "feed"), (Process, "command"), (Process, "descriptor")],
)
def test_names_that_fail_when_attaching_cost_names_alone(
    owner, method, monkeypatch, tmp_path, bystander
):
    failing(monkeypatch, owner, method, 0)
    done = iotrace("attach", "--no-cost", "-d", 1, "-o", tmp_path / "run", "-p", bystander.pid)
    assert bystander.poll() is None
    report = report_of("report", tmp_path / "run")
    assert report["ended"] == "duration" and report["syscalls"][0]["name"] == "getppid"
    check(done, 1, "may be missing, nothing else is", "the program goes on")
    assert report["failure"]


@pytest.mark.parametrize("after", [0, 1])
def test_a_drain_that_fails_ends_the_recording_and_not_the_command(after, monkeypatch, tmp_path):
    failing(monkeypatch, Collector, "drain", after)
    done = traced(tmp_path, "-o", tmp_path / "run")
    check(
        done,
        125,
        "Fault: by hand in two lines",
        "tracing ended early, the command went on",
        "status 7",
    )
    assert (tmp_path / "end").read_text() == "to the end"
    if (tmp_path / "run").exists():
        report = report_of("report", tmp_path / "run")
        assert report["ended"] == "failed" and report["failure"]
        assert "TRACING ENDED EARLY" in done.stderr and "complete" not in done.stderr


def test_what_was_recorded_before_a_drain_failed_is_kept(monkeypatch, tmp_path):
    """The command waits between two kinds of calls: the drain after the first kind fails, the second comes untraced."""
    fifo, path = tmp_path / "fifo", tmp_path / "run"
    os.mkfifo(fifo)
    go = os.open(fifo, os.O_RDWR)
    program = (
        "import os, sys\nfor _ in range(23): os.getppid()\nopen(sys.argv[1]).readline()\n"
        "for _ in range(5): os.getpgrp()"
    )
    number, drain, detach, seen = (
        syscalls.numbers()["getppid"],
        Collector.drain,
        Collector.detach,
        [0],
    )

    def failing_drain(its):
        if seen[0] >= 23:
            raise Fault
        records = drain(its)
        seen[0] += int(((records.kind == Kind.CALL) & (records.nr == number)).sum())
        return records

    def detach_and_go_on(its):
        detach(its)
        os.write(go, b"\n")

    monkeypatch.setattr(Collector, "drain", failing_drain)
    monkeypatch.setattr(Collector, "detach", detach_and_go_on)
    done = iotrace("trace", "--no-cost", "-o", path, "--", sys.executable, "-c", program, fifo)
    os.close(go)
    check(done, 125, "tracing ended early", "status 0")
    report = report_of("report", path)
    calls = {call["name"]: call["calls"] for call in report["syscalls"]}
    assert calls["getppid"] == 23 and "getpgrp" not in calls and report["ended"] == "failed"


def test_what_was_drained_and_not_recorded_is_not_said_to_be_delivered(monkeypatch, tmp_path):
    """The fault lies between the ring and the recording; the command goes on when its beginning is recorded."""
    fifo, real = tmp_path / "fifo", Recorder._seen
    os.mkfifo(fifo)
    go = os.open(fifo, os.O_RDWR)

    def seen(its, records):
        if its.began and len(records):
            raise Fault
        result = real(its, records)
        if its.began:
            os.write(go, b"\n")
        return result

    monkeypatch.setattr(Recorder, "_seen", seen)
    done = iotrace(
        "trace",
        "--no-cost",
        "-o",
        tmp_path / "run",
        "--",
        "sh",
        "-c",
        'read line <"$0"; exit 7',
        fifo,
    )
    os.close(go)
    check(done, 125, "tracing ended early", "status 7")
    assert "THE LEDGER DOES NOT BALANCE" in done.stderr
    ledger = report_of("report", tmp_path / "run")["ledger"]
    assert ledger["counted"] > ledger["delivered"] + ledger["lost"] and not ledger["balanced"]


@pytest.mark.parametrize("error", [None, OSError(28, "No space left on device")])
def test_a_writer_that_fails_ends_the_recording_and_not_the_command(error, monkeypatch, tmp_path):
    failing(monkeypatch, partial.Writer, "write", 0, error)
    done = traced(tmp_path, "-o", tmp_path / "run")
    check(done, 125, "tracing ended early", "ended with status 7")
    if error:  # the disk took nothing
        assert os.listdir(tmp_path) == ["end"]
        return
    assert sorted(os.listdir(tmp_path)) == ["end", "run"]
    assert report_of("report", tmp_path / "run")["ended"] == "failed"


@pytest.mark.parametrize("error", [None, OSError(28, "No space left on device")])
def test_a_recording_that_cannot_be_made_leaves_what_it_was_to_be_made_from(
    error, monkeypatch, tmp_path
):
    with monkeypatch.context() as patch:
        failing(patch, Writer, "_flush", 0, error)
        done = traced(tmp_path, "-o", tmp_path / "run")
    place = tmp_path / "run.partial"
    check(done, 125, f"what was recorded until then is {place}", "ended with status 7")
    assert sorted(os.listdir(tmp_path)) == ["end", "run.partial"]
    report = report_of("report", place)
    assert (report["ended"], report["ledger"]["counted"]) == ("cut short", None)
    calls = {call["name"]: call["calls"] for call in report["syscalls"]}
    assert calls["getppid"] == COUNT


def raising(error: Exception):
    def raises(*_, **__):
        raise error

    return raises


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(("command", "status"), [("run", 1), ("trace", 125), ("attach", 1)])
@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("tracer.output.terminal.report.render", ZeroDivisionError("by hand")),
        ("tracer.report.build.build", FileNotFoundError(2, "by hand")),
        ("tracer.report.build.build", parquet.RecordingError("by hand")),
    ],
    ids=lambda its: getattr(its, "__name__", type(its).__name__),
)
def test_a_report_that_fails_leaves_the_recording(
    place, error, command, status, kept, monkeypatch, tmp_path, bystander
):
    monkeypatch.setattr(place, raising(error))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arguments = {
        "run": ["blocking", "--messages", 3],
        "trace": ["--", "true"],
        "attach": ["-d", 0.2, "-p", bystander.pid],
    }
    output = ["-o", tmp_path / "mine.parquet"] * kept
    done = iotrace(command, "--no-cost", *output, *arguments[command])
    check(
        done,
        status,
        "by hand",
        "the recording is kept as ",
        *["the command ended with status 0"] * (command == "trace"),
    )
    path = done.stderr.strip().rpartition(" ")[2]
    assert os.listdir(tmp_path) == [os.path.basename(path)]
    assert (path == str(tmp_path / "mine.parquet")) == kept
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert report_of("report", path)["ended"] in ("completed", "duration")


@pytest.mark.parametrize("after", [0, 3])
def test_an_attached_program_goes_on_when_a_drain_fails(after, monkeypatch, tmp_path, bystander):
    failing(monkeypatch, Collector, "drain", after)
    done = iotrace("attach", "--no-cost", "-o", tmp_path / "run", "-p", bystander.pid)
    check(done, 1, "tracing ended early", "the program goes on")
    assert bystander.poll() is None
    report = report_of("report", tmp_path / "run")
    assert report["ended"] == "failed" and 0 <= report["window_ns"][1] < 60 * 10**9


def test_a_scenario_ends_when_a_drain_fails(monkeypatch, tmp_path):
    failing(monkeypatch, Collector, "drain", 3)
    done = iotrace("run", "blocking", "--messages", 10000, "--no-cost", "-o", tmp_path / "run")
    check(done, 1, "tracing ended early", "Fault")
    assert report_of("report", tmp_path / "run")["ended"] == "failed"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("run", "blocking"), 1),
        (("trace", "true"), 125),
        (("attach", "-p", os.getppid()), 1),
        (("doctor",), 1),
        (("lab", "list"), 1),
    ],
)
def test_what_nobody_foresaw_is_one_line_and_a_traceback_on_demand(arguments, status, monkeypatch):
    def find(*_):
        raise Fault("nobody foresaw it")

    monkeypatch.setattr(features, "find", find)
    monkeypatch.setattr("tracer.cli.lab._store", find)
    done = iotrace(*arguments)
    check(done, status, "Fault: nobody foresaw it", "--debug")
    assert len(done.stderr.splitlines()) == 1
    for words in (["--debug", *arguments], [*arguments[:1], "--debug", *arguments[1:]]):
        done = iotrace(*words)
        assert done.exit_code == status and "Traceback" in done.stderr and "in find" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("iotrace: ")


def test_a_failure_that_a_target_has_survived_has_its_traceback_too(monkeypatch, tmp_path):
    failing(monkeypatch, Names, "feed", 0)
    done = traced(tmp_path, "--debug", "--json")
    assert "test_faults.py" in done.stderr and "Fault" in done.stderr and done.exit_code == 125


def test_ctrl_c_still_reaches_a_command_whose_recording_ended_early(monkeypatch, tmp_path):
    failing(monkeypatch, Collector, "drain", 0)
    program = "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)\nsignal.pause()"
    done = iotrace("trace", "--no-cost", "--", sys.executable, "-c", program)
    check(done, 125, f"status {128 + signal.SIGTERM}")
