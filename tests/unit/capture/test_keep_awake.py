"""tracer/capture/keep_awake.py: a spinner on each CPU, at the lowest priority, that outlives nobody."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest
from support.running import ROOT

from tracer.capture.keep_awake import CannotKeepAwake, keep_awake


def test_one_on_each_cpu_at_idle_priority_until_the_end() -> None:
    allowed = os.sched_getaffinity(0)
    with keep_awake(allowed) as spinners:
        assert [os.sched_getaffinity(pid) for pid in spinners] == [{cpu} for cpu in sorted(allowed)]
        assert {os.sched_getscheduler(pid) for pid in spinners} == {os.SCHED_IDLE}
        ends = [os.pidfd_open(pid) for pid in spinners]
    for end in ends:
        assert select.select([end], [], [], 0)[0]  # reaped when the context was left
        os.close(end)


def test_it_ends_where_what_it_surrounds_fails() -> None:
    with pytest.raises(RuntimeError), keep_awake({min(os.sched_getaffinity(0))}) as spinners:
        end = os.pidfd_open(spinners[0])
        raise RuntimeError
    assert select.select([end], [], [], 0)[0]
    os.close(end)


def test_no_cpu_needs_no_process() -> None:
    with keep_awake(set()) as spinners:
        assert spinners == []


def test_a_cpu_that_is_not_there_is_an_error_and_nothing_is_left() -> None:
    with pytest.raises(CannotKeepAwake, match="CPU 4095 cannot be kept awake"), keep_awake({4095}):
        pass


def test_it_does_not_outlive_who_started_it() -> None:
    program = (
        "import os, signal\n"
        "from tracer.capture.keep_awake import keep_awake\n"
        "with keep_awake({min(os.sched_getaffinity(0))}) as spinners:\n"
        "    print(spinners[0], flush=True)\n"
        "    signal.pause()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout
    spinner = int(parent.stdout.readline())
    end = os.pidfd_open(spinner)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    ended = bool(select.select([end], [], [], 60)[0])
    if not ended:
        os.kill(spinner, signal.SIGKILL)
    os.close(end)
    parent.stdout.close()
    assert ended
