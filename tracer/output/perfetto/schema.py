"""The numbers of Perfetto's fields that a trace is written with (protos/perfetto/trace/ of github.com/google/perfetto).

Each class is a message of the public schema, each constant one of its fields or values under the schema's own name.
"""

from __future__ import annotations


class TracePacket:
    ftrace_events, process_tree, clock_snapshot, timestamp = 1, 2, 6, 8
    trusted_packet_sequence_id, track_event = 10, 11
    system_info, timestamp_clock_id, track_descriptor = 45, 58, 60


class ClockSnapshot:
    clocks, primary_trace_clock = 1, 2


class Clock:
    clock_id, timestamp = 1, 2


class BuiltinClock:
    BUILTIN_CLOCK_MONOTONIC, BUILTIN_CLOCK_BOOTTIME = 3, 6


class SystemInfo:
    utsname, num_cpus = 1, 8


class Utsname:
    sysname, version, release, machine = 1, 2, 3, 4


class ProcessTree:
    processes, threads = 1, 2


class Process:
    pid, cmdline = 1, 3


class Thread:
    tid, name, tgid = 1, 2, 3


class FtraceEventBundle:
    cpu, event = 1, 2


class FtraceEvent:
    timestamp, pid, sched_switch, sched_waking, sys_enter, sys_exit = 1, 2, 4, 20, 329, 330


class SchedSwitchFtraceEvent:
    prev_comm, prev_pid, prev_prio, prev_state, next_comm, next_pid, next_prio = 1, 2, 3, 4, 5, 6, 7


class SchedWakingFtraceEvent:
    comm, pid, prio, success, target_cpu = 1, 2, 3, 4, 5


class SysEnterFtraceEvent:
    id = 1


class SysExitFtraceEvent:
    id, ret = 1, 2


class TrackDescriptor:
    uuid, name, process, thread, parent_uuid, counter = 1, 2, 3, 4, 5, 8


class ProcessDescriptor:
    pid, process_name = 1, 6


class ThreadDescriptor:
    pid, tid, thread_name = 1, 2, 5


class CounterDescriptor:
    unit_name = 6


class TrackEvent:
    debug_annotations, type, track_uuid, name = 4, 9, 11, 23
    counter_value = 30
    TYPE_SLICE_BEGIN, TYPE_SLICE_END, TYPE_INSTANT, TYPE_COUNTER = 1, 2, 3, 4


class Flows:
    """Of TrackEvent, too: fixed64."""

    flow_ids, terminating_flow_ids = 47, 48


class DebugAnnotation:
    int_value, string_value, name = 4, 6, 10
