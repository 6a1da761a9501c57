"""Which process a thread is of and which file a descriptor stands for at a time, by reading all records up to then; in
plain Python."""

from __future__ import annotations

import numpy as np

from tracer.kernel import syscalls
from tracer.recording.records import Kind

RECEIVES = set(syscalls.class_numbers(syscalls.RECEIVE))


def process_of(records: np.ndarray, tid: int, time: int) -> int:
    """What the last birth up to then said; the thread's own ID where there was none."""
    births = [
        its
        for its in records
        if its["kind"] in (Kind.THREAD, Kind.START) and its["tid"] == tid and its["time"] <= time
    ]
    return int(births[-1]["result"]) if births else tid


def file_of(records: np.ndarray, tgid: int, fd: int, time: int) -> tuple[int, int]:
    """(inode, mode), (0, 0) where nothing is known: as the process's descriptor was last looked at, else what it had
    from its parent when it was forked."""
    known = [
        (since, i, (int(its["start"]), int(its["arg"])))
        for i, its in enumerate(records)
        if its["kind"] == Kind.DESCRIPTOR
        and its["fd"] == fd
        and process_of(records, int(its["tid"]), int(its["time"])) == tgid
        and (since := known_since(records, i)) <= time
    ]
    if known:
        return max(known)[2]
    forks = [
        (int(its["time"]), parent)
        for its in records
        if its["kind"] in (Kind.THREAD, Kind.START)
        and its["result"] == tgid
        and its["time"] <= time
        and its["fd"] > 0
        and (parent := process_of(records, int(its["fd"]), int(its["time"]))) != tgid
    ]
    if not forks:
        return 0, 0
    forked, parent = forks[-1]
    return file_of(records, parent, fd, forked)


def known_since(records: np.ndarray, place: int) -> int:
    """From when on a DESCRIPTOR record holds: where the thread's call before it was the first receive from the
    descriptor, from that call's entry on."""
    row = records[place]
    calls = [
        its for its in records[:place] if its["tid"] == row["tid"] and its["kind"] == Kind.CALL
    ]
    if calls and int(calls[-1]["nr"]) in RECEIVES and calls[-1]["fd"] == row["fd"]:
        return int(calls[-1]["start"])
    return int(row["time"])
