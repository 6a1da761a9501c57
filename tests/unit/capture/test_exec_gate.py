"""tracer/capture/exec_gate.py: a target never begins when its tracer has gone, at whatever moment that was."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.capture import exec_gate

TRACER, INIT = 4711, 1
PR_GET_PDEATHSIG = 2
HELD = [sys.executable, "-I", "-S", "-B", str(Path(exec_gate.__file__))]


class Begun(Exception):
    """The command was executed; the argument is the signal that its tracer's death would send it."""


@pytest.fixture
def passed(monkeypatch):
    """Runs the gate in this process, its parent being what `parents` says at each look; the signal with which the
    command began, None if it did not."""

    def begin(*_):
        number = exec_gate.ctypes.c_int(-1)
        exec_gate.ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, exec_gate.ctypes.byref(number), 0, 0, 0)
        raise Begun(number.value)

    def run(parents, tied=1, message=b"\1" * exec_gate.MESSAGE):
        parents = list(parents)
        monkeypatch.setattr(os, "getppid", lambda: parents.pop(0))
        monkeypatch.setattr(os, "execvpe", begin)
        monkeypatch.setattr(exec_gate, "as_before_python", lambda: None)
        monkeypatch.setattr(exec_gate, "announce", lambda prctl, secret: None)
        read_end, write_end = os.pipe()
        os.write(write_end, message)
        os.close(write_end)
        try:
            status = exec_gate.main([*map(str, (read_end, TRACER, tied, -1, -1, -1)), "true"])
        except Begun as begun:
            return begun.args[0]
        with contextlib.suppress(OSError):  # closed where it was read
            os.close(read_end)
        assert status == 125
        return None

    yield run
    exec_gate.ctypes.CDLL(None).prctl(exec_gate.PR_SET_PDEATHSIG, 0, 0, 0, 0)


def test_a_target_begins_when_its_tracer_says_so(passed):
    assert passed([TRACER] * 3, tied=1) == signal.SIGKILL


def test_a_command_is_not_tied_to_its_tracer(passed):
    assert passed([TRACER] * 3, tied=0) == 0


@pytest.mark.parametrize(
    "looks",
    [[INIT], [TRACER, INIT], [TRACER, TRACER, INIT]],
    ids=["before reading", "after reading", "after the change of user"],
)
@pytest.mark.parametrize("tied", [0, 1])
def test_a_tracer_that_is_gone_is_noticed(passed, looks, tied):
    assert passed(looks, tied) is None


def test_a_pipe_that_was_closed_opens_no_gate(passed):
    assert passed([TRACER] * 3, message=b"") is None


def test_a_tracer_in_another_pid_namespace_cannot_be_seen_to_go(passed):
    assert passed([0] * 3) is not None


KILLED = """
import os, signal, subprocess, sys
read_end, write_end = os.pipe()
held = subprocess.Popen([*sys.argv[1:], str(read_end), str(os.getpid()), "1", "-1", "-1", "-1", "sleep", "1000"],
                        pass_fds=[read_end])
print(held.pid, flush=True)
input()
os.write(write_end, bytes(8))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("_turn", range(10))
def test_a_tracer_killed_as_it_opens_the_gate_leaves_nothing(_turn):
    """The gate reads its message when the tracer has gone, is going, or goes while it takes its next steps."""
    tracer = subprocess.Popen(
        [sys.executable, "-c", KILLED, *HELD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    end = os.pidfd_open(int(tracer.stdout.readline()))
    tracer.communicate("\n")
    try:
        assert tracer.returncode == -signal.SIGKILL
        assert select.select([end], [], [], 60)[0], "the target sleeps on"
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(end, signal.SIGKILL)
        os.close(end)
