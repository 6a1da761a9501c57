"""Traces one scenario into a recording: the receiver starts at the gate, the sender runs untraced."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenarios import Scenario
from scenarios.kit.options import Options, receiver_command, sender_command
from scenarios.kit.page import UP, make_shared, map_shared
from tracer import text
from tracer.bpf.loader import Attachment
from tracer.capture import event_cost, spawn
from tracer.capture.attach import Adopter
from tracer.capture.collector import Collector
from tracer.capture.interrupts import signalled
from tracer.capture.keep_awake import keep_awake
from tracer.capture.recorder import DRAIN_MS, Recorder
from tracer.errors import CANNOT, IotraceError, NothingSeen
from tracer.kernel.features import Features
from tracer.recording.parquet import read_facts
from tracer.run import twin
from tracer.run.tracing import Ended, Keep, Subject, drained, record

LINK_ADDRESS = "10.0.0.1"  # of the receiver
_UNABLE = 3  # the exit status of a scenario that this machine cannot run
_LOOK_MS = 1  # how often to look at the shared page
_UNTRACED_RUNS, _UNTRACED_S = (
    3,
    1.0,
)  # how many runs without probes, and for how long another one may begin
_STOP_MS = 1000  # for a receiver that was interrupted to leave its notes


class RunFailed(IotraceError):
    """The scenario did not do what it was started for; the text is for the user."""


class CannotRun(IotraceError):
    """This machine lacks what the scenario needs; the text says what."""

    status = CANNOT


@dataclass(frozen=True)
class Cpus:
    """Where a run runs. pin: the CPU of the receiver and that of the sender, None: where the scheduler puts them;
    keep_awake: whether the receiver's CPU, or any that it may get, is kept from idling."""

    pin: tuple[int, int] | None = None
    keep_awake: bool = False

    @property
    def awake(self) -> set[int]:
        """The CPUs that are kept awake."""
        if not self.keep_awake:
            return set()
        return {self.pin[0]} if self.pin else os.sched_getaffinity(0)

    def bind(self, receiver: spawn.Target, sender: spawn.Target) -> None:
        """Binds both, which wait at the gate, and so all that they will create (sched_setaffinity(2))."""
        for side, cpu in zip((receiver, sender), self.pin or (), strict=False):
            os.sched_setaffinity(side.pid, {cpu})


@dataclass(frozen=True)
class ScenarioPlan:
    """What to run, for how long at most (s), as whom, with how large a ring (bytes), on which CPUs.

    program: the scenario's command, a Python module or its compiled C twin, and `lang` says which.
    net: what tracer.run.netns.Link takes, for two network namespaces joined by such a link; None for this one.
    partial: a file for the records while they come in, None where nothing is to stay if iotrace is killed.
    """

    scenario: str
    lang: str
    program: tuple[str, ...]
    options: Options
    timeout: float
    user: tuple[int, int] | None
    ring_bytes: int
    measure_cost: bool
    net: dict[str, Any] | None = None
    cpus: Cpus = Cpus()
    partial: str | None = None
    redact: bool = False

    def recorded_options(self) -> dict[str, Any]:
        """The plan as the report's `options`."""
        return asdict(self.options) | {
            "lang": self.lang,
            "net": self.net,
            "pin": list(self.cpus.pin) if self.cpus.pin else None,
            "keep_awake": self.cpus.keep_awake,
            "timeout_s": self.timeout,
            "ring_bytes": self.ring_bytes,
        }


def program(scenario: Scenario, lang: str, user: tuple[int, int] | None) -> tuple[str, ...]:
    """The command of `scenario` in `lang` ("python" or "c"), compiled as `user` if need be; raises twin.CannotBuild."""
    if lang == "c" and scenario.twin:
        return (str(twin.built_as(scenario.twin, user)),)
    return (sys.executable, "-m", scenario.module)


@dataclass
class _Sides:
    """Receiver and sender while they run, and the files in memory (descriptors) into which they write their notes."""

    receiver: spawn.Target
    sender: spawn.Target
    receiver_notes: int
    sender_notes: int

    def kill(self) -> None:
        self.receiver.kill()
        self.sender.kill()


def _notes(fd: int) -> dict[str, Any]:
    """The notes that a program wrote; {} if there are none, or the program was ended while it wrote them."""
    try:
        notes: dict[str, Any] = json.loads(os.pread(fd, os.fstat(fd).st_size, 0))
    except ValueError:
        return {}
    return notes


