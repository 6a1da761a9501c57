"""A recording → the report: the dict that --json prints and every renderer reads (docs/json.md)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tracer.analysis.counts.locks import Locks
from tracer.analysis.counts.syscall_stats import SyscallStats
from tracer.analysis.identity.lives import Lives
from tracer.analysis.operations.completions import COMPLETION_KINDS
from tracer.analysis.operations.during_wait import DuringWait
from tracer.analysis.operations.receives import Analysis, Operations
from tracer.analysis.tables import distribution
from tracer.analysis.threads.cpu_overlap import lanes
from tracer.analysis.threads.spurious_wakeups import SpuriousWakeups
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.analysis.threads.timeline import Timeline
from tracer.analysis.verdict import io_model, non_io
from tracer.kernel import syscalls
from tracer.recording.batch import Read
from tracer.recording.records import LIBRARY_NAMES, Kind
from tracer.report.figure_steps import figure
from tracer.report.program import Overview
from tracer.terms import BOUNDARIES, MOVABLE, PHASES

SCHEMA = 1
LATEST_NS = 1_000_000  # after the window's end: its last completion may come a little later
_AT_ONCE = 4096


def build(read: Read, facts: dict) -> dict:
    """read: gives the recording's records from a time to a time (ns, None: no limit), in time order and in batches;
    facts: the recording's metadata."""
    base = facts["base_ns"]
    notes = facts.get("notes") or {}
    window = tuple(notes.get("window_ns") or facts.get("window_ns") or ()) or None
    timeline, analysis, states, tallies = (
        Timeline(),
        Analysis(),
        ThreadStates(window),
        SyscallStats(window),
    )
    overview = Overview(facts, window)
    futexes, wakeups, waiting = Locks(window), SpuriousWakeups(window), DuringWait()
    library: list[tuple[int, int]] = []
    lives = Lives()
    for batch in map(lives.feed, read(None, None)):
        part = timeline.feed(batch)
        analysis.feed(batch, part)
        overview.feed(batch, part, analysis.descriptors)
        states.feed(batch, part)
        tallies.feed(batch)
        futexes.feed(part, analysis.descriptors)
        wakeups.feed(part)
        waiting.feed(part.absences)
        rows = batch.kind == Kind.LIBRARY
        library += zip(batch.time[rows].tolist(), batch.nr[rows].tolist(), strict=True)
    read = lives.again(read)
    operations = analysis.finish()
    if window:
        inside = (operations.done >= window[0]) & (operations.done <= window[1] + LATEST_NS)
        operations = operations.where(inside)
    names = io_model.models_of(operations)
    unended = timeline.finish(states.end)
    times = states.finish(*unended)
    seen = overview.finish(operations, names, times, unended, analysis.descriptors, lives.leaders)
    beside = lives.shown({"lanes": lanes(read, times, window, base), "locks": futexes.finish()})
    undecoded = {
        tgid for tgid, its in overview.beside.items() if its.undecoded
    }  # they may receive, unseen
    if not undecoded:
        seen["model"] = non_io.judged(
            seen["model"],
            len(operations),
            non_io.in_all(overview.moved.values()),
            **beside,
            activity=seen["activity"],
        )
    for its in seen["processes"]:  # what several do with one another is not one's
        if its["tgid"] not in undecoded:
            moved = overview.moved.get(its["tgid"], non_io.IoCounts())
            its["model"] = non_io.judged(
                its["model"], its["operations"], moved, [], None, its["activity"]
            )
    calls, signals = tallies.calls() + _library_calls(library, window), tallies.signals()
    return lives.shown(
        {
            "schema": SCHEMA,
            "scenario": facts.get("scenario"),
            "host": facts["host"],
            "options": facts["options"],
            "expected": _expected(notes, facts, calls, signals, operations),
            "base_ns": base,
            "window_ns": [t - base for t in window] if window else None,
            "ended": facts["ended"],
            "failure": facts.get("failure"),
            "target": facts["target"],
            "features": facts["features"],
            "operations": Listed(lives.with_ids(operations, ("tid", "tgid", "receiver_tid")), base),
            "estimated": _estimated(operations),
            "queued": distribution.distribution(operations.queued[operations.queued > 0]),
            "phases": {
                name: distribution.distribution(took)
                for name, took in zip(PHASES, operations.phases(), strict=True)
            },
            "waiting": waiting.finish(operations, unended[0]),
            "threads": _threads(times, base),
            "syscalls": calls,
            "signals": signals,
            **seen,
            "wakeups": wakeups.finish(),
            **beside,
            "ledger": facts["ledger"] | {"unseen_switches": timeline.unseen_switches},
            "cost": _cost(notes, facts.get("untraced")) or _estimated_cost(facts, times),
            "figure": figure(operations, names, read, base)
            if seen["model"]["name"] != "none"
            else None,
        }
    )


class Listed(Sequence):
    """Operations as the dicts of the JSON contract, each made when it is asked for: there can be millions."""

    def __init__(self, operations: Operations, base: int) -> None:
        self._operations, self._base = operations, base

    def __len__(self) -> int:
        return len(self._operations)

    def __getitem__(self, index: int) -> dict:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        at = index % len(self)
        return _operation(at, next(self._operations.rows(slice(at, at + 1))), self._base)

    def __iter__(self) -> Iterator[dict]:
        for first in range(0, len(self), _AT_ONCE):
            for index, its in enumerate(
                self._operations.rows(slice(first, first + _AT_ONCE)), first
            ):
                yield _operation(index, its, self._base)


