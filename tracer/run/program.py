"""Any program under the probes: a command started for it, or processes that run already; records into a recording."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from tracer import __version__, text
from tracer.bpf.loader import Attachment
from tracer.bpf.map_values import NR_UNSEEN
from tracer.capture import event_cost, spawn
from tracer.capture.attach import Adopter
from tracer.capture.collector import Collector
from tracer.capture.fd_names_live import Names
from tracer.capture.host import host
from tracer.capture.interrupts import signalled
from tracer.capture.recorder import DRAIN_MS, Recorder
from tracer.errors import IotraceError, NothingSeen
from tracer.kernel import proc, syscalls
from tracer.kernel.features import Features
from tracer.recording.batch import RecordBatch
from tracer.recording.parquet import Writer
from tracer.recording.records import RECORD, Kind

_GRACE_S = 5  # for a command that was told to end
EPOLL_CTL_ADD = 1


class NotTraceable(IotraceError):
    """A process that cannot be attached to; the text says which and why."""


@dataclass(frozen=True)
class TracePlan:
    """How to trace. seconds: for how long at most, None without end; user: (uid, gid) to run a command as; selected:
    the numbers of the calls to record, and the expressions that asked for them; ring_bytes: a power of two."""

    seconds: float | None
    follow: bool
    ring_bytes: int
    selected: frozenset[int] | None = None
    expressions: tuple[str, ...] = ()
    user: tuple[int, int] | None = None
    measure_cost: bool = True

    def options(self) -> dict:
        """What was asked, for the report."""
        return {
            "seconds": self.seconds,
            "follow": self.follow,
            "ring_bytes": self.ring_bytes,
            "trace": list(self.expressions),
        }


@dataclass(frozen=True)
class Ended:
    """How it ended: "completed", "interrupted", "duration", or "failed" where iotrace itself did before that; status: the
    command's, as a shell gives it, None for attached processes; began: whether the command was executed at all;
    recorded: whether there is a recording that can be read; failure: the first exception of iotrace's own."""

    how: str
    status: int | None = None
    began: bool = True
    recorded: bool = True
    failure: Exception | None = None


def trace(command: list[str], plan: TracePlan, features: Features, path: str) -> Ended:
    """Runs `command` under the probes until it ends, records to `path`.

    Signals that a process sends to iotrace are passed on to it; those of the terminal reach it by themselves. After
    `plan.seconds` it is told to end by SIGTERM, and killed if it has not after 5 s. Where iotrace fails while it runs, it
    goes on untraced to its own end, and what was recorded until then is kept. Raises CannotTrace, NothingSeen, and what
    fails before the command was begun.
    """
    with (
        spawn.start_command(command, plan.user) as program,
        signalled() as signals,
        Attachment(features, plan.ring_bytes, selected=plan.selected, follow=plan.follow) as probes,
        Collector(probes) as collector,
        Writer(path) as writer,
    ):
        cost = (
            event_cost.event_ns(probes, collector, Adopter(probes.secret))
            if plan.measure_cost
            else None
        )
        facts = _facts(
            plan, features, cost
        )  # before the command begins: what fails now does it no harm
        names = Names()
        recorder = Recorder(collector, writer, names.feed)
        with recorder.aside():
            names.look(program.pid)
        program.release(probes.secret)
        how = _followed(program, recorder, signals, plan.seconds)
        stopped = time.monotonic_ns()
        _finish(recorder, collector, stopped)
        if not recorder.base and not recorder.failure and program.status not in (125, 126, 127):
            raise NothingSeen("the target was released, but the probes saw nothing of it")
        began = recorder.began or recorder.base or stopped
        return _closed(
            writer,
            recorder,
            Ended(how, program.status, bool(recorder.began)),
            {
                **facts,
                "base_ns": began,
                "end_ns": stopped,
                "window_ns": [began, stopped],
                "files": names.files,
                "comms": names.comms,
                "target": {
                    "command": [text.shown(word) for word in command],
                    "pid": program.pid,
                    "exit_status": program.status,
                },
            },
        )