@contextlib.contextmanager
def _spaces(plan: ScenarioPlan) -> Iterator[tuple[int | None, int | None]]:
    """The network namespaces of receiver and sender, (None, None) for this one; raises CannotRun."""
    if plan.net is None:
        yield None, None
        return
    from tracer.run import netns  # pyroute2 takes a while to import

    with contextlib.ExitStack() as stack:
        try:
            spaces = stack.enter_context(netns.joined(netns.Link(**plan.net), LINK_ADDRESS))
        except netns.CannotConnect as error:
            raise CannotRun(str(error)) from None
        yield spaces


@contextlib.contextmanager
def _sides(plan: ScenarioPlan) -> Iterator[_Sides]:
    """Starts both sides: the receiver waits at the gate, the sender for the receiver."""
    with contextlib.ExitStack() as stack:

        def memory(name: str) -> int:
            fd = os.memfd_create(name)
            stack.callback(os.close, fd)
            return fd

        shared = make_shared(plan.options.sockets)
        stack.callback(os.close, shared)
        notes = memory("receiver-notes"), memory("sender-notes")
        receive = receiver_command(plan.program, plan.options, shared, notes[0])
        send = sender_command(plan.options, shared, notes[1])
        spaces = stack.enter_context(_spaces(plan))
        receiver = stack.enter_context(
            spawn.start(receive, plan.user, (shared, notes[0]), spaces[0])
        )
        sender = stack.enter_context(spawn.start(send, plan.user, (shared, notes[1]), spaces[1]))
        plan.cpus.bind(receiver, sender)
        sender.release()
        _await(sender, map_shared(shared))
        yield _Sides(receiver, sender, *notes)


def _await(sender: spawn.Target, page: memoryview) -> None:
    """Returns when the sender has started, or ended: so the windows of all runs begin alike, and hold no start-up."""
    while not page[UP] and not sender.wait(_LOOK_MS):
        pass


def _able(plan: ScenarioPlan, sides: _Sides) -> dict[str, Any]:
    """The receiver's notes; raises CannotRun where they say that this machine lacks something."""
    notes = _notes(sides.receiver_notes)
    if "unsupported" in notes:
        raise CannotRun(f"{plan.scenario}: {notes['unsupported']}")
    return notes


def _check_loopback(plan: ScenarioPlan) -> None:
    """Raises CannotRun where messages cannot reach this machine itself: in a new network namespace `lo` is down."""
    if plan.net is None and plan.options.proto in ("udp", "tcp"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("127.0.0.1", 9))
            except OSError as error:
                raise CannotRun(
                    f"127.0.0.1 cannot be reached in this network namespace ({error.strerror}): ip link set lo up"
                ) from None


def untraced(plan: ScenarioPlan) -> dict[str, Any] | None:
    """Both sides' notes from a run without probes, None if it did not end well in time; raises CannotRun."""
    with _sides(plan) as sides:
        sides.receiver.release()
        until = time.monotonic() + plan.timeout
        while not sides.receiver.wait(DRAIN_MS):
            if (sides.sender.wait(0) and sides.sender.status) or time.monotonic() > until:
                return None
        if sides.receiver.status not in (0, _UNABLE):
            return None
        notes = _able(plan, sides)
        sides.sender.wait(_STOP_MS)
        return {"notes": notes, "sender": _notes(sides.sender_notes)}


def _untraced_runs(plan: ScenarioPlan) -> list[dict[str, Any]]:
    """What `untraced` gives, several times, to know how much runs differ; fewer where one takes long."""
    runs: list[dict[str, Any]] = []
    until = time.monotonic() + _UNTRACED_S
    while len(runs) < _UNTRACED_RUNS and (not runs or time.monotonic() < until):
        run = untraced(plan)
        if run is None:
            break
        runs.append(run)
    return runs


def traced(
    plan: ScenarioPlan, features: Features, path: str, progress: Callable[[int], None]
) -> str:
    """Runs the scenario under the probes, records to `path` with the run's facts.

    progress: called with the number of records so far, now and then. Returns how the run ended: "completed",
    "interrupted" (Ctrl-C or SIGTERM: the receiver is asked to stop, and what there is is kept), "timeout", or "failed":
    iotrace itself did, and the recording says with what, and holds what there was before (`failure` of its facts).
    Raises CannotTrace, CannotRun, NothingSeen, RunFailed, OSError.
    """
    _check_loopback(plan)
    with keep_awake(plan.cpus.awake):
        return _traced(plan, features, path, progress)


