"""Who may say which threads are traced: a target once, by a secret that nobody else can learn; then iotrace alone."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tracer.bpf import prctl
from tracer.bpf.loader import Attachment
from tracer.capture import exec_gate, spawn
from tracer.capture.attach import Adopter
from tracer.capture.collector import Collector
from tracer.kernel import features
from tracer.recording.records import Kind

COMMAND = [sys.executable, "-c", "import os\nprint(flush=True)\nwhile input(): os.getppid()\n"]
STRANGER = f"""
import ctypes, os, sys
prctl = ctypes.CDLL(None).prctl
prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
for line in sys.stdin:
    secret, option, pid, *rest = map(int, line.split())
    directory = os.open(f"/proc/{{pid}}/task/{{pid}}", os.O_RDONLY) if option != {exec_gate.PRCTL_ANNOUNCE} else 0
    prctl(option, secret, directory, *rest, *[0] * (2 - len(rest)))
"""
OWNER = [
    ("secret", "<u8"),
    ("birth", "<u8"),
    ("tgid", "<u4"),
    ("announced", "<u4"),
    ("who", "<u8"),
]  # struct owner


@pytest.fixture
def probes():
    with Attachment(features.find()) as attached:
        yield attached


@contextmanager
def started():
    """A program at the gate that makes a getppid for each line that it is given, then answers nothing."""
    its = spawn.start(
        COMMAND, None, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield its
    finally:
        its.kill()


def by_a_stranger(secret, *calls):
    """Calls of prctl by another process, which has got to know the secret: each an option and its arguments."""
    words = "\n".join(" ".join(map(str, (secret, *call))) for call in calls)
    subprocess.run([sys.executable, "-c", STRANGER], input=words, text=True, check=True)


def drained(collector, now=1 << 62):
    records = collector.finish(now)
    return records.records() if hasattr(records, "records") else records


def threads_begun(records):
    return sorted(records["tid"][records["kind"] == Kind.START].tolist())


def command(pid: int) -> bytes:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_nobody_can_read_the_secret_of_a_target_at_its_gate(probes):
    forms = [
        str(probes.secret).encode(),
        f"{probes.secret:x}".encode(),
        probes.secret.to_bytes(8, "little"),
    ]

    def is_shown(pid):
        return any(
            form in Path(f"/proc/{pid}/{name}").read_bytes()
            for form in forms
            for name in ("cmdline", "environ", "comm", "stat", "status")
        )

    with started() as held, Collector(probes):
        while b"gate.py" not in command(held.pid):  # it is on its way there
            pass
        assert not is_shown(held.pid) and not is_shown(os.getpid())
        held.release(probes.secret)
        while b"gate.py" in command(held.pid):
            assert not is_shown(held.pid)
        assert held._process.stdout.readline()
        assert not is_shown(held.pid) and not is_shown(os.getpid())


def test_two_runs_have_two_secrets_that_cannot_be_guessed(probes):
    with Attachment(features.find(), 4096) as other:
        assert probes.secret != other.secret and min(probes.secret, other.secret) > 1 << 32


def test_a_secret_lets_in_one_target(probes):
    with Collector(probes) as collector, started() as first, started() as second:
        for held in (first, second):
            held.release(probes.secret)
            assert held._process.stdout.readline()
        records = drained(collector)
    assert len(threads_begun(records)) == 1
    assert (records["kind"] == Kind.EXEC).sum() == 1


def test_a_stranger_cannot_announce_itself_once_the_target_has_arrived(probes):
    with Collector(probes) as collector, started() as held:
        held.release(probes.secret)
        assert held._process.stdout.readline()
        by_a_stranger(probes.secret, (exec_gate.PRCTL_ANNOUNCE, 0, 0))
        assert len(threads_begun(drained(collector))) == 1


@pytest.mark.parametrize("option", [prctl.PRCTL_ADOPT, prctl.PRCTL_LEARN])
def test_a_stranger_cannot_have_a_process_traced(probes, option):
    with Collector(probes) as collector, started() as other:
        by_a_stranger(probes.secret, (option, other.pid, 0))
        assert len(drained(collector)) == 0


def test_a_stranger_cannot_have_the_target_go_untraced(probes):
    with Collector(probes) as collector, started() as held:
        held.release(probes.secret)
        assert held._process.stdout.readline()
        by_a_stranger(probes.secret, (prctl.PRCTL_RELEASE, held.pid))
        assert collector.announced()


def test_a_stranger_cannot_take_iotraces_place(probes):
    with Collector(probes) as collector, started() as other:
        by_a_stranger(
            probes.secret, (prctl.PRCTL_OWN, os.getpid()), (prctl.PRCTL_ADOPT, other.pid, other.pid)
        )
        assert len(drained(collector)) == 0


def test_calls_still_open_come_after_all_else(probes):
    """Whatever came while the probes were detached: a thread may have begun a call, or have another ID by then."""
    with Collector(probes) as collector, started() as held:
        held.release(probes.secret)
        assert held._process.stdout.readline()
        while not collector.open_calls():
            pass
        records = drained(collector, now=1)
    still_open = records["kind"] == Kind.OPEN
    assert (
        still_open.any() and records["time"][still_open].min() > records["time"][~still_open].max()
    )


def test_iotrace_itself_may_adopt_learn_and_release(probes):
    with Collector(probes) as collector, started() as other:
        adopter = Adopter(probes)
        assert adopter.adopt(other.pid, other.pid)
        adopter._say(prctl.PRCTL_LEARN, other.pid, other.pid, 0)
        assert collector.announced()
        adopter.release(other.pid, other.pid)
        assert not collector.announced()
        records = drained(collector)
    assert len(threads_begun(records)) == 1
    assert set(records["fd"][records["kind"] == Kind.DESCRIPTOR].tolist()) >= {0, 1}


def test_a_child_of_iotraces_is_not_iotrace(probes):
    """Forked, so that all but its ID and its birth is the same."""
    with Collector(probes) as collector, started() as other:
        child = os.fork()
        if not child:
            Adopter(probes).adopt(other.pid, other.pid)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(drained(collector)) == 0


@pytest.mark.parametrize("changed", ["birth", "tgid"])
def test_it_is_the_process_that_counts_not_its_id_alone(probes, changed):
    """As if iotrace had ended and its ID had been given to another process; or its birth had been another's too."""
    owner = np.frombuffer(bytes(probes.maps["owners"].values()), OWNER).copy()
    owner[changed] -= 1
    probes.maps["owners"].update(0, owner.tobytes())
    with Collector(probes) as collector, started() as other:
        assert Adopter(probes).adopt(other.pid, other.pid)
        assert len(drained(collector)) == 0