def _operation(index: int, its: dict, base: int) -> dict:
    entry = {"index": index, "tid": its["tid"], "fd": its["fd"], "bytes": its["bytes"]}
    entry |= {f"{name}_ns": its[name] - base for name in BOUNDARIES}
    if its["completion_kind"]:
        entry["how"] = COMPLETION_KINDS[its["completion_kind"]]
    entry["queued_ns"] = its["queued"]
    entry["estimated"] = [name for i, name in enumerate(BOUNDARIES) if its["estimated"] >> i & 1]
    if its["receiver_tid"]:
        entry["helper_tid"] = its["receiver_tid"]
    raw = {
        f"{name}_ns": its[f"raw_{name}"] - base
        for name in MOVABLE
        if its[f"raw_{name}"] != its[name]
    }
    return entry | {"raw": raw} if raw else entry


def _estimated(operations: Operations) -> dict:
    """How many operations had each boundary estimated; those that none had are left out."""
    counts = {name: int((operations.estimated >> i & 1).sum()) for i, name in enumerate(BOUNDARIES)}
    return {name: count for name, count in counts.items() if count}


def _threads(times: list[ThreadTimes], base: int) -> list[dict]:
    return [
        {
            "tid": t.tid,
            "tgid": t.tgid,
            "name": t.name,
            "start_ns": t.start_ns - base,
            "end_ns": t.end_ns - base,
            "blocked_ns": t.blocked_ns,
            "runnable_ns": t.runnable_ns,
            "kernel_ns": t.kernel_ns,
            "user_ns": t.user_ns,
            "cpu_ns": t.kernel_ns + t.user_ns,
            "switches": t.switches,
            "preemptions": t.preemptions,
        }
        for t in times
    ]


def _library_calls(library: list[tuple[int, int]], window: tuple[int, int] | None) -> list[dict]:
    """Calls (time, which) of the C library's that are no system calls; they have no durations."""
    inside = [which for time, which in library if not window or window[0] <= time <= window[1]]
    return [
        {
            "name": LIBRARY_NAMES[which],
            "library": True,
            "calls": count,
            "errors": {},
            "total_ns": 0,
            "min_ns": 0,
            "p50_ns": 0,
            "p90_ns": 0,
            "p99_ns": 0,
            "max_ns": 0,
            "hist": {},
        }
        for which, count in Counter(inside).items()
    ]


def _expected(
    notes: dict, facts: dict, calls: list[dict], signals: list[dict], operations: Operations
) -> dict | None:
    """What the workload says it did, and where the trace says otherwise.

    CPython runs a Python handler once for all the deliveries since it last could: in an open loop the program can
    have counted fewer signals than were delivered, never more.
    """
    if not notes:
        return None
    sender, base = facts.get("sender") or {}, facts["base_ns"]
    merging = facts["options"]["open_loop"]
    traced: Counter[str] = Counter()
    errors: dict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        traced[syscalls.class_of(call["name"])] += call["calls"]
        errors[syscalls.class_of(call["name"])].update(call["errors"])
    delivered = {signal["name"]: signal["delivered"] + signal["taken"] for signal in signals}
    pairs = {
        "calls": [(name, count, traced[name]) for name, count in notes["calls"].items()],
        "errors": [
            (f"{name} {error}", count, errors[name][error])
            for name, kinds in notes["errors"].items()
            for error, count in kinds.items()
        ],
        "signals": [
            (name, count, seen)
            for name, count in notes["signals"].items()
            if (seen := delivered.get(name, 0)) < count or not merging
        ],
        "bytes": [("bytes", notes["bytes"], int(operations.bytes.sum()))],
    }
    differences = [
        f"{what}: the program says {said}, the trace {seen}"
        for group in pairs.values()
        for what, said, seen in group
        if said != seen
    ]
    return {
        "messages": notes["messages"],
        "bytes": notes["bytes"],
        "dropped": notes["dropped"],
        "calls": notes["calls"],
        "errors": notes["errors"],
        "signals": notes["signals"],
        "send_begin_ns": [t - base for t in sender.get("send_begin_ns", [])],
        "receive_ns": [t - base for t in notes["receive_ns"]],
        "anonymous_bytes": notes.get("anonymous_bytes"),
        "threads": notes.get("threads"),
        "sent": sender.get("sent"),
        "differences": differences,
        "match": {
            group: all(said == seen for _, said, seen in its) for group, its in pairs.items()
        },
    }


def _cost(notes: dict, untraced: dict | None) -> dict | None:
    if not notes.get("messages") or not untraced or not untraced.get("messages"):
        return None
    without, with_probes = (round(n["cpu_ns"] / n["messages"]) for n in (untraced, notes))
    return {
        "untraced_cpu_ns_per_op": without,
        "traced_cpu_ns_per_op": with_probes,
        "ratio": round(with_probes / without, 3) if without else None,
    }


def _estimated_cost(facts: dict, times: list[ThreadTimes]) -> dict | None:
    """What an event cost when tracing began, times the events: an estimate, beside the threads' CPU time."""
    if facts.get("event_cost_ns") is None:
        return None
    events, cpu = facts["ledger"]["counted"], sum(its.kernel_ns + its.user_ns for its in times)
    total = round(events * facts["event_cost_ns"])
    return {
        "untraced_cpu_ns_per_op": None,
        "traced_cpu_ns_per_op": None,
        "ratio": None,
        "estimate": True,
        "event_ns": round(facts["event_cost_ns"], 1),
        "events": events,
        "total_ns": total,
        "cpu_ns": cpu,
    }