def _traced(
    plan: ScenarioPlan, features: Features, path: str, progress: Callable[[int], None]
) -> str:
    before = _untraced_runs(plan) if plan.measure_cost else None
    with (
        _sides(plan) as sides,
        Attachment(features, plan.ring_bytes) as probes,
        signalled() as signals,
    ):
        subject = _Scenario(plan, sides, probes, before, signals, progress)
        ended = record(probes, features, path, subject)
    if ended.failure and not ended.recorded:
        raise ended.failure
    return ended.ending


class _Scenario(Subject):
    """The receiver, held at the gate until it begins, and the sender."""

    def __init__(
        self,
        plan: ScenarioPlan,
        sides: _Sides,
        probes: Attachment,
        before: list[dict[str, Any]] | None,
        signals: Callable[[], list[int]],
        progress: Callable[[int], None],
    ) -> None:
        self._plan, self._sides, self._probes, self._before = plan, sides, probes, before
        self._signals, self._progress = signals, progress
        self._deadline = time.monotonic() + plan.timeout
        self.keep = Keep(plan.partial, plan.user) if plan.partial else None
        self.redact = plan.redact

    def prepare(self, collector: Collector) -> dict[str, Any]:
        """What an event costs, for a receiver whose cost cannot be told from its CPU time."""
        if self._before is None:
            return {}
        adopter = Adopter(self._probes)
        return {"event_cost_ns": event_cost.event_ns(self._probes, collector, adopter)}

    def begin(self, recorder: Recorder) -> None:
        self._sides.receiver.release(self._probes.secret)

    def follow(self, recorder: Recorder) -> str:
        """Drains until the receiver ends or must be ended; returns Ended.ending ("abandoned": the sender failed)."""
        receiver, sender = self._sides.receiver, self._sides.sender
        for _ in drained(recorder, receiver.wait):
            self._progress(recorder.count)
            if sender.wait(0) and sender.status and not receiver.wait(1000):
                ending = "abandoned"
            elif self._signals():
                ending = "interrupted"
            elif recorder.ended_early:
                ending = "failed"
            elif time.monotonic() > self._deadline:
                ending = "timeout"
            else:
                continue
            receiver.interrupt()
            receiver.wait(_STOP_MS)
            return ending
        sender.wait(1000)
        return "completed"

    def end(self, recorder: Recorder, ending: str, stopped_ns: int) -> tuple[Ended, dict[str, Any]]:
        status = self._sides.receiver.status
        if isinstance(recorder.failure, OSError):  # the disk is full: there will be no recording
            raise recorder.failure
        self._sides.kill()
        self._check("failed" if recorder.ended_early else ending, status, bool(recorder.base))
        return Ended(ending, status), self.known() | {
            "base_ns": recorder.base or stopped_ns,
            "notes": _notes(self._sides.receiver_notes),
            "sender": _notes(self._sides.sender_notes),
            "untraced": self._before,
        }

    def known(self) -> dict[str, Any]:
        plan = self._plan
        program, *arguments = plan.program
        return {
            "scenario": plan.scenario,
            "options": plan.recorded_options(),
            "target": {
                "command": [text.shown(Path(program).name), *map(text.shown, arguments)],
                "pid": self._sides.receiver.pid,
                "exit_status": self._sides.receiver.status,
            },
        }

    def _check(self, ending: str, status: int | None, was_seen: bool) -> None:
        """Raises CannotRun, RunFailed, NothingSeen for a run that is not worth a recording."""
        if ending == "completed" and status == _UNABLE:
            _able(self._plan, self._sides)
        if ending == "completed" and status:
            raise RunFailed(f"{self._plan.scenario} ended with status {status}")
        if ending == "abandoned":
            raise RunFailed(f"the sender ended early, with status {self._sides.sender.status}")
        if not was_seen and ending == "interrupted":
            raise RunFailed("interrupted before the target began")
        if not was_seen and ending != "failed":
            raise NothingSeen("the target was released, but the probes saw nothing of it")


def failure_of(path: str) -> str:
    """The failure of iotrace that the recording at `path` notes, '' if there was none."""
    return str(read_facts(path).get("failure", ""))
