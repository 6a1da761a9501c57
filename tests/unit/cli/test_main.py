"""The command line with bad input: a line on stderr, the documented status, nothing left behind; nothing is traced."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import IOTRACE, NOBODY, PYTHON, ROOT, assert_one_line, iotrace, runner

from scenarios import find, scenarios
from tracer import __version__
from tracer.cli.main import main

RECORDING = ROOT / "tests" / "data" / "nonblocking.parquet"


@pytest.fixture
def unprivileged() -> int | None:
    """The user to run as without root: None is ourselves."""
    if os.geteuid() != 0:
        return None
    can = subprocess.run(
        [*PYTHON, "-c", "import tracer.cli.main"],
        cwd=ROOT,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
    )
    if can.returncode:
        pytest.skip("user nobody cannot read this checkout or its environment")
    return NOBODY


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where temporary files go, which must be empty at the end; for every user, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        monkeypatch.setenv("TMPDIR", directory)
        yield directory
        assert os.listdir(directory) == []


def test_list_shows_every_scenario_by_figure_with_all_that_it_is_run_with() -> None:
    done = iotrace("list")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and done.stderr == ""
    assert all(len(line) <= 80 for line in lines)
    titles = [line for line in lines if re.match(r"6\.\d ", line)]
    assert [title[:3] for title in titles] == ["6.1", "6.2", "6.3", "6.4", "6.5"]
    entries = re.split(r"\n(?=\S)", done.stdout.strip())
    told = {entry.split()[0]: " ".join(entry.split()) for entry in entries}
    for its in scenarios():
        assert its.summary in told[its.name]
        assert all(word in told[its.name] for word in (*its.languages, *its.aliases))
        assert its.protocols == ("none",) or ", ".join(its.protocols) in told[its.name]
    order = [*told]
    assert [order.index(name) for name in ("select", "poll", "epoll-lt", "epoll-et")] == sorted(
        order.index(name) for name in ("select", "poll", "epoll-lt", "epoll-et")
    )
    assert order.index("blocking") < order.index("6.2") < order.index("nonblocking")
    assert order.index("lock") > order.index("posix-aio")


def test_list_as_json_has_the_same() -> None:
    listed = json.loads(iotrace("list", "--json").stdout)["scenarios"]
    assert {its["name"] for its in listed} == {its.name for its in scenarios()}
    for its in listed:
        scenario = find(its["name"])
        assert its == {
            "name": scenario.name,
            "summary": scenario.summary,
            "figure": scenario.figure or None,
            "model": scenario.model,
            "aliases": [*scenario.aliases],
            "languages": [*scenario.languages],
            "protocols": [*scenario.protocols],
            "sockets": scenario.sockets,
        }


@pytest.mark.parametrize("columns", [30, 40, 60, 200])
def test_list_fits_the_terminal(columns: int) -> None:
    lines = iotrace("list", env={"COLUMNS": str(columns)}).stdout.splitlines()
    assert max(map(len, lines)) <= columns


def test_version_and_help() -> None:
    assert __version__ in iotrace("--version").stdout
    for arguments in (
        [],
        ["-h"],
        ["run", "--help"],
        ["report", "-h"],
        ["list", "-h"],
        ["doctor", "-h"],
    ):
        done = iotrace(*arguments)
        assert done.returncode == 0 and "Usage" in done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("blokking", "blocking"),
        ("NONBLOCKIN", "nonblocking"),
        ("epol", "epoll"),
        ("sigoi", "sigio"),
        ("selct", "select"),
    ],
)
def test_unknown_scenario_suggests_the_nearest(typed: str, meant: str, temporary: str) -> None:
    assert_one_line(iotrace("run", typed), 2, typed, f"did you mean {meant}?")


def test_unknown_scenario_like_none(temporary: str) -> None:
    assert_one_line(iotrace("run", "qqqqqqq"), 2, "qqqqqqq", "iotrace list")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--messages", "0"],
        ["--messages", "-3"],
        ["--messages", "many"],
        ["--messages", "1.5"],
        ["--messages", "100000000"],
        ["--interval", "soon"],
        ["--interval", "-1ms"],
        ["--interval", "10 parsecs"],
        ["--interval", "nan"],
        ["--interval", ""],
        ["--interval", "99999999999s"],
        ["--interval", "9" * 400],
        ["--size", "0"],
        ["--size", "2000000"],
        ["--size", "65508"],
        ["--proto", "sctp"],
        ["--proto", "unix", "--size", "131073"],
        ["--sockets", "0"],
        ["--sockets", "many"],
        ["--lang", "cobol"],
        ["--ring-size", "5000"],
        ["--ring-size", "1"],
        ["--timeout", "0"],
        ["--timeout", "-1"],
        ["--timeout", "nan"],
        ["--timeout", "inf"],
        ["--timeout", "1e300"],
        ["--nonsense"],
        ["another"],
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
def test_nonsense_is_wrong_usage(arguments: list[str], temporary: str) -> None:
    assert_one_line(iotrace("run", "blocking", *arguments), 2)


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["run"], ["report"], ["--nonsense"], ["list", "more"]]
)
def test_wrong_commands(arguments: list[str]) -> None:
    assert_one_line(iotrace(*arguments), 2)


def test_protocol_that_the_model_does_not_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    only_udp = [replace(scenario, protocols=("udp",)) for scenario in scenarios()]
    monkeypatch.setattr("scenarios.scenarios", lambda: only_udp)
    done = runner().invoke(main, ["run", "blocking", "--proto", "tcp"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == ["iotrace: blocking runs over udp, not over tcp"]


@pytest.mark.parametrize(
    ("name", "sockets", "words"),
    [
        ("blocking", 2, ["1 socket", "select, poll and epoll"]),
        ("select", 1001, ["1,000", "FD_SETSIZE", "1023"]),
        ("epoll-lt", 20001, ["20,000", "port"]),
    ],
)
def test_more_sockets_than_a_model_can_watch(
    name: str, sockets: int, words: list[str], temporary: str
) -> None:
    assert_one_line(iotrace("run", name, "--sockets", sockets), 2, name, *words)


def test_language_in_which_there_is_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    without = [replace(scenario, module="scenarios.elsewhere") for scenario in scenarios()]
    monkeypatch.setattr("scenarios.scenarios", lambda: without)
    done = runner().invoke(main, ["run", "blocking", "--lang", "c"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == ["iotrace: blocking has no twin in C"]


@pytest.mark.parametrize("command", [["run", "blocking"], ["doctor"]])
def test_without_root(command: list[str], unprivileged: int | None, temporary: str) -> None:
    done = iotrace(*command, user=unprivileged)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1 and "root" in done.stderr


def test_without_root_no_file_is_left(unprivileged: int | None, temporary: str) -> None:
    done = iotrace("run", "blocking", "-o", f"{temporary}/run", user=unprivileged)
    assert done.returncode == 3 and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("where", ["none/run", "/proc/run", "/sys/run", "file/run"])
def test_output_that_cannot_be_written_is_said_before_the_run(
    where: str, tmp_path: Path, temporary: str
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / where
    # before the run: an option that the run would need root for changes nothing
    assert_one_line(iotrace("run", "blocking", "-o", path), 1, str(path))


def test_output_that_is_a_directory(tmp_path: Path, temporary: str) -> None:
    assert_one_line(iotrace("run", "blocking", "-o", tmp_path), 2, str(tmp_path))


def test_output_in_somebody_elses_directory(unprivileged: int | None, temporary: str) -> None:
    if not (unprivileged or os.geteuid()):
        pytest.skip("needs a user who is not root")
    assert_one_line(
        iotrace("run", "blocking", "-o", "/usr/run.parquet", user=unprivileged),
        1,
        "/usr/run.parquet",
        "Permission denied",
    )


def test_json_is_one_object() -> None:
    done = iotrace("report", RECORDING, "--json")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("\n") == 1
    its = json.loads(done.stdout)
    assert its.keys() >= {
        "schema",
        "scenario",
        "host",
        "options",
        "expected",
        "base_ns",
        "operations",
        "phases",
        "threads",
        "syscalls",
        "signals",
        "model",
        "ledger",
        "cost",
    }
    assert its["ledger"].keys() >= {"counted", "delivered", "lost", "open", "missed"}
    assert all(
        type(value) is int
        for op in its["operations"]
        for name, value in op.items()
        if name.endswith("_ns")
    )


def test_ascii_is_ascii() -> None:
    done = iotrace("report", RECORDING, "--ascii", "--hist", env={"PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 0 and done.stdout.isascii()


def test_a_terminal_without_unicode_gets_ascii() -> None:
    done = iotrace("report", RECORDING, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    if not PYTHON[1:]:  # -I ignores the environment
        assert done.returncode == 0 and done.stdout.isascii(), done.stderr


@pytest.mark.parametrize(
    "command", [["list"], ["report", str(RECORDING)], ["report", str(RECORDING), "--json"]]
)
def test_a_reader_that_has_gone_is_no_traceback(command: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*IOTRACE, *command], stdout=write_end, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    os.close(write_end)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["report", RECORDING],
        ["report", RECORDING, "--json"],
        ["report", RECORDING, "--events"],
        ["--help"],
    ],
    ids=lambda its: its[-1],
)
def test_a_full_disk_behind_stdout_is_one_line(command: list[object]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*IOTRACE, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
    assert (done.returncode, done.stderr) == (
        1,
        "iotrace: standard output: No space left on device\n",
    )


def test_what_stderr_does_not_take_changes_no_status() -> None:
    with open("/dev/full", "w") as full:
        assert subprocess.run([*IOTRACE, "run", "blokking"], stderr=full, cwd=ROOT).returncode == 2


def test_no_program_is_taken_from_where_the_user_stands(tmp_path: Path) -> None:
    """As click does for shell completion, which looks for bash."""
    planted = tmp_path / "bash"
    planted.write_text("#!/bin/sh\ntouch taken\necho 5.2.0\n")
    planted.chmod(0o755)
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['iotrace']; "
        "from tracer.cli.main import main; main()"
    )
    for path in (":/usr/bin:/bin", ".:/usr/bin:/bin", "/usr/bin:/bin"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, "_IOTRACE_COMPLETE": "bash_source"},
        )
        assert "complete" in done.stdout, done.stderr
        assert os.listdir(tmp_path) == ["bash"]


def test_ctrl_c_while_the_command_line_is_imported_ends_it_without_a_word():
    program = """
import importlib.abc, os, signal, sys
class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "tracer.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, signal.default_int_handler)
from tracer.__main__ import main
main()
"""
    done = subprocess.run([*PYTHON, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
