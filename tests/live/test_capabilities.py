"""Tracing without root, on the running kernel: by a user with the capabilities that it takes, and those alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.attaching import STEP, await_attached, calls, target
from support.running import NOBODY, ROOT, assert_one_line, check_nothing_lost, iotrace, running

from tracer.kernel import capabilities

LEAST = ("bpf", "perfmon")
BYTES = 100
WORK = f"grep ^Cap /proc/self/status; exec dd if=/dev/zero of=/dev/null bs=1 count={BYTES}"


def as_nobody(*capabilities: str) -> tuple[str, ...]:
    """setpriv(1) as user nobody with these capabilities, which execve keeps."""
    words = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    sets = (f"--{name}={words}" for name in ("bounding-set", "inh-caps", "ambient-caps"))
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *sets)


def held_by(pid: int) -> set[str]:
    """The capabilities of all threads of the process together, by their permitted sets."""
    held = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        held |= int(status.read_text().partition("CapPrm:\t")[2].split()[0], 16)
    known = {name for name, number in capabilities.NUMBERS.items() if held >> number & 1}
    assert held.bit_count() == len(known)
    return known


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """A cache that belongs to nobody, for whom pytest's own directories are closed."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become another user with a few capabilities")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o700)
        os.chown(directory, NOBODY, NOBODY)
        if "No module" in iotrace("list", before=as_nobody()).stderr:
            pytest.skip("user nobody cannot read this checkout or its environment")
        yield Path(directory)


def test_traces_a_command_which_gets_none_of_the_capabilities(cache):
    output = cache / "run.parquet"
    env = {"XDG_CACHE_HOME": str(cache)}
    words = ("trace", "--no-cost", "--json", "-o", output, "--", "sh", "-c", WORK)
    done = iotrace(*words, env=env, before=as_nobody(*LEAST))
    assert done.returncode == 0, done.stderr
    status, _, report = done.stdout.rpartition("\n{")
    held = dict(line.split(":\t") for line in status.splitlines())
    assert int(held["CapEff"], 16) == int(held["CapPrm"], 16) == int(held["CapAmb"], 16) == 0
    its = json.loads("{" + report)
    dd = calls(its)
    assert dd["write"] >= BYTES
    check_nothing_lost(its)
    assert output.stat().st_uid == NOBODY and output.stat().st_mode & 0o777 == 0o600
    (kept,) = (cache / "iotrace").glob("*.json")
    assert kept.stat().st_uid == NOBODY and not kept.stat().st_mode & 0o022


def test_attaches_to_a_process_of_the_same_user(cache):
    with target("a, b = socket.socketpair()", STEP, before=as_nobody()) as its:
        options = ("attach", "--no-cost", "--json", "-p", its.pid)
        env = {"XDG_CACHE_HOME": str(cache)}
        with running(
            *options, env=env, before=as_nobody(*LEAST, "sys_ptrace", "dac_read_search", "chown")
        ) as run:
            await_attached(run, its.pid)
            its.step()
            assert held_by(run.process.pid) == {"CAP_BPF", "CAP_CHOWN"}
            run.process.send_signal(2)
            done = run.end()
    report = json.loads(done.stdout)
    assert calls(report)["recvfrom"] == 23 and report["target"]["attached"][0]["descriptors"] >= 5
    check_nothing_lost(report)


def test_root_keeps_what_a_run_may_still_take_and_looks_at_whom_it_likes(cache):
    with (
        target("a, b = socket.socketpair()", STEP, before=as_nobody()) as its,
        running("attach", "--json", "-p", its.pid) as run,
    ):
        await_attached(run, its.pid)
        its.step()
        held = held_by(run.process.pid)
        run.process.send_signal(2)
        done = run.end()
    assert {"CAP_BPF", "CAP_SYS_PTRACE", "CAP_CHOWN"} <= held <= capabilities.WHILE_TRACING
    report = json.loads(done.stdout)
    assert calls(report)["recvfrom"] == 23 and report["target"]["attached"][0]["descriptors"] >= 5
    assert report["cost"]["event_ns"] > 0
    check_nothing_lost(report)


def test_the_services_set_is_enough_for_another_users_process(cache):
    """docs/systemd: what was open before has its whole name, for which /proc is asked."""
    unit = (ROOT / "docs/systemd/iotrace@.service").read_text()
    (ambient,) = re.findall(r"^AmbientCapabilities=(.*)$", unit, re.M)
    (bounding,) = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.M)
    assert ambient == bounding
    names = [name.removeprefix("CAP_").lower() for name in ambient.split()]
    before = (*as_nobody(*names), "--no-new-privs")
    opened = "fd = os.open('/etc/passwd', os.O_RDONLY)"
    another = ("setpriv", "--reuid=1", "--regid=1", "--clear-groups")
    with (
        target(opened, "os.pread(fd, 9, 0)", before=another) as its,
        running(
            *("attach", "--no-cost", "--json", "-p", its.pid),
            env={"XDG_CACHE_HOME": str(cache)},
            before=before,
        ) as run,
    ):
        await_attached(run, its.pid)
        its.step()
        assert held_by(run.process.pid) == {"CAP_BPF", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}
        run.process.send_signal(2)
        done = run.end()
    report = json.loads(done.stdout)
    assert calls(report)["pread64"] == 1
    assert "/etc/passwd" in {descriptor["file"] for descriptor in report["descriptors"]}
    check_nothing_lost(report)


def test_one_capability_alone_is_not_enough_and_doctor_says_what_each_is_for(cache):
    env = {"XDG_CACHE_HOME": str(cache)}
    for there, missing in (("bpf", "CAP_PERFMON"), ("perfmon", "CAP_BPF")):
        done = iotrace("trace", "--", "true", before=as_nobody(there))
        assert_one_line(done, 125, missing)
        assert f"CAP_{there.upper()}" not in done.stderr
    doctor = iotrace("doctor", env=env, before=as_nobody(*LEAST))
    assert doctor.returncode == 0, doctor.stderr
    said = " ".join(doctor.stdout.split())
    assert "may CAP_BPF, CAP_PERFMON may not CAP_SYS_PTRACE, which" in said
    assert "compile, load and attach" in said
