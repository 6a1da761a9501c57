"""A thread that a signal or a tracer has stopped is stopped: it waits for nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.attaching import await_attached, ended
from support.running import check_operations, running, traced

STOPS = """
import os, signal, sys, time
read, write = os.pipe()
child = os.fork()
if not child:
    os.close(write)
    for _ in range(3): os.read(read, 1)
    os._exit(0)
ns = 0
for _ in range(3):
    os.kill(child, signal.SIGSTOP)
    os.waitpid(child, os.WUNTRACED)
    begin = time.monotonic_ns()
    time.sleep(0.05)
    ns += time.monotonic_ns() - begin
    os.kill(child, signal.SIGCONT)
    os.waitpid(child, os.WCONTINUED)
    os.write(write, b"x")
os.waitpid(child, 0)
sys.stderr.write(str(ns))
"""


def test_time_stopped_is_no_wait_for_data(tmp_path):
    said = tmp_path / "ns"
    report = traced(STOPS.replace("sys.stderr.write(", f"open({str(said)!r}, 'w').write("))
    (parent, child) = report["processes"]
    (thread,) = (thread for thread in report["threads"] if thread["tgid"] == child["tgid"])
    # the parent is told of a stop before the child has left its CPU (kernel/signal.c, do_signal_stop)
    assert int(said.read_text()) // 2 <= thread["stopped_ns"] <= thread["blocked_ns"]
    assert thread["stopped_ns"] == child["activity"]["times_ns"]["stopped"]
    assert not any(
        other["stopped_ns"] for other in report["threads"] if other["tgid"] == parent["tgid"]
    )
    check_operations(report)


def test_a_process_that_is_stopped_when_we_come_waits_for_nothing():
    with subprocess.Popen(
        [sys.executable, "-c", "import os; os.read(0, 1)"], stdin=subprocess.PIPE
    ) as target:
        try:
            while "read" not in Path(f"/proc/{target.pid}/wchan").read_text():
                pass
            target.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, target.pid, os.WSTOPPED | os.WNOWAIT)
            with running("attach", "-p", target.pid, "--no-cost", "--json") as run:
                await_attached(run, target.pid)
                report = ended(run)
        finally:
            target.kill()
    (thread,) = report["threads"]
    assert thread["stopped_ns"] == thread["blocked_ns"] == thread["end_ns"] - thread["start_ns"]
    (process,) = report["processes"]
    assert process["activity"]["times_ns"] == {"stopped": thread["stopped_ns"]}
