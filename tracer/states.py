"""Where each thread's time went: blocked, runnable, in the kernel, in user mode; from sched_switch, sched_waking and
the calls' entries and exits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.records import Kind, text_of


@dataclass(frozen=True)
class ThreadTimes:
    """One thread's traced lifetime [start_ns, end_ns) divided into four states; all ns, they sum to its length."""

    tid: int
    tgid: int
    name: str
    start_ns: int
    end_ns: int
    blocked_ns: int
    runnable_ns: int
    kernel_ns: int
    user_ns: int


def thread_times(records: np.ndarray, window: tuple[int, int] | None = None) -> list[ThreadTimes]:
    """Every traced thread's times; with `window` (ns), only what lies inside it. `records` are in time order."""
    if not len(records):
        return []
    end_of_trace = int(records["time"][-1])
    born = records[np.isin(records["kind"], (Kind.THREAD, Kind.START))]
    result = []
    for tid in dict.fromkeys(born["tid"].tolist()):
        first = born[born["tid"] == tid][0]
        mine = records[records["tid"] == tid]
        exits = mine["time"][mine["kind"] == Kind.EXIT]
        start, end = int(first["time"]), int(exits[-1]) if len(exits) else end_of_trace
        if window:
            start, end = max(start, window[0]), min(end, window[1])
        if end <= start:
            continue
        names = mine[mine["kind"] == Kind.NAME]
        name = text_of(names["start"][-1], names["result"][-1]) if len(names) else ""
        blocked, runnable, kernel = _divide(mine, start, end)
        result.append(ThreadTimes(int(tid), int(first["result"]), name, start, end, blocked, runnable, kernel,
                                  end - start - blocked - runnable - kernel))
    return result


def _divide(mine: np.ndarray, start: int, end: int) -> tuple[int, int, int]:
    """(blocked, runnable, kernel) ns of one thread between start and end."""
    outs, woken, ins, could_run = _absences(mine, end)
    blocked_until = np.where(could_run, outs, np.minimum(woken, ins))
    blocked = _clipped(outs, blocked_until, start, end)
    runnable = _clipped(blocked_until, ins, start, end)
    calls = mine[np.isin(mine["kind"], (Kind.CALL, Kind.OPEN))]
    entries, exits = calls["start"], calls["time"]
    inside = np.zeros(len(outs), bool)
    if len(calls) and len(outs):
        nearest = np.searchsorted(entries, outs, "right") - 1
        inside = (nearest >= 0) & (outs < exits[np.maximum(nearest, 0)])
    away = _clipped(outs[inside], ins[inside], start, end)
    return blocked, runnable, _clipped(entries, exits, start, end) - away


def _absences(mine: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each time off the CPU: (switched out, woken, switched in, whether it could have run all the while).

    A waking that came before the switch-out it concerns makes that absence runnable.
    """
    switches = mine[np.isin(mine["kind"], (Kind.SWITCH_OUT, Kind.SWITCH_IN))]
    is_out = switches["kind"] == Kind.SWITCH_OUT
    at = np.flatnonzero(is_out)
    outs = switches["time"][at]
    following = np.append(switches["time"], end)
    ins = following[np.minimum(at + 1, len(switches))]
    could_run = (switches["arg"][at] == 0) | (switches["fd"][at] == 1)
    wakings = mine["time"][mine["kind"] == Kind.WAKING]
    slot = np.searchsorted(wakings, outs, "left")
    woken = np.append(wakings, end)[slot]
    came_in = np.concatenate([[0], ins[:-1]]) if len(ins) else ins
    early = (slot > 0) & (np.concatenate([[0], wakings])[slot] > came_in) & (woken >= ins)
    return outs, woken, ins, could_run | early


def _clipped(begins: np.ndarray, ends: np.ndarray, start: int, end: int) -> int:
    """The sum of the intervals' parts that lie between start and end."""
    return int(np.maximum(0, np.minimum(ends, end) - np.maximum(begins, start)).sum())