def _followed(
    program: spawn.Command,
    recorder: Recorder,
    signals: Callable[[], list[int]],
    seconds: float | None,
) -> str:
    """Drains until the command has ended, by itself or since it was told to; how it ended."""
    deadline, killing, how = _deadline(seconds), float("inf"), "completed"
    while not program.wait(DRAIN_MS):
        recorder.drain()
        for number in signals():
            if not _from_terminal(number):
                program.send(number)
        now = time.monotonic()
        if now > deadline:
            how, deadline, killing = "duration", float("inf"), now + _GRACE_S
            program.send(signal.SIGTERM)
        elif now > killing:
            program.send(signal.SIGKILL)
    return how


def _closed(writer: Writer, recorder: Recorder, ended: Ended, facts: dict) -> Ended:
    """The recording closed with its facts, and how it ended, with what failed in iotrace meanwhile."""
    how, recorded = "failed" if recorder.ended_early else ended.how, False
    with recorder.or_end():
        writer.close(facts | {"ended": how} | recorder.facts())
        recorded = True
    if not recorded:
        writer.abandon()
    return replace(
        ended, how=how if recorded else "failed", recorded=recorded, failure=recorder.failure
    )


def attach(
    pids: list[int],
    with_children: bool,
    plan: TracePlan,
    features: Features,
    path: str,
    progress: Callable[[int], None],
) -> Ended:
    """Traces running processes (or single threads) until they have ended, `plan.seconds` are over or a signal asks
    for the end. Nothing of them is stopped. Raises CannotTrace, NotTraceable."""
    processes = _wanted(pids, with_children)
    with (
        signalled() as signals,
        Attachment(features, plan.ring_bytes, selected=plan.selected, follow=plan.follow) as probes,
        Collector(probes) as collector,
        Writer(path) as writer,
    ):
        adopter = Adopter(probes.secret)
        cost = event_cost.event_ns(probes, collector, adopter) if plan.measure_cost else None
        facts = _facts(plan, features, cost)
        names = Names()
        recorder = Recorder(collector, writer, names.feed)
        attached = [_adopted(process, adopter, recorder, names) for process in processes]
        attached = [its for its in attached if its]
        if with_children:
            attached += _adopted_children(attached, adopter, recorder, names)
        if not attached:
            raise NotTraceable(f"process {pids[0]} has ended")
        how, deadline = "completed", _deadline(plan.seconds)
        with _ends(attached) as all_ended:
            while not (all_ended(DRAIN_MS) and not collector.announced()):
                recorder.drain()
                progress(recorder.count)
                if recorder.ended_early:
                    break
                if signals():
                    how = "interrupted"
                    break
                if time.monotonic() > deadline:
                    how = "duration"
                    break
        stopped = time.monotonic_ns()
        _finish(recorder, collector, stopped)
        with recorder.aside():
            for its in attached:
                names.look(its["pid"])
        base = recorder.base or stopped  # nothing was drained where that failed at once
        return _closed(
            writer,
            recorder,
            Ended(how),
            {
                **facts,
                "base_ns": base,
                "end_ns": stopped,
                "window_ns": [base, stopped],
                "files": names.files,
                "comms": names.comms,
                "target": {
                    "command": attached[0]["command"],
                    "pid": attached[0]["pid"],
                    "exit_status": None,
                    "attached": [
                        its | {"tgid": recorder.seen_as.get(its["pid"], its["pid"])}
                        for its in attached
                    ],
                },
            },
        )


def _deadline(seconds: float | None) -> float:
    return float("inf") if seconds is None else time.monotonic() + seconds


def _facts(plan: TracePlan, features: Features, cost: float | None) -> dict:
    """What is known of a run before it has begun."""
    return {
        "version": __version__,
        "scenario": None,
        "host": host(),
        "options": plan.options(),
        "features": features.sources,
        "event_cost_ns": cost,
    }


