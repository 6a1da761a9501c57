"""What each process, and each group of its threads that have one name, does: its I/O model with shares of operations
and of time, and what its threads spent their time on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tracer.analysis.counts.self_wakeups import SelfWoken
from tracer.analysis.counts.wait_reasons import WaitReasons
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.analysis.threads.wakers import Wakers
from tracer.analysis.verdict import io_model, non_io
from tracer.analysis.verdict.context import Contexts, IoOfProcesses, Models
from tracer.analysis.verdict.non_io import DOING, MOSTLY, IoCounts
from tracer.recording.batch import RecordBatch, rows_by
from tracer.report.wording import evidence

_MOST_WAKERS = 8
_NO_IO = IoCounts()
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Threads:
    """What is known of the threads; each dict has thread IDs as keys.

    slept: reason → time asleep (ns); calls: number of calls that returned; wakers: waker → number of wakings; comms:
    names of wakers that were not traced; leaders: Identity.leaders.
    """

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
            thread.tid: thread.name
            for thread in self.times
            if thread.name or thread.tid not in self.comms
        }


class KnownThreads(Step[None, Threads]):
    """The results of all steps about threads, together."""

    NEEDS = (ThreadStates, WaitReasons, Wakers, Identity)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing to do: the steps in NEEDS have read the batch."""

    def finish(self, results: Results) -> Threads:
        comms = results.recording.facts.get("comms") or {}
        slept = results[WaitReasons]
        return Threads(
            results[ThreadStates],
            slept.asleep,
            slept.calls,
            results[Wakers],
            {int(tid): name for tid, name in comms.items()},
            results[Identity].leaders,
        )


class Activity(ReportPart):
    """The report's `activity`: of all threads."""

    NEEDS = (KnownThreads,)

    def finish(self, results: Results) -> dict[str, Any]:
        threads = results[KnownThreads]
        return {"activity": activity(threads.times, threads)}


class Processes(ReportPart):
    """The report's `processes`, those that used most CPU first."""

    NEEDS = (KnownThreads, OperationsInWindow, Models, Contexts, IoOfProcesses, SelfWoken)

    def finish(self, results: Results) -> dict[str, Any]:
        processes = listed(
            results[KnownThreads],
            results[OperationsInWindow],
            results[Models],
            results[Contexts],
            results[IoOfProcesses],
            results.recording.base_ns,
            results[SelfWoken].operations,
        )
        return {"processes": processes}


def listed(
    threads: Threads,
    operations: Operations,
    codes: np.ndarray,
    contexts: dict[int, io_model.VerdictContext],
    counts: dict[int, IoCounts],
    base: int,
    self_woken: np.ndarray,
) -> list[dict[str, Any]]:
    """The processes of a report, those that used most CPU first.

    codes: each operation's model (io_model.models_of); contexts, counts: by process; base: what times are
    counted from (ns); self_woken: bool[n], operations that are wake-ups, which say nothing of the model.
    """
    by_process: dict[int, list[ThreadTimes]] = defaultdict(list)
    for thread in threads.times:
        by_process[thread.tgid].append(thread)
    rows = rows_by(operations.tgid)
    processes = []
    for tgid, members in by_process.items():
        work = _Work(threads, operations, codes, rows.get(tgid, _NONE), self_woken)
        context = contexts.get(tgid, io_model.NOTHING_BESIDE)
        leader = threads.leaders.get(tgid, tgid)
        processes.append(
            {
                "tgid": tgid,
                "name": threads.names.get(leader) or members[0].name,
                "threads": len(members),
                "start_ns": min(thread.start_ns for thread in members) - base,
                "end_ns": max(thread.end_ns for thread in members) - base,
                **work.described(members, context, counts.get(tgid, _NO_IO)),
                "groups": _groups(members, work),
            }
        )
    return sorted(processes, key=lambda entry: -entry["activity"]["cpu_ns"])


def _groups(members: list[ThreadTimes], work: _Work) -> list[dict[str, Any]]:
    """The groups of a process's threads that have one name, where there are several."""
    groups: dict[str, list[ThreadTimes]] = defaultdict(list)
    for thread in members:
        groups[thread.name].append(thread)
    if len(groups) < 2:
        return []
    return [
        {
            "name": name,
            "threads": len(group),
            **work.of_threads(group).described(group, io_model.NOTHING_BESIDE, None),
        }
        for name, group in groups.items()
    ]


