"""`iotrace bench readiness` on the running kernel: every operation found in the recording, the time in its call never
above its wall time, and nothing left behind. Needs root and a kernel that runs BPF; no test here asserts a time."""

from __future__ import annotations

import json
import resource
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from support.contract import faults
from support.running import iotrace, running

pytestmark = [pytest.mark.live, pytest.mark.skipif(not shutil.which("cc"), reason="no cc")]
SMALL = ("--descriptors", 10, "--descriptors", 40, "--rounds", 1)


def measured(*arguments: object) -> Any:
    done = iotrace("bench", "readiness", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert not faults(result, "readiness")
    return result


@pytest.mark.parametrize(
    "options",
    [
        ("--fd", "pipe"),
        ("--fd", "udp", "--active", 7),
        ("--fd", "tcp", "--churn"),
        pytest.param(("--fd", "unix", "--active", 3, "--churn"), marks=pytest.mark.thorough),
        pytest.param(("--fd", "eventfd"), marks=pytest.mark.thorough),
    ],
)
def test_every_operation_is_in_the_recording_and_none_is_longer_inside_than_it_took(
    options: tuple[object, ...],
) -> None:
    result = measured(*SMALL, *options)
    left_out = {its["call"] for its in result["left_out"]}
    calls = {"select", "poll", "epoll-lt", "epoll-et", "io_uring"} - left_out
    assert {(row["call"], row["n"]) for row in result["rows"]} == {
        (call, n) for call in calls for n in (10, 40)
    }
    assert result["lost"] == 0
    for row in result["rows"]:
        assert row["traced_operations"] == row["operations"] == 1000
        assert 0 < row["in_call_ns"] <= row["traced_wall_ns"]


def test_what_does_not_fit_is_left_out_and_the_rest_measured() -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 100_000 + 400:
        pytest.skip("100,000 descriptors fit here")
    result = measured("--descriptors", 10, "--descriptors", 100_000, "--rounds", 1)
    if result["left_out"]:  # root may raise the limit
        assert {row["n"] for row in result["rows"]} == {10}
        assert [its["n"] for its in result["left_out"] if its["n"]] == [100_000]
        assert "descriptors" in result["left_out"][-1]["why"]


def test_ctrl_c_ends_the_program_too(tmp_path: Path) -> None:
    with running("bench", "readiness", "--full", env={"TMPDIR": str(tmp_path)}) as run:
        assert run.process.stderr
        assert "0 of 30 runs made" in run.process.stderr.readline()
        run.process.send_signal(signal.SIGINT)
        done = run.end()
        assert run.processes() == []
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines()[-1] == "iotrace: interrupted"
    assert not [*tmp_path.iterdir()]
