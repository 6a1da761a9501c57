"""--perfetto of real runs, decoded with Perfetto's public schema: what is in it is what the recordings hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tracer.output.format import Options
from tracer.output.perfetto import FORMAT, render, schema
from tracer.output.perfetto.kernel import NOT_TRACED_TID
from tracer.recording import parquet
from tracer.recording.batch import joined
from tracer.recording.fields import Calls, Exits, SwitchesIn, SwitchesOut, Wakings
from tracer.recording.records import Kind
from tracer.report import build

public = pytest.importorskip(
    "perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="PyPI's perfetto is not installed"
)
DATA = Path(__file__).parents[1] / "data"
RECORDINGS = ("blocking", "epoll-lt-left", "posix-aio-thread", "io-uring-multishot", "select-tcp")
every = pytest.mark.parametrize("name", RECORDINGS)
BEGIN, END = schema.TrackEvent.TYPE_SLICE_BEGIN, schema.TrackEvent.TYPE_SLICE_END


@cache
def made(name: str) -> SimpleNamespace:
    """A recording, its report, and the trace that comes of it."""
    path = str(DATA / f"{name}.parquet")
    read = partial(parquet.columns, path)
    report = build.build(read, parquet.read_facts(path), FORMAT.needs)
    trace = public.Trace.FromString(b"".join(render(report, Options())))
    return SimpleNamespace(records=joined(list(read())), report=report, packets=trace.packet)


def kernel_events(packets: Any) -> list[tuple[int, Any]]:
    return [
        (packet.ftrace_events.cpu, event)
        for packet in packets
        for event in packet.ftrace_events.event
    ]


def track_events(packets: Any) -> dict[int, list[tuple[int, Any]]]:
    """Track → (time, event), in the file's order."""
    found = defaultdict(list)
    for packet in packets:
        if packet.HasField("track_event"):
            found[packet.track_event.track_uuid].append((packet.timestamp, packet.track_event))
    return found


def unknown_fields(message: Any) -> bool:
    from google.protobuf.unknown_fields import UnknownFieldSet

    return len(UnknownFieldSet(message)) > 0 or any(
        unknown_fields(each)
        for field, value in message.ListFields()
        if field.message_type
        for each in (
            value if isinstance(value, (list, tuple)) or hasattr(value, "add") else [value]
        )
    )


def test_the_fields_have_the_public_schemas_numbers() -> None:
    checked = 0
    for name, its in vars(schema).items():
        if not isinstance(its, type):
            continue
        where = {
            "Clock": public.ClockSnapshot.Clock,
            "Process": public.ProcessTree.Process,
            "Thread": public.ProcessTree.Thread,
            "Flows": public.TrackEvent,
        }.get(name) or getattr(public, name)
        known = {
            field.name: field.number for field in getattr(where.DESCRIPTOR, "fields", ())
        } | dict(
            where.items()
            if hasattr(where, "items")
            else where.Type.items()
            if name == "TrackEvent"
            else ()
        )
        said = {key: value for key, value in vars(its).items() if not key.startswith("_")}
        assert said and said == {key: known[key] for key in said}, name
        checked += len(said)
    assert checked > 60


@every
def test_nothing_in_it_is_unknown_to_the_schema(name: str) -> None:
    assert not any(unknown_fields(packet) for packet in made(name).packets)


@every
def test_the_kernels_events_are_the_recordings(name: str) -> None:
    its = made(name)
    events = Counter(event.WhichOneof("event") for _, event in kernel_events(its.packets))
    out, into, calls = (
        SwitchesOut.of(its.records),
        SwitchesIn.of(its.records),
        Calls.of(its.records),
    )
    ends = Exits.of(its.records)
    ends = ends.where(~ends.goes_on)
    traced = np.union1d(out.tid, ends.tid)
    from_untraced = ~np.isin(into.previous, traced)
    assert events["sched_switch"] == len(out) + len(ends) + from_untraced.sum() > 0
    assert events["sched_waking"] == len(Wakings.of(its.records))
    assert events["sys_enter"] == len(calls) > 0
    assert events["sys_exit"] == (calls.kind == Kind.CALL).sum()
    numbers = Counter(
        event.sys_enter.id for _, event in kernel_events(its.packets) if event.HasField("sys_enter")
    )
    assert numbers == Counter(calls.number.tolist())


