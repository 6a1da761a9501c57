"""Traces any command from its start to its end; also the steps that this has in common with attaching to running
processes (tracer/run/attach.py)."""

from __future__ import annotations

import os
import signal
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracer import text
from tracer.bpf.loader import Attachment
from tracer.capture import event_cost, spawn
from tracer.capture.attach import Adopter
from tracer.capture.collector import UNSEEN, Collector, SeenCall
from tracer.capture.descendants import Descendants
from tracer.capture.fd_names_live import Names
from tracer.capture.interrupts import signalled
from tracer.capture.priority import Priority
from tracer.capture.proc_numbers import ProcNumbers
from tracer.capture.recorder import Recorder
from tracer.errors import NothingSeen
from tracer.kernel import capabilities, pid_namespaces, proc
from tracer.kernel.features import Features
from tracer.recording.batch import RecordBatch
from tracer.run.tracing import Ended, Keep, Subject, drained, record

_MOST_UNRETURNED_S = 0.2  # to look which calls threads are in: they are traced on meanwhile
_GRACE_S = 5  # for a command that was told to end
_NOT_EXECUTED = (125, 126, 127)  # exit statuses of the gate (tracer/capture/exec_gate.py)


@dataclass(frozen=True)
class TracePlan:
    """How to trace.

    seconds: for how long at most, None without end.
    follow: whether new threads and children are traced too.
    ring_bytes: a power of two.
    selected: the numbers of the calls to record (None: all), and expressions: what asked for them.
    user: (uid, gid) to run a command as.
    measure_cost: whether to measure what an event costs.
    partial: a file for the records while they come in, None where nothing is to stay if iotrace is killed.
    redact: whether addresses, paths and arguments are left out.
    own_process: whether the process is there for this run alone, and may give up capabilities for good.
    """

    seconds: float | None
    follow: bool
    ring_bytes: int
    selected: frozenset[int] | None = None
    expressions: tuple[str, ...] = ()
    user: tuple[int, int] | None = None
    measure_cost: bool = True
    partial: str | None = None
    redact: bool = False
    own_process: bool = False

    def options(self) -> dict[str, Any]:
        """The plan as the report's `options`."""
        return {
            "seconds": self.seconds,
            "follow": self.follow,
            "ring_bytes": self.ring_bytes,
            "trace": list(self.expressions),
        }

    def attachment(self, features: Features) -> Attachment:
        """The probes as this plan wants them; raises CannotTrace."""
        return Attachment(features, self.ring_bytes, selected=self.selected, follow=self.follow)

    def deadline(self, base: int) -> float:
        """Time (s of CLOCK_MONOTONIC) at which tracing is to end. base: since when the first thread is traced (ns); 0:
        since now."""
        since_s = base / 1e9 if base else time.monotonic()
        return float("inf") if self.seconds is None else since_s + self.seconds


class AnyProgram(Subject):
    """A program of which nothing is known beforehand: the cost of an event is measured, and files are named when they
    are opened."""

    priority: Priority

    def __init__(self, plan: TracePlan, probes: Attachment, priority: Priority) -> None:
        self.plan, self.probes, self.priority = plan, probes, priority
        self.keep = Keep(plan.partial, plan.user) if plan.partial else None
        self.redact = plan.redact
        self.adopter = Adopter(probes)
        self.numbers = ProcNumbers(self.adopter)
        self.names = Names(self.numbers.number)
        self.watch = self._watch

    def _watch(self, records: RecordBatch) -> None:
        self.names.feed(records)

    def prepare(self, collector: Collector) -> dict[str, Any]:
        cost = None
        if self.plan.measure_cost:
            cost = event_cost.event_ns(self.probes, collector, self.adopter)
        # the probes are attached for the last time; threads that are begun from here on have no more either
        if self.plan.own_process:
            capabilities.keep(capabilities.WHILE_TRACING - self.given_up())
        return {"event_cost_ns": cost}

    def given_up(self) -> set[str]:
        """Of capabilities.WHILE_TRACING those that are not needed for this target."""
        # root's own targets have capabilities, and who has fewer may not look into them without these (ptrace(2))
        needed = os.geteuid() == 0 or self.looks_at_others()
        return set() if needed else {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}

    def looks_at_others(self) -> bool:
        """Whether descriptors of another user's processes will be looked up, as far as is known at the beginning."""
        return False

    @abstractmethod
    def target(self) -> dict[str, Any]:
        """The report's `target`, as it is known now."""

    def known(self) -> dict[str, Any]:
        return {"scenario": None, "options": self.plan.options(), "target": self.target()}

    def unreturned(self, recorder: Recorder) -> dict[int, SeenCall]:
        """Thread → the call that it is in now, from /proc."""
        self.numbers.adopted(recorder.seen_as)
        seen_calls: dict[int, SeenCall] = {}
        until = time.monotonic() + _MOST_UNRETURNED_S
        with recorder.aside():
            for tid, (number, entered) in recorder.collector.open_calls().items():
                local = self.numbers.number(tid)
                call = proc.Process(local).call() if local else None
                if call and number in (UNSEEN, call[0]):
                    seen_calls[tid] = (entered, *call)
                if time.monotonic() > until:
                    break
        return seen_calls

    def facts(self, base: int, stopped_ns: int) -> dict[str, Any]:
        """The run's facts at its end. base: time (ns) from which the report counts."""
        return self.known() | {
            "base_ns": base,
            "window_ns": [base, stopped_ns],
            "files": self.names.files,
            "comms": self.names.comms,
        }


