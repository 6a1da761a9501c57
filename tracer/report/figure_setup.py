"""What was set up once, before any operation, that the textbook's figure begins with: of signal-driven I/O the handler
and the descriptor's owner, signal and O_ASYNC (Stevens, UNP, figure 6.4; sigaction(2), fcntl(2))."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import numpy as np

from tracer.analysis.operations.table import SIGNAL, Operations
from tracer.kernel import syscalls
from tracer.kernel.signal_names import signal_name
from tracer.recording.batch import Read, RecordBatch
from tracer.recording.fields import Arguments, Calls
from tracer.report.contract import Figure
from tracer.report.setup_step import SetupStep

_F_SETSIG, _F_SETOWN_EX = 10, 15  # include/uapi/asm-generic/fcntl.h
_COMMANDS = {
    fcntl.F_SETOWN: "F_SETOWN",
    _F_SETOWN_EX: "F_SETOWN_EX",
    _F_SETSIG: "F_SETSIG",
    fcntl.F_SETFL: "O_ASYNC",  # where it sets that
}
_REQUESTS = {0x5452: "FIOASYNC", 0x8901: "FIOSETOWN", 0x8902: "SIOCSPGRP"}  # ioctl(2)


def prelude(drawn: Figure, operations: Operations, read: Read, base: int) -> list[SetupStep]:
    """What the figure of this operation begins with; nothing but of signal-driven I/O.

    operations: those of which `drawn` is one; read: gives the recording's records; base: what times count from (ns).
    """
    row = drawn["operation"]
    operation = next(operations.rows(slice(row, row + 1)))
    if operation["wait_kind"] != SIGNAL:
        return []
    handled = 0 if operation["by_sigwait"] else operation["signal"]
    threads = frozenset((operation["tid"], operation["tgid"]))
    return signal_setup(read, threads, operation["fd"], handled, operation["ask"], base)


def signal_setup(
    read: Read, threads: frozenset[int], fd: int, handled: int, until: int, base: int
) -> list[SetupStep]:
    """The last call of each kind before a time, in their order; none where tracing began later.

    read: gives the recording's records. threads: whose calls count. fd: the descriptor that is asked for. handled: the
    signal for which a handler is there, 0: it is taken by a call. until, base: ns.
    """
    last: dict[str, SetupStep] = {}
    for batch in read(None, until):
        for step in (*_handlers(batch, threads, handled), *_arming(batch, threads, fd)):
            if step["at_ns"] < until:
                last[f"{step['name']} {step['what']}"] = step
    steps = sorted(last.values(), key=lambda step: step["at_ns"])
    armed = any(step["what"] in ("O_ASYNC", "FIOASYNC") for step in steps)
    return [{**step, "at_ns": step["at_ns"] - base} for step in steps] if armed else []


def _handlers(batch: RecordBatch, threads: frozenset[int], handled: int) -> Iterator[SetupStep]:
    """The last rt_sigaction for the signal."""
    calls = Calls.of(batch)
    calls = calls.where(
        (calls.number == syscalls.numbers()["rt_sigaction"]) & (calls.fd == handled)
    )
    for time, tid, result in list(zip(calls.time, calls.tid, calls.result, strict=True))[::-1]:
        if handled and result == 0 and int(tid) in threads:
            name = signal_name(handled)
            yield _step(int(time), int(tid), "rt_sigaction", name, None)
            return


def _arming(batch: RecordBatch, threads: frozenset[int], fd: int) -> Iterator[SetupStep]:
    """Who is sent which signal for a descriptor, and that it is to be."""
    given = Arguments.of(batch)
    numbers = syscalls.numbers()
    commands = (given.number == numbers["fcntl"]) & np.isin(given.second, list(_COMMANDS))
    requests = (given.number == numbers["ioctl"]) & np.isin(given.second, list(_REQUESTS))
    given = given.where((commands | requests) & (given.first == fd))
    columns = (given.time, given.tid, given.number, given.second, given.third)
    for time, tid, number, second, third in zip(*(its.tolist() for its in columns), strict=True):
        if tid not in threads:
            continue
        if number == numbers["ioctl"]:
            yield _step(time, tid, "ioctl", _REQUESTS[second], None)
        elif second != fcntl.F_SETFL or third & os.O_ASYNC:
            yield _step(time, tid, "fcntl", _COMMANDS[second], _value(second, third))


def _value(command: int, argument: int) -> str | None:
    """What a command of fcntl was given, where that says something."""
    if command == _F_SETSIG:
        return signal_name(argument)
    return str(argument) if command == fcntl.F_SETOWN else None


def _step(time: int, tid: int, name: str, what: str, value: str | None) -> SetupStep:
    return {"at_ns": time, "tid": tid, "name": name, "what": what, "value": value}
