"""A disk or a stream that takes nothing more: one line that names it, the documented status, nothing left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.running import IOTRACE, ROOT, assert_one_line, mounts_apart

COMMANDS = [
    pytest.param(["run", "nonblocking", "--no-cost"], 1, id="run"),
    pytest.param(
        [
            "trace",
            "--no-cost",
            "--",
            "PYTHON",
            "-c",
            "import os\nfor _ in range(99999): os.getppid()",
        ],
        125,
        id="trace",
    ),
    pytest.param(["attach", "--no-cost", "-d", "0.1", "-p", "PID"], 1, id="attach"),
]
INSIDE = 'mount -t tmpfs -o size=4k none "$0" && exec "$@"'  # and away with the namespace


@pytest.fixture
def bystander():
    """The ID of a process to attach to, which makes calls without end."""
    process = subprocess.Popen([sys.executable, "-c", "import os\nwhile True: os.getppid()"])
    yield str(process.pid)
    process.kill()
    process.wait()


def completed(
    command: list[str], pid: str, *before: str, **more: object
) -> subprocess.CompletedProcess:
    words = [{"PID": pid, "PYTHON": sys.executable}.get(word, word) for word in command]
    return subprocess.run(
        [*before, *IOTRACE, *words],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        timeout=100,
        **{"stdout": subprocess.PIPE, **more},
    )


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize(("command", "status"), COMMANDS)
def test_stdout_that_is_full(command, status, json, bystander):
    if command[0] == "trace" and not json:
        pytest.skip("its report goes to stderr")
    with open("/dev/full", "w") as full:
        done = completed([command[0], *["--json"] * json, *command[1:]], bystander, stdout=full)
    assert (done.returncode, done.stderr) == (
        status,
        "iotrace: standard output: No space left on device\n",
    )


def test_stderr_that_is_full():
    with open("/dev/full", "w") as full:
        done = subprocess.run([*IOTRACE, "trace", "--no-cost", "--", "true"], stderr=full, cwd=ROOT)
    assert done.returncode == 125


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("command", "status"), COMMANDS)
def test_disk_that_is_full(command, status, named, bystander, tmp_path):
    output = [f"-o{tmp_path}/run"] * named
    inside = *mounts_apart(), "sh", "-c", INSIDE, str(tmp_path)
    done = completed(
        [command[0], *output, *command[1:]],
        bystander,
        *inside,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert_one_line(
        done, status, f"{tmp_path}/run: " if named else f"{tmp_path}: ", "No space left on device"
    )
