"""Runs the program of `iotrace bench readiness`, once without probes or once traced, and reads what it noted."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tracer.bpf import RING_BYTES
from tracer.bpf.loader import Attachment
from tracer.capture import spawn
from tracer.capture.interrupts import signalled
from tracer.capture.recorder import Recorder
from tracer.errors import IotraceError, NothingSeen
from tracer.kernel import syscalls
from tracer.kernel.features import Features
from tracer.run import twin
from tracer.run.tracing import Ended, Subject, drained, record

Descriptor: TypeAlias = Literal["pipe", "udp", "tcp", "unix", "eventfd"]
Notes: TypeAlias = dict[str, Any]
"""What the program noted (scenarios/c/readiness.h): `blocks`, each with its call, n and times; `nothing_ns`."""
PROGRAM, WITH_URING = ("bench/readiness", "bench/readiness_uring")
CALLS = ("select", "poll", "epoll-lt", "epoll-et", "io_uring")
MEMBERS = (*syscalls.SELECT, *syscalls.POLL, *syscalls.EPOLL, "epoll_ctl", "io_uring_enter")
"""The calls that are traced: those that the program learns readiness by; what it reads by is not."""
_WAIT_MS = 20
_MOST_S = 600


class RunFailed(IotraceError):
    """The program did not measure; the text is for the user."""


@dataclass(frozen=True)
class Plan:
    """What to measure: `active` of so many descriptors of a kind are ready, with so many operations each (n,
    operations), as a user (uid, gid). left_out: calls that this machine has not got, and why."""

    fd: Descriptor
    active: int
    churn: bool
    sizes: tuple[tuple[int, int], ...]
    user: tuple[int, int] | None
    program: str
    left_out: dict[str, str]

    def command(self, traced: bool, seed: int, notes_fd: int) -> list[str]:
        sizes = ",".join(f"{n}:{operations}" for n, operations in self.sizes)
        numbers = (self.active, int(self.churn), int(traced), seed, notes_fd)
        return [self.program, self.fd, *map(str, numbers), sizes]


def program(user: tuple[int, int] | None) -> tuple[str, dict[str, str]]:
    """The compiled program, and why io_uring is left out, if it is; raises CannotBuild where there is no compiler."""
    try:
        return str(twin.built_as(twin.SOURCES / f"{WITH_URING}.c", user)), {}
    except twin.CannotBuild as error:
        plain = str(twin.built_as(twin.SOURCES / f"{PROGRAM}.c", user))
        return plain, {"io_uring": str(error)}


def bare(features: Features) -> Features:
    """The features without io_uring's tracepoints: entries and exits of calls are all that is looked at, and what those
    tracepoints cost would lie inside io_uring_enter."""
    constants = {key: its for key, its in features.constants.items() if key != "HAVE_URING"}
    return replace(features, constants=constants)


def untraced(plan: Plan, seed: int) -> Notes:
    """What the program notes without probes; raises RunFailed."""
    with _started(plan, False, seed) as run:
        run.target.release()
        until = time.monotonic() + _MOST_S
        while not run.target.wait(_WAIT_MS):
            if time.monotonic() > until:
                raise RunFailed(f"the benchmark's program had not ended after {_MOST_S} s")
        return run.notes()


def traced(plan: Plan, seed: int, features: Features, path: str) -> Notes:
    """What it notes under the probes, which record to `path`; raises RunFailed, CannotTrace, NothingSeen, and
    KeyboardInterrupt where it was interrupted."""
    selected = frozenset(syscalls.class_numbers(MEMBERS))
    with (
        _started(plan, True, seed) as run,
        Attachment(features, RING_BYTES, selected=selected) as probes,
        signalled() as signals,
    ):
        ended = record(probes, features, path, _Traced(run, probes, signals))
        if ended.failure:
            raise ended.failure
        if ended.ending == "interrupted":
            raise KeyboardInterrupt
        return run.notes()


@dataclass
class _Run:
    """The program while it runs, and the files in memory (descriptors) for its notes and for what it says."""

    target: spawn.Target
    notes_fd: int
    said_fd: int

    def notes(self) -> Notes:
        """Raises RunFailed where it ended badly."""
        said = _content(self.said_fd).decode(errors="replace").strip()
        if self.target.status:
            raise RunFailed(
                said.partition("\n")[0]
                or f"the benchmark's program ended with status {self.target.status}"
            )
        notes: Notes = json.loads(_content(self.notes_fd))
        return notes


def _content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


@contextlib.contextmanager
def _started(plan: Plan, is_traced: bool, seed: int) -> Iterator[_Run]:
    """The program at the gate."""
    with contextlib.ExitStack() as stack:
        fds = [os.memfd_create(name) for name in ("bench-notes", "bench-said")]
        for fd in fds:
            stack.callback(os.close, fd)
        command = plan.command(is_traced, seed, fds[0])
        target = spawn.start(command, plan.user, (fds[0],), stderr=fds[1])
        yield _Run(stack.enter_context(target), *fds)


class _Traced(Subject):
    """The program under the probes."""

    def __init__(self, run: _Run, probes: Attachment, signals: Callable[[], list[int]]) -> None:
        self._run, self._probes, self._signals = run, probes, signals

    def begin(self, recorder: Recorder) -> None:
        self._run.target.release(self._probes.secret)

    def follow(self, recorder: Recorder) -> str:
        until = time.monotonic() + _MOST_S
        for _ in drained(recorder, self._run.target.wait):
            if self._signals():
                return "interrupted"
            if time.monotonic() > until:
                return "timeout"
        return "completed"

    def end(self, recorder: Recorder, ending: str, stopped_ns: int) -> tuple[Ended, dict[str, Any]]:
        status = self._run.target.status
        if ending == "completed" and not status and not recorder.base:
            raise NothingSeen("the target was released, but the probes saw nothing of it")
        if ending == "timeout":
            raise RunFailed(f"the benchmark's program had not ended after {_MOST_S} s")
        return Ended(ending, status), self.known() | {"base_ns": recorder.base or stopped_ns}

    def known(self) -> dict[str, Any]:
        target = {
            "command": [Path(PROGRAM).name],
            "pid": self._run.target.pid,
            "exit_status": self._run.target.status,
        }
        options = {"seconds": None, "follow": True, "ring_bytes": RING_BYTES, "trace": [*MEMBERS]}
        return {"scenario": None, "options": options, "target": target}
