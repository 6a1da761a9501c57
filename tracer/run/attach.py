"""Traces processes that run already, without stopping them, until they or the tracing end."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from tracer.bpf.loader import Attachment
from tracer.capture.interrupts import signalled
from tracer.capture.priority import Priority
from tracer.capture.recorder import Recorder
from tracer.errors import IotraceError
from tracer.kernel import pid_namespaces, proc, syscalls
from tracer.kernel.descriptor_tables import DescriptorTables
from tracer.kernel.features import Features
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import arguments_record
from tracer.recording.records import RECORD
from tracer.run.program import AnyProgram, TracePlan
from tracer.run.tracing import LOOK_UP_S, Ended, drained, record

_AT_FIRST_S = (
    0.25  # at most, for what was open when we came; the rest is looked up while events already flow
)
_AT_LAST_S = 1.0  # likewise, after the probes are detached
_GONE = "no process {}"


class NotTraceable(IotraceError):
    """A process that cannot be attached to; the text says which and why."""


class Attached(TypedDict):
    """A process (or a single thread) that was adopted, for the report; pid: as this PID namespace has it."""

    pid: int
    command: list[str]
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Wanted:
    """A process (or a single thread) to attach to. pid: as its user knows it; process: as /proc does, which may be
    another PID namespace's."""

    pid: int
    process: proc.Process


def attach(
    pids: list[int],
    with_children: bool,
    plan: TracePlan,
    features: Features,
    path: str,
    progress: Callable[[int], None],
    refused: Callable[[dict[int, str]], None],
    priority: Priority,
) -> Ended:
    """Traces running processes (or single threads) until they have ended, `plan.seconds` are over or a signal asks
    for the end. Nothing of them is stopped.

    progress: called with the number of records so far, now and then. refused: called, where there are such, with the
    PIDs that are not traced while others are, each with the reason. Raises CannotTrace, NotTraceable.
    """
    wanted, why_not = _wanted(pids)
    with signalled() as signals, plan.attachment(features) as probes:
        subject = _Running(wanted, with_children, signals, progress, plan, probes, priority)
        subject.why_not, subject.refused = why_not, refused
        return record(probes, features, path, subject)


class _Running(AnyProgram):
    """The processes to attach to and, with `with_children`, their descendants."""

    def __init__(
        self,
        wanted: list[Wanted],
        with_children: bool,
        signals: Callable[[], list[int]],
        progress: Callable[[int], None],
        plan: TracePlan,
        probes: Attachment,
        priority: Priority,
    ) -> None:
        super().__init__(plan, probes, priority)
        self._wanted, self._with_children = wanted, with_children
        self._signals, self._progress = signals, progress
        self._attached: list[tuple[Wanted, Attached]] = []
        self._tables, self._in_own_proc = DescriptorTables(), pid_namespaces.is_in_own_proc()
        self.why_not: dict[int, str] = {}
        self._seen_as: dict[int, int] = {}
        self.refused: Callable[[dict[int, str]], None] = lambda why_not: None

    def looks_at_others(self) -> bool:
        own = os.geteuid()
        return self._with_children or any(wanted.process.owner() != own for wanted in self._wanted)

    def begin(self, recorder: Recorder) -> None:
        """Adopts all threads first, and then learns their descriptors: what a thread does meanwhile is already seen."""
        self._seen_as = recorder.seen_as
        self.names.on_epoll = lambda *looked: recorder.add(_registrations(*looked))
        with self.priority.urgent():
            for wanted in self._wanted:
                self._adopt(wanted, recorder)
            if self._with_children:
                self._adopt_children(recorder)
            if not self._attached:
                raise NotTraceable(_none_of(self.why_not))
            for wanted, attached in self._attached:
                with recorder.aside(), suppress(OSError):  # it has ended meanwhile
                    attached["descriptors"] = self._learn(wanted.process, recorder)
            recorder.drain()
            self.numbers.adopted(recorder.seen_as)
            self._look_up(_AT_FIRST_S, recorder)
        if self.why_not:
            self.refused(self.why_not)

    def follow(self, recorder: Recorder) -> str:
        deadline_s = self.plan.deadline(recorder.base)
        with _ends([wanted for wanted, _ in self._attached]) as all_ended:

            def has_ended(milliseconds: float) -> bool:
                """Descendants that the probes follow may outlive the processes that were named."""
                left_ms = max(0.0, 1000 * (deadline_s - time.monotonic()))
                return all_ended(min(milliseconds, left_ms)) and not recorder.collector.announced()

            for _ in drained(recorder, has_ended, self.names.catch_up, self.priority):
                self._progress(recorder.count)
                if recorder.ended_early:
                    break
                if self._signals():
                    return "interrupted"
                if time.monotonic() >= deadline_s:
                    return "duration"
        return "completed"

    def end(self, recorder: Recorder, ending: str, stopped_ns: int) -> tuple[Ended, dict[str, Any]]:
        with recorder.aside():
            self.names.catch_up(_AT_LAST_S)
        base = recorder.base or stopped_ns  # base is 0 where the first drain failed
        return Ended(ending), self.facts(base, stopped_ns)

    def target(self) -> dict[str, Any]:
        first = self._attached[0][1]
        target = {
            "command": first["command"],
            "pid": first["pid"],
            "exit_status": None,
            "attached": [
                process | {"tgid": self._seen_as.get(wanted.process.pid, process["pid"])}
                for wanted, process in self._attached
            ],
        }
        if self.why_not:
            target["refused"] = [
                {"pid": pid, "reason": reason} for pid, reason in self.why_not.items()
            ]
        return target

    def _adopt(self, wanted: Wanted, recorder: Recorder) -> None:
        """Adopts a process's threads, unless it ends meanwhile or is not ours to trace."""
        process, command, threads = wanted.process, list[str](), 0
        why_not = _GONE.format(wanted.pid)
        try:
            leader = process.leader()
            if leader == process.pid:
                threads = self.adopter.adopt_all(process, recorder.drain)
            else:
                threads = int(self.adopter.adopt(leader, process.pid))
        except PermissionError as error:
            why_not = _forbidden(wanted.pid, str(error.filename))
        except OSError:  # it has ended
            pass
        if not threads:
            self.why_not[wanted.pid] = why_not
            return
        with recorder.aside(), suppress(OSError):
            for tid in process.threads()[:1]:  # the first one that has not ended
                command = proc.Process(tid).command()
        self._attached.append(
            (
                wanted,
                {"pid": wanted.pid, "command": command, "threads": threads, "descriptors": 0},
            )
        )

    def _adopt_children(self, recorder: Recorder) -> None:
        """Adopts the descendants that exist now; the probes follow later ones."""
        known = {wanted.process.pid for wanted, _ in self._attached}
        me = int(os.readlink("/proc/self"))
        while new := set(proc.children(known)) - known - {me}:
            known |= new
            for pid in sorted(new):
                self._adopt(Wanted(pid, proc.Process(pid)), recorder)
                self.why_not.pop(pid, None)  # nobody has asked for this one

    def _learn(self, process: proc.Process, recorder: Recorder) -> int:
        """Has the probes learn the open files of a process, or of a single thread: each table of descriptors once,
        whoever shares it. Returns how many there are; raises OSError."""
        leader, count = process.leader(), 0
        tids = process.threads() if leader == process.pid else [process.pid]
        for index, tid in enumerate(tids):
            is_new = self._tables.is_new(tid) if self._in_own_proc else None
            if is_new is None:  # not known: threads mostly share their process's
                is_new = index == 0
            fds = proc.Process(tid).open_numbers() if is_new or index == 0 else []
            if is_new:
                self.adopter.learn(leader, tid, fds, recorder.drain)
            count += len(fds)
        return count

    def _look_up(self, seconds: float, recorder: Recorder) -> None:
        """Names for what was open, while the ring is emptied: for so long, or until those that were noted are done."""
        until = time.monotonic() + min(seconds, self.plan.seconds or seconds)
        with recorder.aside():
            while not self.names.catch_up(LOOK_UP_S) and time.monotonic() < until:
                recorder.drain()


