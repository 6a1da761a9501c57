"""A running `iotrace attach`: when it has its target, and its report at the end."""

from __future__ import annotations

import json
import os
import signal

from support.contract import faults

from tracer.kernel.proc import Process


def await_attached(run, pid: int) -> None:
    """Returns when every thread of `pid` is traced: iotrace then has a pidfd of it, opened after the adoption."""
    while True:
        try:
            for name in os.listdir(f"/proc/{run.process.pid}/fdinfo"):
                info = open(f"/proc/{run.process.pid}/fdinfo/{name}").read()
                if f"Pid:\t{Process(pid).leader()}\n" in info:
                    return
        except (FileNotFoundError, ProcessLookupError):
            pass
        run._still_running()


def ended(run, number: int = signal.SIGINT) -> dict:
    run.process.send_signal(number)
    done = run.end()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report: dict = json.loads(done.stdout)
    assert not faults(report)
    return report
