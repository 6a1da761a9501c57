"""Where namespaces keep iotrace from its work, it says so at once, in one line."""

from __future__ import annotations

import json
import subprocess

import pytest
from support.running import IOTRACE, ROOT, assert_one_line


def inside(*words: str) -> subprocess.CompletedProcess[str]:
    """unshare(1) with these words; skips the test where such namespaces cannot be made."""
    done = subprocess.run(
        ["unshare", *words], capture_output=True, text=True, cwd=ROOT, timeout=150
    )
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr.strip())
    return done


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["run", "blocking"], 3),
        (["trace", "true"], 125),
        (["attach", "-p", "1"], 3),
        (["report", "tests/data/poll.parquet"], 3),
    ],
)
def test_a_pid_namespace_without_fork(arguments, status):
    """iotrace can make no threads there, and numpy ends what imports it (OpenBLAS)."""
    done = inside("--pid", *IOTRACE, *arguments)
    assert_one_line(done, status, "unshare --pid --fork")


@pytest.mark.parametrize("scenario", ["blocking", "epoll-lt"])
def test_a_network_namespace_without_loopback(scenario):
    done = inside("--net", *IOTRACE, "run", scenario)
    assert_one_line(done, 3, "127.0.0.1", "ip link set lo up")


def test_what_needs_no_loopback_runs_there():
    done = inside("--net", *IOTRACE, "run", "blocking", "--proto", "unix", "--no-cost")
    assert done.returncode == 0, done.stderr


def test_a_command_in_a_pid_namespace_whose_proc_is_another_s():
    """The command's number there is another process's in /proc: it is iotrace's own child all the same."""
    words = "--no-cost", "--json", "--", "sh", "-c", "cat /dev/null; exit 7"
    done = inside("--pid", "--fork", *IOTRACE, "trace", *words)
    assert done.returncode == 7, done.stderr
    report = json.loads(done.stdout)
    assert report["ledger"]["balanced"]
    assert {row["name"] for row in report["processes"]} == {"sh", "cat"}
