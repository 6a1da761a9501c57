"""What each call watches, one record after the other: what the probes told of the thread's last such call."""

from __future__ import annotations

import select
from typing import NamedTuple

import numpy as np

from tracer.kernel import syscalls
from tracer.recording.records import WATCHED_MORE, Kind

NAMES = {"select": syscalls.SELECT, "poll": syscalls.POLL, "epoll_wait": syscalls.EPOLL}
SETS = (select.POLLIN, select.POLLOUT, select.POLLPRI)


class Watched(NamedTuple):
    """timeout: ns; entries: (descriptor, events), each event by itself."""

    timeout: int
    entries: set[tuple[int, int]]
    is_whole: bool


def watched(records: np.ndarray) -> dict[tuple[int, int], Watched | None]:
    """(thread, exit) of each call that watches → what it watches, None where that is not known."""
    calls: dict[tuple[int, int], Watched | None] = {}
    last: dict[int, tuple[np.void, list[np.void]]] = {}
    for row in records:
        tid, name = int(row["tid"]), syscalls.name_of(int(row["nr"]))
        if row["kind"] == Kind.WATCHED and row["nr"] < WATCHED_MORE:
            last[tid] = row, []
        elif row["kind"] == Kind.WATCHED:
            if tid in last and last[tid][0]["time"] == row["time"]:
                last[tid][1].append(row)
        elif row["kind"] == Kind.CALL and any(name in members for members in NAMES.values()):
            calls[tid, int(row["time"])] = _of(row, *last[tid]) if tid in last else None
    return calls


def _of(call: np.void, first: np.void, more: list[np.void]) -> Watched | None:
    name = syscalls.class_of(syscalls.name_of(int(call["nr"])))
    count = {"select": int(call["fd"]), "poll": int(call["arg"]), "epoll_wait": 0}[name]
    if first["nr"] != call["nr"] or (name != "epoll_wait" and first["fd"] != count):
        return None
    entries: set[tuple[int, int]] = set()
    if name == "poll" and count:
        entries |= _polled([int(first["result"])])
    for row in more:
        words = [
            int(row["start"]) & (1 << 64) - 1,
            int(row["result"]) & (1 << 64) - 1,
            int(row["fd"]) & 0xFFFFFFFF | int(row["arg"]) << 32,
        ]
        if name == "poll":
            entries |= _polled(words)
        else:
            base = 64 * (int(row["nr"]) - WATCHED_MORE)
            entries |= {
                (base + bit, events)
                for word, events in zip(words, SETS, strict=True)
                for bit in range(64)
                if word >> bit & 1
            }
    room = {"select": 1024, "poll": 64, "epoll_wait": 0}[name]
    return Watched(
        int(first["start"]), entries, count <= room and len(more) >= _records_of(name, count)
    )


def _records_of(name: str, count: int) -> int:
    """How many records there are beside the first one of a set."""
    return {"select": (count + 63) // 64, "poll": (count + 1) // 3, "epoll_wait": 0}[name]


def _polled(words: list[int]) -> set[tuple[int, int]]:
    return {(word & 0xFFFFFFFF, word >> 32 & 0xFFFF) for word in words if not word & 0x80000000}
