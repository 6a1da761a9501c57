"""Operations as slices on tracks of their own below their threads, with flows from who sent to who received, and how
much lay unread in each descriptor as a counter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

from tracer.output.format import Result
from tracer.output.perfetto.kernel import length
from tracer.output.perfetto.schema import (
    BuiltinClock,
    CounterDescriptor,
    DebugAnnotation,
    Flows,
    ProcessDescriptor,
    ThreadDescriptor,
    TracePacket,
    TrackDescriptor,
    TrackEvent,
)
from tracer.output.perfetto.wire import Value, fixed64, message
from tracer.output.units import clean
from tracer.report.contract import BOUNDARIES, PHASE_SPANS

_SEQUENCE = 1


class _Tracks:
    """The tracks that there are so far, by what they are; uuids are counted, from 1."""

    def __init__(self, report: Result) -> None:
        self._uuids: dict[tuple[Any, ...], int] = {}
        self._threads = {its["tid"]: its for its in report.get("threads") or []}
        self._processes = {its["tgid"]: its for its in report.get("processes") or []}

    def traced(self, tid: int) -> bool:
        """Whether it is a thread that the report knows."""
        return tid in self._threads

    def process(self, tid: int) -> int:
        """The process of a thread; the thread's own ID where it is not known."""
        thread = self._threads.get(tid)
        return int(thread["tgid"]) if thread else tid

    def known(self, *key: Any) -> tuple[int, list[bytes]] | None:
        """As `new` gives it of a track that there is already; None of one that there is not."""
        uuid = self._uuids.get(key)
        return None if uuid is None else (uuid, [])

    def new(self, key: tuple[Any, ...], fields: bytes) -> tuple[int, list[bytes]]:
        """(uuid, packets that describe the track)."""
        uuid = self._uuids[key] = len(self._uuids) + 1
        described = message((TrackDescriptor.uuid, uuid)) + fields
        return uuid, [_packet((TracePacket.track_descriptor, described))]

    def of_process(self, tgid: int) -> tuple[int, list[bytes]]:
        """The track of a process."""
        if there := self.known("process", tgid):
            return there
        its = self._processes.get(tgid) or self._threads.get(tgid) or {"name": ""}
        about = message(
            (ProcessDescriptor.pid, tgid), (ProcessDescriptor.process_name, clean(its["name"]))
        )
        return self.new(("process", tgid), message((TrackDescriptor.process, about)))

    def of_thread(self, tid: int) -> tuple[int, list[bytes]]:
        """The track of a thread."""
        if there := self.known("thread", tid):
            return there
        parent, described = self.of_process(self.process(tid))
        name = clean((self._threads.get(tid) or {"name": ""})["name"])
        about = message(
            (ThreadDescriptor.pid, self.process(tid)),
            (ThreadDescriptor.tid, tid),
            (ThreadDescriptor.thread_name, name),
        )
        fields = message((TrackDescriptor.thread, about), (TrackDescriptor.parent_uuid, parent))
        uuid, more = self.new(("thread", tid), fields)
        return uuid, described + more

    def below(
        self, parent: tuple[int, list[bytes]], name: str, *key: Any, counter: bytes | None = None
    ) -> tuple[int, list[bytes]]:
        """A track with a name below another one."""
        above, described = parent
        if there := self.known(above, name, *key):
            return there
        fields = message((TrackDescriptor.name, name), (TrackDescriptor.parent_uuid, above))
        if counter is not None:
            fields += message((TrackDescriptor.counter, counter))
        uuid, more = self.new((above, name, *key), fields)
        return uuid, described + more


class _Lanes:
    """For each thread as many tracks as operations of it overlap; an operation takes the first that is free."""

    def __init__(self) -> None:
        self._busy: dict[int, list[tuple[int, int]]] = {}  # thread → (until when, number)
        self._free: dict[int, list[int]] = {}

    def take(self, tid: int, begin: int, end: int) -> int:
        """The number of the lane, from 0. Operations come in the order in which they begin (ns)."""
        busy, free = self._busy.setdefault(tid, []), self._free.setdefault(tid, [])
        while busy and busy[0][0] <= begin:
            heappush(free, heappop(busy)[1])
        number = heappop(free) if free else len(busy)
        heappush(busy, (end, number))
        return number


def packets(report: Result, base: int) -> Iterator[bytes]:
    """The tracks and their events. base: ns of CLOCK_MONOTONIC at the report's 0."""
    told: Any = report.get("operations_over_time")
    if not told:
        return
    tracks, lanes, columns = _Tracks(report), _Lanes(), told["columns"]
    for row in sorted(range(length(columns)), key=columns["ask_ns"].__getitem__):
        its = {name: column[row] for name, column in columns.items()}
        lane = lanes.take(its["tid"], its["ask_ns"], its["done_ns"])
        yield from _operation(its, _name(its, told["descriptors"]), lane, tracks, base)
    if told["count"] == length(columns):
        yield from _unread(told, tracks, base)


def _name(operation: Result, descriptors: list[Result]) -> str:
    """What the operation's descriptor is called."""
    place = operation["descriptor"]
    file = descriptors[place]["file"] if 0 <= place < len(descriptors) else None
    return clean(f"fd {operation['fd']} {file or ''}".rstrip())


