"""The twins in C (scenarios/c/): the same programs as in Python, option by option and count by count."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import cases
from support.cases import everyday
from support.running import PYTHON, ROOT

from scenarios import find, scenarios
from tracer.run import twin

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler (cc)")


def test_every_scenario_has_a_twin():
    assert [scenario.name for scenario in scenarios() if not scenario.twin] == []


@pytest.mark.parametrize("name", cases.TWINS)
def test_a_twin_runs_over_what_the_python_program_does(name):
    scenario = find(name)
    done = subprocess.run(
        [twin.built(scenario.twin), "--proto", "sctp"], capture_output=True, text=True
    )
    protocols = ", ".join(scenario.protocols)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"{name} runs over {protocols}, not over sctp\n"


@pytest.mark.parametrize("path", cases.C_FILES)
def test_compiles_without_a_warning(path, tmp_path):
    command = ["cc", *twin.FLAGS, "-Wextra", "-Werror", "-c", "-o", tmp_path / "object", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def by_hand(program: list, *options: str) -> tuple[list[str], dict[str, str]]:
    """The first line a scenario prints, without its time, in words; and its counts."""
    done = subprocess.run(
        [*program, "--messages", "23", "--interval-ns", "1000000", *options],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    first, _, *counts = (
        line for line in done.stdout.splitlines() if not line.startswith("  memory")
    )
    # from a pipe, C reads and Python readvs
    counted = (line.strip().replace("readv", "read").split(": ") for line in counts)
    return first.split()[:-2], dict(counted)


@pytest.mark.parametrize(
    ("name", "proto"),
    everyday(
        [
            pytest.param(*its.values, proto, marks=its.marks)
            for its in cases.TWINS
            for proto in find(its.values[0]).protocols
        ],
        lambda name, proto: proto == find(name).protocols[0] or name in ("blocking", "epoll-lt"),
    ),
)
def test_does_by_hand_what_the_python_program_does(name, proto):
    scenario = find(name)
    in_c = by_hand([twin.built(scenario.twin)], "--proto", proto)
    in_python = by_hand([*PYTHON, "-m", scenario.module], "--proto", proto)
    if name == "nonblocking" or not scenario.steady:  # how often it asks is the machine's affair
        in_c, in_python = ((first, successes(counts)) for first, counts in (in_c, in_python))
    assert in_c == in_python


def successes(counts: dict[str, str]) -> dict[str, int]:
    """How often each call succeeded that can fail for want of data."""
    calls = {
        line.split()[1]: int(count) for line, count in counts.items() if line.startswith("call")
    }
    failures = {
        line.split()[1]: int(count.split()[0])
        for line, count in counts.items()
        if line.startswith("error")
    }
    return {
        call: calls[call] - failures.get(call, 0)
        for call in ("recvfrom", "read", "accept4")
        if call in calls
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--messages", "0"],
        ["--messages", "-5"],
        ["--messages", "1x"],
        ["--size", ""],
        ["--size", "1048577"],
        ["--size", "65508"],
        ["--proto", "sctp"],
        ["more"],
        ["--nonsense"],
        ["--shared-fd", "x"],
    ],
    ids=" ".join,
)
def test_nonsense_is_wrong_usage(arguments):
    done = subprocess.run(
        [twin.built(find("blocking").twin), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1


def test_says_that_its_sender_was_killed():
    program = twin.built(find("blocking").twin)
    with subprocess.Popen(
        [program, "--messages", "100000"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (found := children.read_text().split()):
            pass
        os.kill(int(found[0]), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and err == "blocking: the sender ended early\n"


@pytest.mark.parametrize("lang", ["python", "c"])
@pytest.mark.parametrize("name", [its for its in cases.TWINS if find(its.values[0]).taskrun])
@pytest.mark.parametrize("taskrun", ["default", "coop", "defer"])
def test_task_work_is_asked_for_by_one_call_more_where_it_is_deferred(name, taskrun, lang):
    scenario = find(name)
    program = [twin.built(scenario.twin)] if lang == "c" else [*PYTHON, "-m", scenario.module]
    done = subprocess.run(
        [*program, "--messages", "23", "--interval-ns", "1000000", "--taskrun", taskrun],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
    )
    if done.returncode == 3:
        pytest.skip(done.stderr)
    calls = {"io-uring-worker": 46, "io-uring": 46 if taskrun == "defer" else 23}.get(name, 23)
    assert f"  call     io_uring_enter: {calls}\n" in done.stdout, done.stderr
    assert done.returncode == 0 and "23 messages" in done.stdout


@pytest.mark.parametrize(
    "name", [its for its in cases.TWINS if its.values[0] in ("blocking", "linux-aio")]
)
def test_only_io_uring_has_task_work(name):
    done = subprocess.run(
        [twin.built(find(name).twin), "--taskrun", "coop"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
