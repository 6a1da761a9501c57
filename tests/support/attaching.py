"""A running `iotrace attach`: when it has its target, and its report at the end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from support.contract import faults
from support.running import Running

from tracer.kernel.proc import Process


def await_attached(run: Running, pid: int) -> None:
    """Returns when every thread of `pid` is traced: iotrace then has a pidfd of it, opened after the adoption."""
    while True:
        try:
            for name in os.listdir(f"/proc/{run.process.pid}/fdinfo"):
                info = Path(f"/proc/{run.process.pid}/fdinfo/{name}").read_text()
                if f"Pid:\t{Process(pid).leader()}\n" in info:
                    return
        except (FileNotFoundError, ProcessLookupError):
            pass
        run.check_running()


def ended(run: Running, number: int = signal.SIGINT) -> dict[str, Any]:
    """The report of an `iotrace attach --json` that is ended by a signal."""
    run.process.send_signal(number)
    done = run.end()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report: dict[str, Any] = json.loads(done.stdout)
    assert not faults(report)
    return report