def _operation(
    its: Result, descriptor: str, lane: int, tracks: _Tracks, base: int
) -> Iterator[bytes]:
    """One operation: where its data came from, its slice, the phases in it, and the flows between them."""
    flow = 2 * int(its["index"]) + 1  # ready → told → receive; the next number: sender → receiver
    receiver, ready = int(its["tid"]), base + its["ready_ns"]
    above = tracks.of_process(tracks.process(receiver))
    place, described = tracks.below(above, f"{descriptor}: ready", its["descriptor"])
    yield from described
    yield _event(place, ready, TrackEvent.TYPE_INSTANT, "ready", flows=(flow,))
    sent = tracks.traced(its["sender"])
    if sent:
        place, described = tracks.below(tracks.of_thread(its["sender"]), "sends")
        yield from described
        yield _event(
            place, ready, TrackEvent.TYPE_INSTANT, f"data to {descriptor}", flows=(flow + 1,)
        )
    name = "operations" if not lane else f"operations ({lane + 1})"
    place, described = tracks.below(tracks.of_thread(receiver), name)
    yield from described
    what = f"{its['bytes']} B from {descriptor}" if its["bytes"] >= 0 else f"from {descriptor}"
    begin, end = base + its["ask_ns"], base + its["done_ns"]
    yield _event(place, begin, TrackEvent.TYPE_SLICE_BEGIN, what, notes=_notes(its))
    yield from _phases(its, place, base, flow, sent)
    yield _event(place, end, TrackEvent.TYPE_SLICE_END)


def _phases(its: Result, place: int, base: int, flow: int, sent: bool) -> Iterator[bytes]:
    """The phases that took time, and the copy, at which flows end, though it took none."""
    told = _event(place, base + its["told_ns"], TrackEvent.TYPE_INSTANT, "told", flows=(flow,))
    for phase, (first, last) in PHASE_SPANS.items():
        begin, end = base + its[f"{first}_ns"], base + its[f"{last}_ns"]
        shown, ends = begin < end or phase == "copy", [flow, flow + 1][: 1 + sent]
        if shown:
            yield _event(
                place, begin, TrackEvent.TYPE_SLICE_BEGIN, phase, ends=ends * (phase == "copy")
            )
        if phase == "notice":
            yield told
        if shown:
            yield _event(place, end, TrackEvent.TYPE_SLICE_END)


def _notes(its: Result) -> dict[str, int | str]:
    """What a click on an operation says."""
    notes: dict[str, int | str] = {"index": its["index"], "fd": its["fd"], "bytes": its["bytes"]}
    guessed = [name for i, name in enumerate(BOUNDARIES) if its["estimated"] >> i & 1]
    notes |= {"estimated": ", ".join(guessed)} if guessed else {}
    notes |= {name: its[name] for name in ("waker", "sender") if its[name] >= 0}
    return notes | {name: its[name] for name in ("queued_ns", "inside_ns") if its[name]}


def _unread(told: Result, tracks: _Tracks, base: int) -> Iterator[bytes]:
    """How many operations' data lay in each descriptor, at each change: from when it came until it was copied."""
    columns = told["columns"]
    changes: dict[int, list[tuple[int, int, int]]] = {}  # descriptor → (when, change, row)
    for row in range(length(columns)):
        place = columns["descriptor"][row]
        came = columns["ready_ns"][row] - columns["queued_ns"][row]
        changes.setdefault(place, []).append((came, 1, row))
        changes[place].append((columns["copy_end_ns"][row], -1, row))
    changes.pop(-1, None)
    unit = message((CounterDescriptor.unit_name, "receives"))
    for place, of_one in changes.items():
        its = {name: columns[name][of_one[0][2]] for name in ("fd", "tid", "descriptor")}
        above = tracks.of_process(tracks.process(its["tid"]))
        name = f"{_name(its, told['descriptors'])}: unread"
        uuid, described = tracks.below(above, name, place, counter=unit)
        yield from described
        there = 0
        for at, change, _ in sorted(of_one):
            there += change
            yield _event(uuid, base + at, TrackEvent.TYPE_COUNTER, value=there)


def _event(
    track: int,
    at: int,
    kind: int,
    name: str = "",
    *,
    flows: Sequence[int] = (),
    ends: Sequence[int] = (),
    notes: dict[str, int | str] | None = None,
    value: int | None = None,
) -> bytes:
    """A packet with one event; at: ns of CLOCK_MONOTONIC. flows: that pass through it; ends: that end there."""
    fields: list[tuple[int, Value]] = [(TrackEvent.type, kind), (TrackEvent.track_uuid, track)]
    if name:
        fields.append((TrackEvent.name, name))
    if value is not None:
        fields.append((TrackEvent.counter_value, value))
    for key, said in (notes or {}).items():
        kind_of = (
            DebugAnnotation.int_value if isinstance(said, int) else DebugAnnotation.string_value
        )
        fields.append(
            (TrackEvent.debug_annotations, message((DebugAnnotation.name, key), (kind_of, said)))
        )
    event = message(*fields)
    event += b"".join(fixed64(Flows.flow_ids, flow) for flow in flows)
    event += b"".join(fixed64(Flows.terminating_flow_ids, flow) for flow in ends)
    return _packet(
        (TracePacket.timestamp, at),
        (TracePacket.timestamp_clock_id, BuiltinClock.BUILTIN_CLOCK_MONOTONIC),
        (TracePacket.track_event, event),
    )


def _packet(*fields: tuple[int, Value]) -> bytes:
    return message(*fields, (TracePacket.trusted_packet_sequence_id, _SEQUENCE))
