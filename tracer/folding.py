"""Runs of equal failing calls as one call with a count: a polling loop's thousands of EAGAINs become one row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tracer.records import Kind

_BREAKS = (Kind.CALL, Kind.SWITCH_OUT, Kind.SIGNAL_DELIVER)


@dataclass(slots=True)
class Call:
    """One system call, or `count` equal failing ones in a row; ns.

    start: the first one's entry; last_start: the last one's; end: the last one's exit; busy: time inside them all.
    """

    tid: int
    nr: int
    fd: int
    result: int
    arg: int
    start: int
    last_start: int
    end: int
    count: int = 1
    busy: int = 0
    sleeps: list = field(default_factory=list)  # (out, woken or None, in) while inside


def fold(records: np.ndarray) -> tuple[np.ndarray, dict[int, Call]]:
    """(records with each run reduced to its last call, index there → Call of that run). Time order in and out."""
    part = np.flatnonzero(np.isin(records["kind"], _BREAKS))
    part = part[np.argsort(records["tid"][part], kind="stable")]
    rows = records[part]
    same = np.zeros(len(rows), bool)
    if len(rows) > 1:
        failing = (rows["kind"] == Kind.CALL) & (rows["result"] < 0)
        same[1:] = failing[1:] & failing[:-1]
        for name in ("tid", "nr", "fd", "result"):
            same[1:] &= rows[name][1:] == rows[name][:-1]
    first = np.flatnonzero(~same)
    last = np.append(first[1:], len(rows)) - 1
    repeated = first != last
    durations = np.append(0, np.cumsum(rows["time"] - rows["start"]))
    keep = np.ones(len(records), bool)
    keep[part[same_with_next(same)]] = False
    where = np.cumsum(keep) - 1
    runs = {}
    for begin, end in zip(first[repeated].tolist(), last[repeated].tolist(), strict=True):
        row = rows[end]
        runs[int(where[part[end]])] = Call(
            int(row["tid"]), int(row["nr"]), int(row["fd"]), int(row["result"]), int(row["arg"]),
            int(rows["start"][begin]), int(row["start"]), int(row["time"]), end - begin + 1,
            int(durations[end + 1] - durations[begin]))
    return records[keep], runs


def same_with_next(same: np.ndarray) -> np.ndarray:
    """Whether the row after each belongs to the same run."""
    return np.append(same[1:], False) if len(same) else same