def trace(command: list[str], plan: TracePlan, features: Features, path: str) -> Ended:
    """Runs `command` under the probes until it ends, records to `path`.

    Signals that a process sends to iotrace are passed on to the command; the terminal's signals reach the command by
    themselves. After `plan.seconds` the command and all traced processes that it has made get SIGTERM, and those that
    are left SIGKILL 5 s later. If iotrace fails while the command runs, the command goes on untraced to its own end,
    and the records until then are kept. Raises CannotTrace, NothingSeen, and any failure before the command began.
    """
    with (
        spawn.start_command(
            command, plan.user
        ) as program,  # with the priority that iotrace was given
        Priority() as priority,
        signalled() as signals,
        plan.attachment(features) as probes,
    ):
        subject = _Command(command, program, signals, plan, probes, priority)
        return record(probes, features, path, subject)


class _Command(AnyProgram):
    """A user's command, held at the gate until it begins."""

    def __init__(
        self,
        command: list[str],
        program: spawn.Command,
        signals: Callable[[], list[int]],
        plan: TracePlan,
        probes: Attachment,
        priority: Priority,
    ) -> None:
        super().__init__(plan, probes, priority)
        self._command, self._program, self._signals = command, program, signals
        self._descendants: Descendants | None = None
        self._released_ns = 0

    def _watch(self, records: RecordBatch) -> None:
        if self._descendants:
            self._descendants.feed(records)
        super()._watch(records)

    def begin(self, recorder: Recorder) -> None:
        if self.plan.seconds is not None:
            self._descendants = Descendants(self.numbers, recorder.collector.processes)
        with recorder.aside():
            number = pid_namespaces.number_of_child(self._program.pid)
            self.numbers.learn(number)
            self.names.look(number)
        self._released_ns = time.monotonic_ns()
        self._program.release(self.probes.secret)

    def follow(self, recorder: Recorder) -> str:
        """Drains until the command has ended, by itself or by a signal; returns Ended.ending."""
        for _ in drained(recorder, self._program.wait, self.names.catch_up, self.priority):
            self._pass_on()
            if time.monotonic() > self.plan.deadline(recorder.base or self._released_ns):
                self._end_all(recorder)
                return "duration"
        return "completed"

    def _end_all(self, recorder: Recorder) -> None:
        """Has the command and what it has made end: asked to, and some seconds later made to. iotrace's process group
        is none of theirs: whoever shares the terminal may be in it."""
        kill_after_s, number = time.monotonic() + _GRACE_S, signal.SIGTERM
        give_up_s = kill_after_s + _GRACE_S  # what not even SIGKILL ends waits inside the kernel
        descendants = self._descendants or Descendants(self.numbers, set)

        def have_ended(milliseconds: float) -> bool:
            return self._program.wait(milliseconds) and descendants.wait(milliseconds)

        self._program.send(number)
        descendants.send(number)
        for _ in drained(recorder, have_ended, self.names.catch_up, self.priority):
            self._pass_on()
            now_s = time.monotonic()
            if now_s > give_up_s:
                break
            if now_s > kill_after_s:
                self._program.send(signal.SIGKILL)
                descendants.send(signal.SIGKILL)

    def _pass_on(self) -> None:
        """Passes on the signals that came for iotrace alone."""
        for number in self._signals():
            if not _from_terminal(number):
                self._program.send(number)

    def end(self, recorder: Recorder, ending: str, stopped_ns: int) -> tuple[Ended, dict[str, Any]]:
        status = self._program.status
        if not recorder.base and not recorder.failure and status not in _NOT_EXECUTED:
            raise NothingSeen("the target was released, but the probes saw nothing of it")
        base = recorder.began or recorder.base or stopped_ns
        return Ended(ending, status, bool(recorder.began)), self.facts(base, stopped_ns)

    def target(self) -> dict[str, Any]:
        return {
            "command": [text.shown(word) for word in self._command],
            "pid": self._program.pid,
            "exit_status": self._program.status,
        }


def _from_terminal(number: int) -> bool:
    """Whether the terminal sent the signal: it sends it to every process of its foreground group."""
    if number not in (signal.SIGINT, signal.SIGQUIT):
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # we have none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
