"""Machines with other kernels (QEMU): the same scenarios, exact on each; and what a machine that fails leaves.

Nothing is downloaded for a test: a kernel that `iotrace lab fetch` has not brought is a reason to skip.
"""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path

import pytest
from running import IOTRACE, ROOT, assert_one_line, check_closed_loop, iotrace, running

from tracer.lab import tools

pytestmark = [pytest.mark.live, pytest.mark.skipif(
    not all(map(tools.find, ("qemu-system-x86_64", "busybox", "setpriv"))), reason="no QEMU or busybox (make lab)")]
MESSAGES = 23
BY_KPROBE = ("5.10", "6.1")  # sk_data_ready came with 6.3


@functools.cache
def fetched() -> set[str]:
    """What of the lab is in the cache: names of kernels, and "root"."""
    rows = [line.split() for line in iotrace("lab", "list").stdout.splitlines()]
    return {row[0] for row in rows if "yes" in row}


def need(*names: str) -> None:
    """Skips unless these can be booted."""
    missing = [name for name in (*names, "root") if name not in fetched()]
    if missing:
        pytest.skip(f"not fetched: {', '.join(missing)} (iotrace lab fetch)")


def check_exact(directory: Path, kernels: tuple[str, ...], *scenarios: str) -> None:
    """Runs the matrix: on each kernel phases are contiguous, and all counts the workload's own; readiness is seen."""
    need(*kernels)
    chosen = [word for name in kernels for word in ("--kernel", name)]
    done = subprocess.run(
        [*IOTRACE, "lab", "matrix", *scenarios, *chosen, "--json", "--strict", "--accel", "tcg", "-o", directory,
         "--", "--messages", str(MESSAGES), "--no-cost"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(kernel["name"] for kernel in found["kernels"]) == sorted(kernels)
    for kernel in kernels:
        for scenario in scenarios:
            assert found["cells"][kernel][scenario]["contiguous"]
            report = json.loads((directory / kernel / f"{scenario}.json").read_text())
            check_closed_loop(report, scenario, MESSAGES)
            assert report["features"]["ready"].startswith("kprobe" if kernel in BY_KPROBE else "tracepoint")
            assert "ready" not in report["estimated"]


def test_one_scenario_on_two_kernels_is_exact_on_both(tmp_path):
    check_exact(tmp_path, ("6.1", "6.12"), "blocking")


@pytest.mark.thorough
def test_a_kprobe_shows_readiness_as_the_tracepoint_does(tmp_path):
    check_exact(tmp_path, ("5.10", "6.1", "6.12"), "blocking", "nonblocking", "select", "epoll-et", "signal")
