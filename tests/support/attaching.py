"""A target to attach to and a running `iotrace attach`: when it has its target, and its report at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.contract import faults
from support.running import Running, running

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


class Target:
    """A Python program that does a step of its work for each line it is sent, and answers it."""

    def __init__(self, setup: str, step: str = "pass", before: tuple[str, ...] = ()) -> None:
        program = (
            f"import os, select, socket, sys, threading\n{setup}\nprint('ready', flush=True)\n"
            f"for line in sys.stdin:\n    {step}\n    print('done', flush=True)\n"
        )
        self.process = subprocess.Popen(
            [*before, sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self.process.stdin and self.process.stdout, "it has pipes"
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        assert self._stdout.readline() == "ready\n"

    @property
    def pid(self) -> int:
        return self.process.pid

    def step(self) -> None:
        self._stdin.write("\n")
        assert self._stdout.readline() == "done\n"

    def close(self) -> None:
        self._stdout.close()

    def end(self) -> int:
        self._stdin.close()
        return self.process.wait(60)


@contextmanager
def target(setup: str, step: str = "pass", before: tuple[str, ...] = ()) -> Iterator[Target]:
    its = Target(setup, step, before)
    try:
        yield its
    finally:
        its.process.kill()
        its.process.wait()
        its.close()


@contextmanager
def attached(its: Target, *options: object) -> Iterator[Running]:
    """iotrace, attached to all of the target's threads."""
    with running("attach", "-p", its.pid, "--no-cost", "--json", *options) as run:
        await_attached(run, its.pid)
        yield run


def calls(report: dict[str, Any]) -> dict[str, int]:
    return {call["name"]: call["calls"] for call in report["syscalls"]}


STEP = "[a.send(b'x' * 7) and b.recv(9) for _ in range(23)]"