def _finish(recorder: Recorder, collector: Collector, stopped: int) -> None:
    """Detaches and takes the rest, with what /proc says of the calls that threads are in now."""
    here = {seen_by_kernel: tid for tid, seen_by_kernel in recorder.seen_as.items()}
    seen = {}
    with recorder.aside():
        for tid, (number, entered) in collector.open_calls().items():
            call = proc.Process(here.get(tid, tid)).call()
            if call and number in (NR_UNSEEN, call[0]):
                seen[tid] = (entered, *call)
    recorder.finish(stopped, seen)


# processes that run already


def _wanted(pids: list[int], with_children: bool) -> list[proc.Process]:
    """The processes to attach to; raises NotTraceable."""
    found = []
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
        found.append(process)
    return found


def _adopted(
    process: proc.Process, adopter: Adopter, recorder: Recorder, names: Names
) -> dict | None:
    """Its threads adopted and its descriptors learnt; what it is, for the report; None if it ended meanwhile."""
    try:
        before = len(adopter.tids)
        if process.leader() == process.pid:
            adopter.adopt_all(process, recorder.drain)
        else:
            adopter.adopt(process.leader(), process.pid, process.is_32_bit())
            recorder.drain()
        adopter.learn(process, process.last_descriptor(), recorder.drain)
        descriptors, command = [], []
        with recorder.aside():
            descriptors = names.look(process.pid, recorder.drain)
            recorder.add(
                _registrations(recorder.seen_as.get(process.pid, process.pid), process, descriptors)
            )
        with recorder.aside(OSError):  # which says that it has ended
            command = process.command()
        return {
            "pid": process.pid,
            "command": command,
            "threads": len(adopter.tids) - before,
            "descriptors": len(descriptors),
        }
    except (FileNotFoundError, ProcessLookupError):
        return None
    except PermissionError as error:
        raise NotTraceable(
            f"process {process.pid} is not ours to trace: {error.filename} may not be read"
        ) from None


def _adopted_children(
    attached: list[dict], adopter: Adopter, recorder: Recorder, names: Names
) -> list[dict]:
    """The descendants that there are; those still to come are followed by the probes."""
    known = {its["pid"] for its in attached}
    found = []
    while new := set(proc.children(known)) - known - {os.getpid()}:
        known |= new
        found += [
            its
            for pid in sorted(new)
            if (its := _adopted(proc.Process(pid), adopter, recorder, names))
        ]
    return found


def _registrations(
    tid: int, process: proc.Process, descriptors: list[proc.Descriptor]
) -> RecordBatch:
    """What epoll instances watch now, as the records that epoll_ctl would have left, with a time before they are read
    again, so that a change which was traced since comes after."""
    number, looked = syscalls.numbers()["epoll_ctl"], time.monotonic_ns()
    instances = [process.descriptor(its.fd) for its in descriptors if its.link == proc.EPOLL]
    rows = [
        (looked, EPOLL_CTL_ADD, watched, tid, Kind.ARGS, number, its.fd, events & 0xFFFFFFFF)
        for its in instances
        if its
        for watched, events in its.epoll.items()
    ]
    return RecordBatch.of(np.array(rows, RECORD))


@contextmanager
def _ends(attached: list[dict]) -> Iterator[Callable[[float], bool]]:
    """A function that waits so many ms and says whether all of the processes have ended."""
    poll, fds = select.poll(), {}
    try:
        for its in attached:
            try:
                fd = os.pidfd_open(proc.Process(its["pid"]).leader())
            except OSError:  # ended already
                continue
            fds[fd] = its
            poll.register(fd, select.POLLIN)

        def all_ended(milliseconds: float) -> bool:
            for fd, _ in poll.poll(milliseconds):
                poll.unregister(fd)
                os.close(fd)
                del fds[fd]
            return not fds

        yield all_ended
    finally:
        for fd in fds:
            os.close(fd)


def _from_terminal(number: int) -> bool:
    """Whether a signal came from the terminal, which sends it to all of the group in its foreground."""
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