def _wanted(pids: list[int]) -> tuple[list[Wanted], dict[int, str]]:
    """The processes to attach to, and why others cannot be; raises NotTraceable where there is none."""
    wanted: list[Wanted] = []
    why_not: dict[int, str] = {}
    for pid in dict.fromkeys(pids):
        try:
            wanted.append(Wanted(pid, _process(pid)))
        except (FileNotFoundError, ProcessLookupError):
            why_not[pid] = _GONE.format(pid)
        except PermissionError:
            why_not[pid] = _forbidden(pid, f"/proc/{pid}")
        except (NotTraceable, pid_namespaces.Ambiguous) as error:
            why_not[pid] = str(error)
    if not wanted:
        raise NotTraceable(_none_of(why_not))
    return wanted, why_not


def _process(pid: int) -> proc.Process:
    """The process; raises OSError and IotraceError where it cannot be traced."""
    process = proc.Process(pid_namespaces.number_in_proc(pid))
    if process.is_kernel_thread():
        raise NotTraceable(f"process {pid} is a kernel thread: it makes no system calls")
    if process.leader() == int(os.readlink("/proc/self")):
        raise NotTraceable(f"process {pid} is iotrace itself")
    if process.has_ended():
        raise NotTraceable(
            f"process {pid} has ended: it is a zombie, for whose status nobody has asked"
        )
    return process


def _forbidden(pid: int, what: str) -> str:
    return f"process {pid} is not ours to trace: {what} may not be read"


def _none_of(why_not: dict[int, str]) -> str:
    """Why nothing can be traced, in one line."""
    first, *others = why_not.values()
    return f"{first}, and {len(others)} more cannot be traced" if others else first


def _registrations(looked_ns: int, tid: int, epoll: proc.Descriptor) -> RecordBatch:
    """The descriptors that an epoll instance watches, as the records that epoll_ctl would have left.

    looked_ns: a time before the instance was looked at, so that a change that is traced meanwhile comes later.
    """
    number = syscalls.numbers()["epoll_ctl"]
    rows = [
        arguments_record(
            looked_ns, tid, number, epoll.fd, syscalls.EPOLL_CTL_ADD, watched, events & 0xFFFFFFFF
        )
        for watched, events in epoll.epoll.items()
    ]
    return RecordBatch.of(np.array(rows, RECORD))


@contextmanager
def _ends(processes: list[Wanted]) -> Iterator[Callable[[float], bool]]:
    """A function that waits so many ms and says whether all of the processes have ended."""
    poll, fds = select.poll(), set[int]()
    try:
        for wanted in processes:
            try:
                same = wanted.pid == wanted.process.pid
                fd = os.pidfd_open(wanted.process.leader() if same else wanted.pid)
            except OSError:  # ended already, or in another PID namespace than ours
                continue
            fds.add(fd)
            poll.register(fd, select.POLLIN)

        def all_ended(milliseconds: float) -> bool:
            for fd, _ in poll.poll(milliseconds):
                poll.unregister(fd)
                os.close(fd)
                fds.remove(fd)
            return not fds

        yield all_ended
    finally:
        for fd in fds:
            os.close(fd)
