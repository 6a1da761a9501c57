"""Who is compared: no tracer, empty programs, iotrace, and the peers that are installed.

A contender starts a command under itself and gives back the process, with pipes at stdin and stdout; the command runs
when the tracer is attached, and the process ends when it is detached.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import HERE, PYTHON

from tracer import places
from tracer.bpf import build

LATENCY = (
    "tracepoint:syscalls:sys_enter_recvfrom { @start[tid] = nsecs; } "
    "tracepoint:syscalls:sys_exit_recvfrom /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }"
)
PRINTING = 'tracepoint:syscalls:sys_exit_recvfrom { printf("%d %s recvfrom = %d\\n", tid, comm, args->ret); }'


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a program under a contender prints; empty at its end."""
    assert process.stdout, "it has a pipe"
    return process.stdout.readline()


class Contender:
    """`tool` must be in PATH; waits: whether it stops the traced program, so that lost CPU time is its own doing."""

    name = "untraced"
    tool = ""
    waits = False

    def __init__(self, room: Path, cpu: int) -> None:
        self.room, self.cpu = room, cpu

    @property
    def missing(self) -> str | None:
        """Why this contender is left out."""
        found = not self.tool or shutil.which(self.tool, path=places.path())
        return None if found else f"{self.tool} is not installed"

    @property
    def environment(self) -> dict[str, str]:
        """The tracer's environment."""
        return dict(os.environ)

    def arguments(self, command: list[str]) -> list[str]:
        """The tracer's command line."""
        return command

    @contextlib.contextmanager
    def running(self, command: list[str]) -> Iterator[subprocess.Popen[str]]:
        """The command under the tracer; waits for its end."""
        process = subprocess.Popen(
            ["taskset", "-c", str(self.cpu), *self.arguments(command)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.room,
            env=self.environment,
        )
        try:
            yield process
            process.communicate()  # closes stdin
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def facts(self) -> dict[str, Any]:
        """What is known of the last run besides its times."""
        return {}


class Empty(Contender):
    """Empty programs on raw sys_enter and sys_exit."""

    name = "empty programs"
    _bpf: Any = None

    @contextlib.contextmanager
    def running(self, command: list[str]) -> Iterator[subprocess.Popen[str]]:
        bpf = self._loaded()
        bpf.attach_raw_tracepoint(b"sys_enter", b"nothing_enter")
        bpf.attach_raw_tracepoint(b"sys_exit", b"nothing_exit")
        try:
            with super().running(command) as process:
                yield process
        finally:
            bpf.detach_raw_tracepoint(b"sys_enter")
            bpf.detach_raw_tracepoint(b"sys_exit")

    def _loaded(self) -> Any:  # a bcc.BPF, which has no types
        if self._bpf is None:
            os.environ["BCC_KERNEL_SOURCE"] = str(build.PROBES)
            from bcc import BPF

            self._bpf = BPF(text=(HERE / "empty.bpf.c").read_bytes())
        return self._bpf


class Iotrace(Contender):
    """A real Collector, drained and written to disk by a process of its own (tracing.py)."""

    name = "iotrace"

    def arguments(self, command: list[str]) -> list[str]:
        return [
            *PYTHON,
            str(HERE / "tracing.py"),
            str(self.recording),
            str(self.room / "stats.json"),
            *command,
        ]

    @property
    def recording(self) -> Path:
        """Where the last run was recorded."""
        return self.room / "recording.parquet"

    def facts(self) -> dict[str, Any]:
        stats: dict[str, Any] = json.loads((self.room / "stats.json").read_text())
        return stats


class IotraceCounted(Iotrace):
    """The same while the kernel measures how long each BPF program runs, which itself takes time."""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "IOTRACE_BENCH_PROGRAMS": "1"}


class IotraceFirst(Iotrace):
    """The same where the probes have not been compiled for this kernel yet."""

    name = "iotrace, first run on a kernel"

    def arguments(self, command: list[str]) -> list[str]:
        for kept in build.CACHE.glob("*.json"):
            kept.unlink()
        return super().arguments(command)


class Histogram(Contender):
    """bpftrace adding recvfrom's latencies up in a histogram."""

    name, tool = "bpftrace, histogram", "bpftrace"
    program = LATENCY

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LD_PRELOAD": str(self.room / "memlock.so")}

    def arguments(self, command: list[str]) -> list[str]:
        return [
            "bpftrace",
            "-o",
            str(self.room / "bpftrace.out"),
            "-e",
            self.program,
            "-c",
            " ".join(command),
        ]

    def facts(self) -> dict[str, Any]:
        text = (self.room / "bpftrace.out").read_text(errors="replace")
        return {
            "lost": sum(
                int(word)
                for line in text.splitlines()
                if line.startswith("Lost ")
                for word in line.split()
                if word.isdigit()
            )
        }


class Printing(Histogram):
    """bpftrace printing a line for every recvfrom, into a file."""

    name = "bpftrace, printing"
    program = PRINTING


class Filtered(Histogram):
    """bpftrace on all system calls, counting those of its own command."""

    name = "bpftrace, all calls, pid filter"
    program = (
        "tracepoint:raw_syscalls:sys_enter /pid == cpid/ { @[args->id] = count(); } "
        "tracepoint:raw_syscalls:sys_exit /pid == cpid/ { @[args->id] = count(); }"
    )


class PerfTrace(Contender):
    """perf trace into a file."""

    name, tool = "perf trace", "perf"

    def arguments(self, command: list[str]) -> list[str]:
        return ["perf", "trace", "-o", str(self.room / "perf.out"), *command]


class Strace(Contender):
    """strace into a file."""

    name, tool, waits = "strace", "strace", True

    def arguments(self, command: list[str]) -> list[str]:
        return ["strace", "-f", "-o", str(self.room / "strace.out"), *command]


class SeccompStrace(Strace):
    """strace that stops the program at recvfrom alone."""

    name = "strace --seccomp-bpf, recvfrom"

    def arguments(self, command: list[str]) -> list[str]:
        return [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-e",
            "trace=recvfrom",
            "-o",
            str(self.room / "strace.out"),
            *command,
        ]
