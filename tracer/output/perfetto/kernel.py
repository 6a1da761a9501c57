"""What the kernel told as ftrace's own events (sched_switch, sched_waking, sys_enter, sys_exit), from which Perfetto
makes its thread states and names of calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from heapq import merge
from typing import Any, TypeAlias

from tracer.output.format import Result
from tracer.output.perfetto.schema import (
    FtraceEvent,
    FtraceEventBundle,
    SchedSwitchFtraceEvent,
    SchedWakingFtraceEvent,
    SysEnterFtraceEvent,
    SysExitFtraceEvent,
    TracePacket,
)
from tracer.output.perfetto.wire import message
from tracer.output.units import clean

NOT_TRACED, NOT_TRACED_TID = "not traced", 1 << 22  # PID_MAX_LIMIT: no thread has this ID
IDLE = "swapper"
_AT_ONCE = 4096  # events in a packet
_PRIORITY = 120  # of a thread without a nice value; recordings do not hold priorities

Event: TypeAlias = tuple[int, int, int]  # time (ns), rank among events of one time, row
Made: TypeAlias = tuple[int, int, bytes]  # CPU, thread, the event's own fields


def packets(report: Result, base: int) -> Iterator[bytes]:
    """Bundles of events, each of one CPU and in the order of time. base: ns of CLOCK_MONOTONIC at the report's 0."""
    told: Any = report.get("kernel_events")
    if not told:
        return
    names = {its["tid"]: clean(its["name"]) for its in report.get("threads") or []}
    waiting: dict[int, list[bytes]] = defaultdict(list)
    calls, makers = told["calls"], _makers(told, names)
    rows = range(length(calls))
    events = merge(
        sorted((calls["start_ns"][row], 0, row) for row in rows),
        ((told["wakings"]["at_ns"][row], 1, row) for row in range(length(told["wakings"]))),
        ((told["switches"]["at_ns"][row], 2, row) for row in range(length(told["switches"]))),
        ((calls["end_ns"][row], 3, row) for row in rows if calls["returned"][row]),
    )
    for at, kind, row in events:
        cpu, tid, event = makers[kind](row)
        said = message((FtraceEvent.timestamp, base + at), (FtraceEvent.pid, tid)) + event
        waiting[cpu].append(said)
        if len(waiting[cpu]) == _AT_ONCE:
            yield _bundle(cpu, waiting.pop(cpu))
    for cpu, events_of in waiting.items():
        yield _bundle(cpu, events_of)


def length(columns: Result) -> int:
    """How many rows the columns have."""
    return min(map(len, columns.values()), default=0)


def _bundle(cpu: int, events: list[bytes]) -> bytes:
    bundle = message(
        (FtraceEventBundle.cpu, cpu), *((FtraceEventBundle.event, event) for event in events)
    )
    return message((TracePacket.ftrace_events, bundle))


def _makers(told: Result, names: dict[int, str]) -> list[Callable[[int], Made]]:
    """For each kind of event, by its rank, what makes one of its row."""
    calls, wakings, switches = told["calls"], told["wakings"], told["switches"]

    def entered(row: int) -> Made:
        fields = message((SysEnterFtraceEvent.id, calls["number"][row]))
        return calls["cpu"][row], calls["tid"][row], message((FtraceEvent.sys_enter, fields))

    def left(row: int) -> Made:
        fields = message(
            (SysExitFtraceEvent.id, calls["number"][row]),
            (SysExitFtraceEvent.ret, calls["result"][row]),
        )
        return calls["end_cpu"][row], calls["tid"][row], message((FtraceEvent.sys_exit, fields))

    def woken(row: int) -> Made:
        tid = wakings["tid"][row]
        fields = message(
            (SchedWakingFtraceEvent.comm, names.get(tid, "")),
            (SchedWakingFtraceEvent.pid, tid),
            (SchedWakingFtraceEvent.prio, _PRIORITY),
            (SchedWakingFtraceEvent.success, 1),
        )
        cpu = wakings["cpu"][row]
        return cpu, wakings["waker"][row], message((FtraceEvent.sched_waking, fields))

    def switched(row: int) -> Made:
        previous, before = _shown(switches["previous"][row], names)
        following, after = _shown(switches["next"][row], names)
        fields = message(
            (SchedSwitchFtraceEvent.prev_comm, before),
            (SchedSwitchFtraceEvent.prev_pid, previous),
            (SchedSwitchFtraceEvent.prev_prio, _PRIORITY),
            (SchedSwitchFtraceEvent.prev_state, switches["state"][row]),
            (SchedSwitchFtraceEvent.next_comm, after),
            (SchedSwitchFtraceEvent.next_pid, following),
            (SchedSwitchFtraceEvent.next_prio, _PRIORITY),
        )
        return switches["cpu"][row], previous, message((FtraceEvent.sched_switch, fields))

    return [entered, woken, switched, left]


def _shown(tid: int, names: dict[int, str]) -> tuple[int, str]:
    """(ID, name) of who had a CPU; of those that were not traced nobody is named, since others may have had it too."""
    if tid < 0:
        return NOT_TRACED_TID, NOT_TRACED
    return tid, IDLE if not tid else names.get(tid, "")
