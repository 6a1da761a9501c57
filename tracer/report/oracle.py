"""The workload as its own oracle: what receiver and sender noted that they did, and where the trace says otherwise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tracer.kernel import syscalls
from tracer.report.contract import Expected, Facts, Match, Signal, Syscall


@dataclass(frozen=True)
class _Pair:
    """One count, as the program noted it and as the trace has it."""

    name: str
    noted: int
    traced: int

    @property
    def agrees(self) -> bool:
        return self.noted == self.traced


def expected(
    facts: Facts, calls: Sequence[Syscall], signals: Sequence[Signal], received_bytes: int
) -> Expected | None:
    """The report's `expected`; None where the workload left no notes.

    facts: the recording's. calls, signals: the report's `syscalls` and `signals`. received_bytes: of all operations.
    """
    notes: dict[str, Any] = facts.get("notes") or {}
    if not notes:
        return None
    sender: dict[str, Any] = facts.get("sender") or {}
    base = facts["base_ns"]
    groups = {
        "calls": _calls(notes["calls"], calls),
        "errors": _errors(notes["errors"], calls),
        "signals": _signals(notes["signals"], signals, merging=facts["options"]["open_loop"]),
        # a program that counts rounds counts no bytes, whatever its rounds pass on
        "bytes": []
        if facts["options"].get("proto") == "none"
        else [_Pair("bytes", notes["bytes"], received_bytes)],
    }
    return {
        "messages": notes["messages"],
        "bytes": notes["bytes"],
        "dropped": notes["dropped"],
        "calls": notes["calls"],
        "errors": notes["errors"],
        "signals": notes["signals"],
        "send_begin_ns": [time - base for time in sender.get("send_begin_ns", [])],
        "send_returned_ns": [time - base for time in sender.get("send_returned_ns", [])],
        "receive_ns": [time - base for time in notes["receive_ns"]],
        "anonymous_bytes": notes.get("anonymous_bytes"),
        "threads": notes.get("threads"),
        "sent": sender.get("sent"),
        "differences": [
            f"{pair.name}: the program says {pair.noted}, the trace {pair.traced}"
            for pairs in groups.values()
            for pair in pairs
            if not pair.agrees
        ],
        "match": _match(groups),
    }


def _match(groups: dict[str, list[_Pair]]) -> Match:
    """Group → whether all counts of the group agree."""
    agree = {name: all(pair.agrees for pair in pairs) for name, pairs in groups.items()}
    return {
        "calls": agree["calls"],
        "errors": agree["errors"],
        "signals": agree["signals"],
        "bytes": agree["bytes"],
    }


def _calls(noted: dict[str, int], calls: Sequence[Syscall]) -> list[_Pair]:
    """Number of calls by the textbook's name: the program's select is the kernel's pselect6."""
    traced: Counter[str] = Counter()
    for call in calls:
        traced[syscalls.class_of(call["name"])] += call["calls"]
    return [_Pair(name, count, traced[name]) for name, count in noted.items()]


def _errors(noted: dict[str, dict[str, int]], calls: Sequence[Syscall]) -> list[_Pair]:
    """Failed calls, by the textbook's name and the error's."""
    traced: dict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        traced[syscalls.class_of(call["name"])].update(call["errors"])
    return [
        _Pair(f"{name} {error}", count, traced[name][error])
        for name, errors in noted.items()
        for error, count in errors.items()
    ]


def _signals(noted: dict[str, int], signals: Sequence[Signal], merging: bool) -> list[_Pair]:
    """How often each handler ran, or a call took the signal.

    merging: in an open loop CPython runs a Python handler once for all the deliveries since it last could. Then the
    program can have counted fewer signals than were delivered, never more.
    """
    delivered = {signal["name"]: signal["delivered"] + signal["taken"] for signal in signals}
    pairs = [_Pair(name, count, delivered.get(name, 0)) for name, count in noted.items()]
    return [pair for pair in pairs if pair.traced < pair.noted or not merging]