@every
def test_on_each_cpu_who_leaves_is_who_came(name: str) -> None:
    on: dict[int, int] = {}
    last: dict[int, int] = {}
    traced = {thread["tid"] for thread in made(name).report["threads"]}
    for cpu, event in kernel_events(made(name).packets):
        assert event.timestamp >= last.get(cpu, 0)
        last[cpu] = event.timestamp
        if event.HasField("sched_switch"):
            switch = event.sched_switch
            assert on.get(cpu, switch.prev_pid) == switch.prev_pid == event.pid
            assert {switch.prev_pid, switch.next_pid} <= traced | {0, NOT_TRACED_TID}
            on[cpu] = switch.next_pid


@every
def test_slices_nest_and_are_the_operations_and_their_phases(name: str) -> None:
    its = made(name)
    columns, tracks, slices = (
        its.report["operations_over_time"]["columns"],
        track_events(its.packets),
        0,
    )
    for events in tracks.values():
        stack: list[int] = []
        before = 0
        for at, event in events:
            assert at >= before, "a track's events come in the order of time"
            before = at
            if event.type == BEGIN:
                stack.append(at)
                slices += 1
                assert len(stack) <= 2
            elif event.type == END:
                stack.pop()
        assert not stack
    spans = [("ask", "ready"), ("ready", "copy_start"), ("copy_end", "done")]
    took_time = sum(
        columns[f"{a}_ns"][row] < columns[f"{b}_ns"][row]
        for a, b in spans
        for row in range(len(columns["index"]))
    )
    assert slices == 2 * len(columns["index"]) + took_time > 0, (
        "itself, its copy, and what took time"
    )


@every
def test_flows_go_from_ready_by_told_to_the_copy(name: str) -> None:
    its = made(name)
    flows = defaultdict(list)
    for events in track_events(its.packets).values():
        for at, event in events:
            for flow in event.flow_ids:
                flows[flow].append((at, event.name))
            for flow in event.terminating_flow_ids:
                flows[flow].append((at, event.name))
    columns = its.report["operations_over_time"]["columns"]
    traced = {thread["tid"] for thread in its.report["threads"]}
    senders = sum(sender in traced for sender in columns["sender"])
    assert len(flows) == len(columns["index"]) + senders > 0
    whole = [flow for flow in flows.values() if len(flow) == 3]
    assert len(whole) == len(columns["index"])
    assert all([name for _, name in flow] == ["ready", "told", "copy"] for flow in whole)
    assert all(flow == sorted(flow, key=lambda step: step[0]) for flow in flows.values())


@every
def test_clocks_tracks_and_counters(name: str) -> None:
    its = made(name)
    (snapshot,) = [p.clock_snapshot for p in its.packets if p.HasField("clock_snapshot")]
    assert {clock.timestamp for clock in snapshot.clocks} == {its.report["base_ns"]}
    described = {
        p.track_descriptor.uuid: p.track_descriptor
        for p in its.packets
        if p.HasField("track_descriptor")
    }
    assert all(
        not track.parent_uuid or track.parent_uuid in described for track in described.values()
    )
    pids = {thread["tid"]: thread["tgid"] for thread in its.report["threads"]}
    threads = [track.thread for track in described.values() if track.HasField("thread")]
    assert threads and all(pids[thread.tid] == thread.pid for thread in threads)
    events = track_events(its.packets)
    assert events.keys() <= described.keys()
    counted = 0
    for uuid, track in described.items():
        if track.HasField("counter"):
            values = [event.counter_value for _, event in events[uuid]]
            assert values[-1] == 0 and min(values) >= 0 and max(values) >= 1
            counted += sum(b > a for a, b in zip([0, *values], values, strict=False))
    assert counted == len(its.report["operations_over_time"]["columns"]["index"])
