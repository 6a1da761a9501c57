"""One scenario under the probes: receiver at the gate, sender beside it, records into a recording."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from scenarios import Scenario
from scenarios.kit import twin
from scenarios.kit.options import Options, receiver_command, sender_command
from scenarios.kit.page import make_shared
from tracer import __version__, text
from tracer.bpf.loader import Attachment
from tracer.capture import spawn
from tracer.capture.host import host
from tracer.capture.interrupts import signalled
from tracer.capture.recorder import DRAIN_MS, Tap
from tracer.capture.session import Session
from tracer.errors import CANNOT, IotraceError, NothingSeen
from tracer.kernel.features import Features
from tracer.recording.parquet import Writer, read_facts

VETH_ADDRESS = "10.0.0.1"  # of the receiver
_UNABLE = 3  # the exit status of a scenario that this machine cannot run
_STOP_MS = 1000  # for a receiver that was interrupted to leave its notes


class RunFailed(IotraceError):
    """The scenario did not do what it was started for; the text is for the user."""


class CannotRun(IotraceError):
    """This machine lacks what the scenario needs; the text says what."""

    status = CANNOT


@dataclass(frozen=True)
class Plan:
    """What to run, for how long at most (s), as whom, with how large a ring (bytes).

    program: the scenario's command, a Python module or its compiled C twin, and `lang` says which.
    """

    scenario: str
    lang: str
    program: tuple[str, ...]
    options: Options
    timeout: float
    user: tuple[int, int] | None
    ring_bytes: int
    measure_cost: bool
    net: dict | None = (
        None  # what tracer.run.netns.Link takes, for two namespaces joined by such a link
    )


def program(scenario: Scenario, lang: str, user: tuple[int, int] | None) -> tuple[str, ...]:
    """The command of `scenario` in `lang` ("python" or "c"), compiled as `user` if need be; raises twin.CannotBuild."""
    if lang == "c":
        return (str(twin.built_as(scenario.twin, user)),)
    return (sys.executable, "-m", scenario.module)


@dataclass
class _Sides:
    """Receiver and sender while they run, and where they leave their notes."""

    receiver: spawn.Target
    sender: spawn.Target
    notes: tuple[int, int]

    def notes_of(self, which: int) -> dict:
        size = os.fstat(self.notes[which]).st_size
        try:
            return json.loads(os.pread(self.notes[which], size, 0))
        except ValueError:  # none, or not all of them: a program was ended while it wrote
            return {}


@contextlib.contextmanager
def _spaces(plan: Plan):
    """The network namespaces of receiver and sender, (None, None) for this one; raises CannotRun."""
    if plan.net is None:
        yield None, None
        return
    from tracer.run import netns  # pyroute2 takes a while to import

    with contextlib.ExitStack() as stack:
        try:
            spaces = stack.enter_context(netns.veth(netns.Link(**plan.net), VETH_ADDRESS))
        except netns.CannotConnect as error:
            raise CannotRun(str(error)) from None
        yield spaces


@contextlib.contextmanager
def _sides(plan: Plan):
    """Both sides started, the receiver at the gate, the sender waiting for the receiver."""
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
        sender.release()
        yield _Sides(receiver, sender, notes)


def _able(plan: Plan, sides: _Sides) -> dict:
    """The receiver's notes; raises CannotRun where they say that this machine lacks something."""
    notes = sides.notes_of(0)
    if "unsupported" in notes:
        raise CannotRun(f"{plan.scenario}: {notes['unsupported']}")
    return notes


def untraced(plan: Plan) -> dict | None:
    """The receiver's notes from a run without probes, None if it did not end in time; raises CannotRun."""
    with _sides(plan) as sides:
        sides.receiver.release()
        if not sides.receiver.wait(plan.timeout * 1000):
            return None
        return (
            _able(plan, sides)
            if not sides.receiver.status or sides.receiver.status == _UNABLE
            else None
        )


def traced(plan: Plan, features: Features, path: str, progress: Callable[[int], None]) -> str:
    """Runs the scenario under the probes, records to `path` with the run's facts.

    progress: called with the number of records so far, now and then. Returns how the run ended: "completed",
    "interrupted" (Ctrl-C or SIGTERM: the receiver is asked to stop, and what there is is kept), "timeout", or "failed":
    iotrace itself did, and the recording says with what, and holds what there was before (`failure` of its facts).
    Raises CannotTrace, CannotRun, NothingSeen, RunFailed, OSError.
    """
    before = untraced(plan) if plan.measure_cost else None
    with (
        _sides(plan) as sides,
        Attachment(features, plan.ring_bytes) as probes,
        signalled() as signals,
    ):
        deadline = time.monotonic() + plan.timeout
        with Session(probes) as session, Writer(path) as writer:
            here, tap = host(), Tap(session, writer)
            sides.receiver.release(probes.secret)
            ended = _followed(sides, tap, deadline, signals, progress)
            stopped = time.monotonic_ns()
            status = sides.receiver.status
            tap.finish(stopped)
            if isinstance(tap.failure, OSError):  # the disk is full: there will be no recording
                raise tap.failure
            ended = "failed" if tap.ended_early else ended
            sides.receiver.kill()
            sides.sender.kill()
            if ended == "completed" and status == _UNABLE:
                _able(plan, sides)
            if ended == "completed" and status:
                raise RunFailed(f"{plan.scenario} ended with status {status}")
            if ended == "abandoned":
                raise RunFailed(f"the sender ended early, with status {sides.sender.status}")
            if not tap.base and ended != "failed":
                if ended == "interrupted":
                    raise RunFailed("interrupted before the target began")
                raise NothingSeen("the target was released, but the probes saw nothing of it")
            notes = sides.notes_of(0)
            writer.close(
                {
                    "version": __version__,
                    "scenario": plan.scenario,
                    "host": here,
                    "ended": ended,
                    "options": asdict(plan.options)
                    | {
                        "lang": plan.lang,
                        "net": plan.net,
                        "timeout_s": plan.timeout,
                        "ring_bytes": plan.ring_bytes,
                    },
                    "base_ns": tap.base or stopped,
                    "end_ns": stopped,
                    "features": features.sources,
                    **tap.facts(),
                    "target": {
                        "command": [text.shown(Path(plan.program[0]).name), *plan.program[1:]],
                        "pid": sides.receiver.pid,
                        "exit_status": status,
                    },
                    "notes": notes,
                    "sender": sides.notes_of(1),
                    "untraced": before,
                }
            )
        return ended


def failure_of(path: str) -> str:
    """What failed in iotrace while the recording at `path` was made."""
    return read_facts(path).get("failure", "")


def _followed(
    sides: _Sides,
    tap: Tap,
    deadline: float,
    signals: Callable[[], list[int]],
    progress: Callable[[int], None],
) -> str:
    """Drains until the receiver ends, or must be ended; how it ended, "abandoned" if the sender left it alone, "failed"
    if iotrace cannot go on."""
    while not sides.receiver.wait(DRAIN_MS):
        tap.drain()
        progress(tap.count)
        if sides.sender.wait(0) and sides.sender.status and not sides.receiver.wait(1000):
            ended = "abandoned"
        elif signals():
            ended = "interrupted"
        elif tap.ended_early:
            ended = "failed"
        elif time.monotonic() > deadline:
            ended = "timeout"
        else:
            continue
        sides.receiver.interrupt()
        sides.receiver.wait(_STOP_MS)
        return ended
    sides.sender.wait(1000)
    return "completed"
