"""CPUs kept awake while something is measured: a process on each that computes when nothing else wants the CPU, so that
no wake-up has to wait for a halted CPU (idle=poll of the kernel's parameters would do so for the whole machine)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tracer.errors import CANNOT, IotraceError


class CannotKeepAwake(IotraceError):
    """A CPU is not to be had; the text says which."""

    status = CANNOT


@contextlib.contextmanager
def keep_awake(cpus: Iterable[int]) -> Iterator[list[int]]:
    """A context in which these CPUs do not idle; gives the processes that see to it. They end with it, or with this
    process, however it ends. Raises CannotKeepAwake."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_spinner(cpu)).pid for cpu in sorted(cpus)]


@contextlib.contextmanager
def _spinner(cpu: int) -> Iterator[subprocess.Popen[bytes]]:
    script = str(Path(__file__).with_name("spinner.py"))
    read_end, write_end = os.pipe()
    try:
        command = [
            sys.executable,
            "-I",
            "-S",
            "-B",
            script,
            str(write_end),
            str(os.getpid()),
            str(cpu),
        ]
        try:
            # a session of its own: Ctrl-C is not for it
            spinner = subprocess.Popen(
                command, pass_fds=(write_end,), cwd="/", start_new_session=True
            )
        finally:
            os.close(write_end)
        try:
            if not os.read(read_end, 1):
                raise CannotKeepAwake(f"CPU {cpu} cannot be kept awake")
            yield spinner
        finally:
            spinner.kill()
            spinner.wait()
    finally:
        os.close(read_end)
