"""What each process, and each group of its threads that have one name, does: its I/O model with shares of operations
and of time, and what its threads spent their time on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tracer.analysis.operations.table import Operations
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.analysis.verdict import io_model
from tracer.analysis.verdict.non_io import DOING, MOSTLY
from tracer.recording.batch import rows_by

_MOST_WAKERS = 8
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Threads:
    """What is known of the threads, each by its id. slept: what for → ns; calls: how many returned; wakers: waker →
    how often; comms: names of wakers that were not traced; leaders: Lives.leaders."""

    times: list[ThreadTimes]
    slept: dict[int, dict[str, int]]
    calls: dict[int, int]
    wakers: dict[int, dict[int, int]]
    comms: dict[int, str]
    leaders: dict[int, int]

    @cached_property
    def names(self) -> dict[int, str]:
        """Thread → its name, of all that were seen."""
        return self.comms | {
            its.tid: its.name for its in self.times if its.name or its.tid not in self.comms
        }


def listed(
    threads: Threads,
    operations: Operations,
    codes: np.ndarray,
    beside: dict[int, io_model.VerdictContext],
    base: int,
) -> list[dict]:
    """The processes of a report, those that used most CPU first; codes: each operation's model (models.models_of);
    beside: of a process; base: what times are counted from (ns)."""
    by_process: dict[int, list[ThreadTimes]] = defaultdict(list)
    for its in threads.times:
        by_process[its.tgid].append(its)
    rows = rows_by(operations.tgid)
    found = []
    for tgid, mine in by_process.items():
        chosen = rows.get(tgid, _NONE)
        leader = threads.leaders.get(tgid, tgid)
        entry = {
            "tgid": tgid,
            "name": threads.names.get(leader) or mine[0].name,
            "threads": len(mine),
            "start_ns": min(its.start_ns for its in mine) - base,
            "end_ns": max(its.end_ns for its in mine) - base,
            **_described(
                mine,
                threads,
                operations,
                codes,
                chosen,
                beside.get(tgid, io_model.VerdictContext()),
            ),
        }
        groups: dict[str, list[ThreadTimes]] = defaultdict(list)
        for its in mine:
            groups[its.name].append(its)
        entry["groups"] = (
            []
            if len(groups) < 2
            else [
                {
                    "name": name,
                    "threads": len(group),
                    **_described(
                        group,
                        threads,
                        operations,
                        codes,
                        chosen[_of(operations.tid[chosen], group)],
                    ),
                }
                for name, group in groups.items()
            ]
        )
        found.append(entry)
    return sorted(found, key=lambda entry: -entry["activity"]["cpu_ns"])


def _of(tids: np.ndarray, threads: list[ThreadTimes]) -> np.ndarray:
    return np.isin(tids, [its.tid for its in threads])


def _described(
    mine: list[ThreadTimes],
    threads: Threads,
    operations: Operations,
    codes: np.ndarray,
    chosen: np.ndarray,
    beside: io_model.VerdictContext = io_model.VerdictContext(),
) -> dict:
    if len(chosen) < len(operations):
        operations, codes = operations.take(chosen if len(chosen) else slice(0)), codes[chosen]
    verdict = io_model.judge(operations, codes, beside)
    return {
        "operations": len(operations),
        "model": io_model.as_dict(verdict, operations, codes),
        "activity": activity(mine, threads),
        "wakers": _wakers(mine, threads),
    }


def activity(mine: list[ThreadTimes], threads: Threads) -> dict:
    """What the threads spent their time on, ns by name, and `mostly`: the one that took more than half, and its share.

    A thread that had no CPU and returned from no call did nothing but wait where it was found (a pool's idle worker):
    those are counted (`idle_threads`), and their time is left out unless there is no other.
    """
    busy = [its for its in mine if threads.calls.get(its.tid) or its.kernel_ns + its.user_ns]
    totals: dict[str, int] = defaultdict(int)
    for its in busy or mine:
        for state, name in DOING.items():
            totals[name] += getattr(its, f"{state}_ns")
        left = its.blocked_ns
        for what, ns in threads.slept.get(its.tid, {}).items():
            ns = min(ns, left)  # asleep counts until it has a CPU again, blocked until it is woken
            totals[f"waiting for {what}"] += ns
            left -= ns
        totals["waiting outside system calls"] += left
    whole = sum(totals.values())
    most = max(totals, key=totals.__getitem__, default=None)
    share = round(totals[most] / whole, 4) if whole else 0.0
    return {
        "mostly": most if share > MOSTLY else None,
        "share": share if share > MOSTLY else None,
        "cpu_ns": totals["computing"] + totals["in system calls"],
        "idle_threads": len(mine) - len(busy),
        "times_ns": {
            name: ns for name, ns in sorted(totals.items(), key=lambda item: -item[1]) if ns
        },
    }


def _wakers(mine: list[ThreadTimes], threads: Threads) -> list[dict]:
    """Who woke these threads, the most frequent first: by thread, and `interrupt` where the CPU was idle."""
    counts: dict[int, int] = defaultdict(int)
    for its in mine:
        for waker, count in threads.wakers.get(its.tid, {}).items():
            counts[waker] += count
    return [
        {
            "tid": waker,
            "name": "interrupt" if waker == 0 else threads.names.get(waker),
            "count": count,
        }
        for waker, count in sorted(counts.items(), key=lambda item: -item[1])[:_MOST_WAKERS]
    ]
