"""The packets of a trace: whose clock it has, which machine and threads, what the kernel told, what operations did."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Result
from tracer.output.perfetto import kernel, operations
from tracer.output.perfetto.schema import (
    BuiltinClock,
    Clock,
    ClockSnapshot,
    Process,
    ProcessTree,
    SystemInfo,
    Thread,
    TracePacket,
    Utsname,
)
from tracer.output.perfetto.wire import field, message
from tracer.output.units import clean

_TRACE_PACKET = 1  # the one field of a Trace, which a file is


def packets(report: Result) -> Iterator[bytes]:
    """The file, piece by piece."""
    for packet in _all(report):
        yield field(_TRACE_PACKET, packet)


def _all(report: Result) -> Iterator[bytes]:
    base = report.get("base_ns") or 0
    yield _clocks(base)
    yield _machine(report)
    yield _processes(report)
    yield from kernel.packets(report, base)
    yield from operations.packets(report, base)


def _clocks(base: int) -> bytes:
    """The trace's times are CLOCK_MONOTONIC's. Perfetto takes ftrace's for CLOCK_BOOTTIME's, and a recording does not
    say how long the machine was suspended: they are said to be the same."""
    clocks = [
        message((Clock.clock_id, clock), (Clock.timestamp, base))
        for clock in (BuiltinClock.BUILTIN_CLOCK_MONOTONIC, BuiltinClock.BUILTIN_CLOCK_BOOTTIME)
    ]
    snapshot = message(
        *((ClockSnapshot.clocks, clock) for clock in clocks),
        (ClockSnapshot.primary_trace_clock, BuiltinClock.BUILTIN_CLOCK_BOOTTIME),
    )
    return message((TracePacket.clock_snapshot, snapshot), (TracePacket.timestamp, base))


def _machine(report: Result) -> bytes:
    """The kernel, by which Perfetto reads states, and the architecture, by which it names system calls."""
    host = report.get("host") or {}
    name = message(
        (Utsname.sysname, "Linux"),
        (Utsname.release, clean(str(host.get("kernel") or ""))),
        (Utsname.machine, clean(str(host.get("arch") or ""))),
    )
    cpus = host.get("cpus") or 0
    return message(
        (TracePacket.system_info, message((SystemInfo.utsname, name), (SystemInfo.num_cpus, cpus)))
    )


def _processes(report: Result) -> bytes:
    """Processes and threads by name, and the thread that stands for all that were not traced."""
    listed = {its["tgid"]: clean(its["name"]) for its in report.get("processes") or []}
    threads = [(its["tid"], clean(its["name"]), its["tgid"]) for its in report.get("threads") or []]
    listed |= {tgid: name for tid, name, tgid in threads if tid == tgid and tgid not in listed}
    placeholder = kernel.NOT_TRACED_TID
    listed[placeholder] = kernel.NOT_TRACED
    threads.append((placeholder, kernel.NOT_TRACED, placeholder))
    processes = [
        message((Process.pid, tgid), (Process.cmdline, name)) for tgid, name in listed.items()
    ]
    tree = [(ProcessTree.processes, process) for process in processes]
    for tid, name, tgid in threads:
        thread = message((Thread.tid, tid), (Thread.name, name), (Thread.tgid, tgid))
        tree.append((ProcessTree.threads, thread))
    return message(
        (TracePacket.process_tree, message(*tree)),
        (TracePacket.timestamp, report.get("base_ns") or 0),
    )