@dataclass(slots=True)
class _Work:
    """Some of the operations, `chosen` (rows, int64), with their models. self_woken: bool[n], of all operations."""

    threads: Threads
    operations: Operations
    codes: np.ndarray
    chosen: np.ndarray
    self_woken: np.ndarray

    def of_threads(self, threads: list[ThreadTimes]) -> _Work:
        """The chosen operations of these threads."""
        selected = np.isin(self.operations.tid[self.chosen], [thread.tid for thread in threads])
        chosen = self.chosen[selected]
        return _Work(self.threads, self.operations, self.codes, chosen, self.self_woken)

    def described(
        self,
        threads: list[ThreadTimes],
        context: io_model.VerdictContext,
        counts: IoCounts | None,
    ) -> dict[str, Any]:
        """The verdict on the chosen operations, and the activity of `threads`.

        counts: of a process, which may do something else than input and output; None for a group of threads.
        """
        operations, codes, chosen = self.operations, self.codes, self.chosen
        woken = self.self_woken[chosen]
        count, self_woken = len(chosen), int(woken.sum())
        chosen = chosen[~woken] if self_woken else chosen
        if len(chosen) < len(operations):
            operations, codes = (
                operations.take(chosen if len(chosen) else slice(0)),
                codes[chosen],
            )
        verdict = io_model.judge(operations, codes, context, self_woken)
        doing = activity(threads, self.threads)
        # calls that were not understood may be receives
        if counts is not None and not (context.undecoded or context.unwatched):
            # locks and lanes may be shared with other processes, so they say nothing of one process
            verdict = non_io.judged(verdict, len(operations), counts, [], None, doing)
        return {
            "operations": count,
            "model": evidence.model(verdict),
            "activity": doing,
            "wakers": _wakers(threads, self.threads),
        }


def activity(members: list[ThreadTimes], threads: Threads) -> dict[str, Any]:
    """What the threads spent their time on, ns by name, and `mostly`: the one that took more than half, and its share.

    A thread that had no CPU and returned from no call did nothing but wait where it was found (a pool's idle worker):
    those are counted (`idle_threads`), and their time is left out unless there is no other.
    """
    busy = [
        thread
        for thread in members
        if threads.calls.get(thread.tid) or thread.kernel_ns + thread.user_ns
    ]
    totals: dict[str, int] = defaultdict(int)
    for thread in busy or members:
        for state, name in DOING.items():
            totals[name] += getattr(thread, f"{state}_ns")
        totals["stopped"] += thread.stopped_ns
        blocked_left_ns = thread.blocked_ns - thread.stopped_ns
        for reason, ns in threads.slept.get(thread.tid, {}).items():
            # a sleep counts until the thread has a CPU again, blocked only until the thread is woken
            ns = min(ns, blocked_left_ns)
            totals[f"waiting for {reason}"] += ns
            blocked_left_ns -= ns
        totals["waiting outside system calls"] += blocked_left_ns
    total_ns = sum(totals.values())
    most = max(totals, key=totals.__getitem__, default=None)
    share = round(totals[most] / total_ns, 4) if total_ns and most else 0.0
    return {
        "mostly": most if share > MOSTLY else None,
        "share": share if share > MOSTLY else None,
        "cpu_ns": totals["computing"] + totals["in system calls"],
        "idle_threads": len(members) - len(busy),
        "times_ns": {
            name: ns for name, ns in sorted(totals.items(), key=lambda item: -item[1]) if ns
        },
    }


def _wakers(members: list[ThreadTimes], threads: Threads) -> list[dict[str, Any]]:
    """Who woke these threads, the most frequent first: by thread, and `interrupt` where the CPU was idle."""
    counts: dict[int, int] = defaultdict(int)
    for thread in members:
        for waker, count in threads.wakers.get(thread.tid, {}).items():
            counts[waker] += count
    return [
        {
            "tid": waker,
            "name": "interrupt" if waker == 0 else threads.names.get(waker),
            "count": count,
        }
        for waker, count in sorted(counts.items(), key=lambda item: -item[1])[:_MOST_WAKERS]
    ]
