"""Traces processes that run already, without stopping them, until they or the tracing end."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

import numpy as np

from tracer.bpf.loader import Attachment
from tracer.capture.interrupts import signalled
from tracer.capture.recorder import Recorder
from tracer.errors import IotraceError
from tracer.kernel import proc, syscalls
from tracer.kernel.features import Features
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import arguments_record
from tracer.recording.records import RECORD
from tracer.run.program import AnyProgram, TracePlan
from tracer.run.tracing import Ended, drained, record


class NotTraceable(IotraceError):
    """A process that cannot be attached to; the text says which and why."""


class Attached(TypedDict):
    """A process (or a single thread) that was adopted, for the report; pid: as this PID namespace has it."""

    pid: int
    command: list[str]
    threads: int
    descriptors: int


def attach(
    pids: list[int],
    with_children: bool,
    plan: TracePlan,
    features: Features,
    path: str,
    progress: Callable[[int], None],
) -> Ended:
    """Traces running processes (or single threads) until they have ended, `plan.seconds` are over or a signal asks
    for the end. Nothing of them is stopped.

    progress: called with the number of records so far, now and then. Raises CannotTrace, NotTraceable.
    """
    processes = _wanted(pids)
    with signalled() as signals, plan.attachment(features) as probes:
        subject = _Running(processes, with_children, signals, progress, plan, probes)
        return record(probes, features, path, subject)


class _Running(AnyProgram):
    """The processes to attach to and, with `with_children`, their descendants."""

    def __init__(
        self,
        processes: list[proc.Process],
        with_children: bool,
        signals: Callable[[], list[int]],
        progress: Callable[[int], None],
        plan: TracePlan,
        probes: Attachment,
    ) -> None:
        super().__init__(plan, probes)
        self._processes, self._with_children = processes, with_children
        self._signals, self._progress = signals, progress
        self._attached: list[Attached] = []

    def begin(self, recorder: Recorder) -> None:
        for process in self._processes:
            self._adopt(process, recorder)
        if self._with_children:
            self._adopt_children(recorder)
        if not self._attached:
            raise NotTraceable(f"process {self._processes[0].pid} has ended")

    def follow(self, recorder: Recorder) -> str:
        deadline = self.plan.deadline()
        with _ends([process["pid"] for process in self._attached]) as all_ended:

            def has_ended(milliseconds: int) -> bool:
                """Descendants that the probes follow may outlive the processes that were named."""
                return all_ended(milliseconds) and not recorder.collector.announced()

            for _ in drained(recorder, has_ended):
                self._progress(recorder.count)
                if recorder.ended_early:
                    break
                if self._signals():
                    return "interrupted"
                if time.monotonic() > deadline:
                    return "duration"
        return "completed"

    def end(self, recorder: Recorder, ending: str, stopped_ns: int) -> tuple[Ended, dict[str, Any]]:
        with recorder.aside():
            for process in self._attached:
                self.names.look(process["pid"])
        target = {
            "command": self._attached[0]["command"],
            "pid": self._attached[0]["pid"],
            "exit_status": None,
            "attached": [
                process | {"tgid": recorder.seen_as.get(process["pid"], process["pid"])}
                for process in self._attached
            ],
        }
        base = recorder.base or stopped_ns  # base is 0 where the first drain failed
        return Ended(ending), self.facts(base, stopped_ns, target)

    def _adopt(self, process: proc.Process, recorder: Recorder) -> None:
        """Adopts a process's threads and has the probes learn its descriptors, unless it ends meanwhile; raises
        NotTraceable."""
        try:
            before = len(self.adopter.tids)
            if process.leader() == process.pid:
                self.adopter.adopt_all(process, recorder.drain)
            else:
                self.adopter.adopt(process.leader(), process.pid, process.is_32_bit())
                recorder.drain()
            self.adopter.learn(process, process.last_descriptor(), recorder.drain)
            descriptors: list[proc.Descriptor] = []
            command: list[str] = []
            with recorder.aside():
                descriptors = self.names.look(process.pid, recorder.drain)
                tid = recorder.seen_as.get(process.pid, process.pid)
                recorder.add(_registrations(tid, process, descriptors))
            with recorder.aside(OSError):  # raised where the process has ended
                command = process.command()
        except (FileNotFoundError, ProcessLookupError):
            return
        except PermissionError as error:
            raise NotTraceable(
                f"process {process.pid} is not ours to trace: {error.filename} may not be read"
            ) from None
        threads = len(self.adopter.tids) - before
        self._attached.append(
            {
                "pid": process.pid,
                "command": command,
                "threads": threads,
                "descriptors": len(descriptors),
            }
        )

    def _adopt_children(self, recorder: Recorder) -> None:
        """Adopts the descendants that exist now; the probes follow later ones."""
        known = {process["pid"] for process in self._attached}
        while new := set(proc.children(known)) - known - {os.getpid()}:
            known |= new
            for pid in sorted(new):
                self._adopt(proc.Process(pid), recorder)


def _wanted(pids: list[int]) -> list[proc.Process]:
    """The processes to attach to; raises NotTraceable."""
    processes: list[proc.Process] = []
    for pid in dict.fromkeys(pids):
        process = proc.Process(pid)
        try:
            if process.is_kernel_thread():
                raise NotTraceable(f"process {pid} is a kernel thread: it makes no system calls")
            if process.leader() == os.getpid():
                raise NotTraceable(f"process {pid} is iotrace itself")
            if process.has_ended():
                raise NotTraceable(
                    f"process {pid} has ended: it is a zombie, for whose status nobody has asked"
                )
        except (FileNotFoundError, ProcessLookupError):
            raise NotTraceable(f"no process {pid}") from None
        except PermissionError:
            raise NotTraceable(
                f"process {pid} is not ours to trace: /proc/{pid} may not be read"
            ) from None
        processes.append(process)
    return processes


def _registrations(
    tid: int, process: proc.Process, descriptors: list[proc.Descriptor]
) -> RecordBatch:
    """The descriptors that the process's epoll instances watch now, as the records that epoll_ctl would have left.

    The records' time is taken before the instances are read, so that a change that is traced meanwhile comes later.
    """
    number, looked_ns = syscalls.numbers()["epoll_ctl"], time.monotonic_ns()
    instances = [process.descriptor(open_.fd) for open_ in descriptors if open_.link == proc.EPOLL]
    rows = [
        arguments_record(
            looked_ns, tid, number, epoll.fd, syscalls.EPOLL_CTL_ADD, watched, events & 0xFFFFFFFF
        )
        for epoll in instances
        if epoll
        for watched, events in epoll.epoll.items()
    ]
    return RecordBatch.of(np.array(rows, RECORD))


@contextmanager
def _ends(pids: list[int]) -> Iterator[Callable[[int], bool]]:
    """A function that waits so many ms and says whether all of the processes have ended."""
    poll, fds = select.poll(), set[int]()
    try:
        for pid in pids:
            try:
                fd = os.pidfd_open(proc.Process(pid).leader())
            except OSError:  # ended already
                continue
            fds.add(fd)
            poll.register(fd, select.POLLIN)

        def all_ended(milliseconds: int) -> bool:
            for fd, _ in poll.poll(milliseconds):
                poll.unregister(fd)
                os.close(fd)
                fds.remove(fd)
            return not fds

        yield all_ended
    finally:
        for fd in fds:
            os.close(fd)
