"""Machines with other kernels (QEMU): the same scenarios, exact on each; and what a machine that fails leaves.

Nothing is downloaded for a test: a kernel that `iotrace lab fetch` has not brought is a reason to skip.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import select
import signal
import subprocess
from pathlib import Path

import pytest
from support.running import IOTRACE, ROOT, assert_one_line, check_closed_loop, iotrace, running

from tracer.lab import kernels, pins, store, tools, vm
from tracer.lab.machine import Machine

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        not all(map(tools.find, ("qemu-system-x86_64", "busybox", "setpriv"))),
        reason="no QEMU or busybox (make lab)",
    ),
]
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


def name_of(pid: int) -> str:
    """The process's name, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def check_exact(directory: Path, kernels: tuple[str, ...], *scenarios: str) -> None:
    """Runs the matrix: on each kernel phases are contiguous, and all counts the workload's own; readiness is seen."""
    need(*kernels)
    chosen = [word for name in kernels for word in ("--kernel", name)]
    done = subprocess.run(
        [
            *IOTRACE,
            "lab",
            "matrix",
            *scenarios,
            *chosen,
            "--json",
            "--strict",
            "--accel",
            "tcg",
            "-o",
            directory,
            "--",
            "--messages",
            str(MESSAGES),
            "--no-cost",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(kernel["name"] for kernel in found["kernels"]) == sorted(kernels)
    for kernel in kernels:
        for scenario in scenarios:
            assert found["cells"][kernel][scenario]["contiguous"]
            report = json.loads((directory / kernel / f"{scenario}.json").read_text())
            check_closed_loop(report, scenario, MESSAGES)
            assert report["features"]["ready"].startswith(
                "kprobe" if kernel in BY_KPROBE else "tracepoint"
            )
            for op in report["operations"]:  # seen, if perhaps moved to be in order
                assert "ready" not in op["estimated"] or "ready_ns" in op["raw"], op


def test_one_scenario_on_two_kernels_is_exact_on_both(tmp_path):
    check_exact(tmp_path, ("6.1", "6.12"), "blocking")


@pytest.mark.thorough
def test_a_kprobe_shows_readiness_as_the_tracepoint_does(tmp_path):
    check_exact(
        tmp_path, ("5.10", "6.1", "6.12"), "blocking", "nonblocking", "select", "epoll-et", "signal"
    )


def test_a_guest_that_panics_is_told_with_its_last_words():
    need("6.1")
    done = iotrace(
        "lab",
        "run",
        "6.1",
        "--accel",
        "tcg",
        "--",
        "trace",
        "--",
        "sh",
        "-c",
        "echo c >/proc/sysrq-trigger",
    )
    assert done.returncode == 1, done.stderr
    assert "sysrq triggered crash" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("iotrace: the guest's kernel panicked")


def test_a_kernel_that_does_not_boot_is_ended(tmp_path):
    need("6.1")
    cache = store.Store(store.default_root(), lambda line: None)
    kernel = kernels.get(cache, pins.read(pins.DEFAULT), "6.1")
    code = bytearray(kernel.image.read_bytes())
    code[0x8000:] = bytes(
        len(code) - 0x8000
    )  # its header and set-up stay, what they unpack is nothing
    broken = tmp_path / "vmlinuz"
    broken.write_bytes(code)
    machine = Machine(
        dataclasses.replace(kernel, image=broken), (), None, "tcg", probe=True, boot_s=3
    )
    assert vm.run(machine, lambda port, data: None).ended in ("hung", "died")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_machine_does_not_outlive_its_command(sign):
    need("6.1")
    with running("lab", "run", "6.1", "--accel", "tcg", "--", "doctor") as run:
        assert run.process.stderr.readline().startswith(
            "iotrace: Linux 6.1"
        )  # the machine is about to start
        while not (machine := [pid for pid in run.processes() if name_of(pid).startswith("qemu")]):
            assert run.process.poll() is None
        ended = os.pidfd_open(machine[0])
        run.process.send_signal(sign)
        assert select.select([ended], [], [], 20)[0]
        os.close(ended)
        done = run.end()
        assert done.returncode == (-sign if sign == signal.SIGKILL else 1)
        if sign != signal.SIGKILL:
            assert done.stderr.splitlines() == ["iotrace: interrupted; the machines are ended"]
        assert (
            f"pid {run.process.pid}" not in iotrace("lab", "list").stdout
        )  # what was left says nothing, and goes


def test_kvm_that_does_not_work_is_one_line():
    need("6.1")
    if (
        iotrace("lab", "run", "6.1", "--accel", "auto", "--", "--version")
        .stderr.splitlines()[0]
        .endswith("by KVM")
    ):
        pytest.skip("KVM works here")
    assert_one_line(
        iotrace("lab", "run", "6.1", "--accel", "kvm", "--", "doctor"), 3, "KVM does not work here"
    )


def without(what: str, *arguments: str) -> subprocess.CompletedProcess:
    """iotrace in a mount namespace of its own, in which the shell command `what` was run before."""
    return subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            f'{what} && exec "$@"',
            "sh",
            *IOTRACE,
            *arguments,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@needs_root
def test_no_qemu_is_one_line_that_says_what_to_install():
    done = without(
        f"mount --bind /dev/null {tools.find('qemu-system-x86_64')}",
        "lab",
        "run",
        "6.1",
        "--",
        "doctor",
    )
    assert_one_line(done, 3, "apt-get install qemu-system-x86")


@needs_root
def test_no_space_is_one_line(tmp_path):
    done = without(
        f"mount -t tmpfs -o size=32m tmpfs {tmp_path} && export XDG_CACHE_HOME={tmp_path}",
        "lab",
        "run",
        "6.1",
        "--",
        "doctor",
    )
    assert_one_line(done, 1, "no space")
