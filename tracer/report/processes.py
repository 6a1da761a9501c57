"""What each process, and each group of its threads that have one name, does: its I/O model with shares of operations
and of time, and what its threads spent their time on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from tracer.analysis.counts.busy_asking import Asked, BusyAsking
from tracer.analysis.counts.locks import Locks
from tracer.analysis.counts.purposes import (
    CHILDREN,
    CONNECTIONS,
    DATA,
    FILES,
    FUTEXES,
    OTHER,
    SENDING,
    SIGNALS,
    THREADS,
    TIME,
    UNKNOWN,
    WAITS,
)
from tracer.analysis.counts.self_wakeups import SelfWoken
from tracer.analysis.counts.sleeping_calls import SleepingCalls, Sleeps
from tracer.analysis.counts.wait_reasons import WaitReasons
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.threads.thread_states import ThreadStates, ThreadTimes
from tracer.analysis.threads.wakers import Wakers
from tracer.analysis.verdict import busy, io_model, non_io
from tracer.analysis.verdict.context import Contexts, IoOfProcesses, Models
from tracer.analysis.verdict.facts import MostEventsLost
from tracer.analysis.verdict.held_back import (
    DataWait,
    DataWaits,
    ThreadWork,
    WaitsForData,
    held_back,
    waited_for_locks,
)
from tracer.analysis.verdict.io_model import VerdictContext
from tracer.analysis.verdict.non_io import DOING, MOSTLY, IoCounts
from tracer.recording.batch import RecordBatch, rows_by
from tracer.report.contract import HeldBack
from tracer.report.wording import evidence
from tracer.report.wording import held_back as wording

FEW = 0.05  # of the busiest thread's work, or of a process's operations: a thread that did less may be idle
IDLE = 0.95  # of its time: asleep on futexes, where a pool's workers wait for work
_FUTEXES = WAITS[FUTEXES]
# Keys of a process's `waits`, by reason.
_WAITS = {
    WAITS[DATA]: "data_ns",
    WAITS[SENDING]: "room_ns",
    WAITS[CONNECTIONS]: "connections_ns",
    WAITS[TIME]: "time_ns",
    WAITS[SIGNALS]: "signals_ns",
    WAITS[CHILDREN]: "children_ns",
    WAITS[THREADS]: "threads_ns",
    WAITS[FILES]: "files_ns",
    WAITS[FUTEXES]: "locks_ns",
    WAITS[OTHER]: "other_ns",
    "": "other_ns",
    WAITS[UNKNOWN]: "unknown_ns",
}
_MOST_WAKERS = 8
_NO_IO = IoCounts()
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Threads:
    """What is known of the threads; each dict has thread IDs as keys.

    slept: reason → time asleep (ns); calls: number of calls that returned; wakers: waker → number of wakings; asked:
    calls that found nothing and did not sleep; received: number of operations; comms: names of wakers that were not
    traced; leaders: Identity.leaders; sleeps: the call that each slept in longest; data: what it waited for where it
    waited for data; locks: ns that it waited for what other threads had locked.
    """

    times: list[ThreadTimes]
    slept: dict[int, dict[str, int]]
    calls: dict[int, int]
    wakers: dict[int, dict[int, int]]
    asked: dict[int, list[Asked]]
    received: dict[int, int]
    comms: dict[int, str]
    leaders: dict[int, int]
    sleeps: Sleeps = field(default_factory=dict)
    data: DataWaits = field(default_factory=lambda: DataWaits({}))
    locks: dict[int, int] = field(default_factory=dict)

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

    NEEDS = (
        *(ThreadStates, WaitReasons, Wakers, BusyAsking, OperationsInWindow, Identity),
        *(SleepingCalls, WaitsForData, Locks),
    )

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
            results[BusyAsking],
            _received(results[OperationsInWindow]),
            {int(tid): name for tid, name in comms.items()},
            results[Identity].leaders,
            results[SleepingCalls],
            results[WaitsForData],
            waited_for_locks(results[Locks]["locks"]),
        )


def _received(operations: Operations) -> dict[int, int]:
    """Thread that received → number of its operations."""
    tids, counts = np.unique(
        np.where(operations.receiver_tid > 0, operations.receiver_tid, operations.tid),
        return_counts=True,
    )
    return dict(zip(tids.tolist(), counts.tolist(), strict=True))


class Activity(ReportPart):
    """The report's `activity` and `held_back`: of all threads."""

    NEEDS = (KnownThreads,)

    def finish(self, results: Results) -> dict[str, Any]:
        threads = results[KnownThreads]
        lost = io_model.lost(results.recording.facts.get("ledger") or {})
        return {
            "activity": activity(threads.times, threads),
            "held_back": what_holds_back(threads.times, threads, lost),
        }


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
            io_model.lost(results.recording.facts.get("ledger") or {}),
        )
        return {"processes": processes}


def listed(
    threads: Threads,
    operations: Operations,
    codes: np.ndarray,
    contexts: dict[int, VerdictContext],
    counts: dict[int, IoCounts],
    base: int,
    self_woken: np.ndarray,
    lost: MostEventsLost | None = None,
) -> list[dict[str, Any]]:
    """The processes of a report, those that used most CPU first.

    codes: each operation's model (io_model.models_of); contexts, counts: by process; base: what times are
    counted from (ns); self_woken: bool[n], operations that are wake-ups, which say nothing of the model; lost: if most
    events of the recording were lost, how many.
    """
    by_process: dict[int, list[ThreadTimes]] = defaultdict(list)
    for thread in threads.times:
        by_process[thread.tgid].append(thread)
    rows = rows_by(operations.tgid)
    processes = []
    for tgid, members in by_process.items():
        work = _Work(threads, operations, codes, rows.get(tgid, _NONE), self_woken)
        context = replace(contexts.get(tgid, io_model.NOTHING_BESIDE), lost=lost)
        leader = threads.leaders.get(tgid, tgid)
        processes.append(
            {
                "tgid": tgid,
                "name": threads.names.get(leader) or members[0].name,
                "threads": len(members),
                "start_ns": min(thread.start_ns for thread in members) - base,
                "end_ns": max(thread.end_ns for thread in members) - base,
                **work.described(members, context, counts.get(tgid, _NO_IO)),
                "waits": _waits(members, threads),
                "groups": _groups(members, work, lost),
            }
        )
    return sorted(processes, key=lambda entry: -entry["activity"]["cpu_ns"])


def _groups(
    members: list[ThreadTimes], work: _Work, lost: MostEventsLost | None
) -> list[dict[str, Any]]:
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
            **work.of_threads(group).described(group, VerdictContext(lost=lost), None),
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
        context: VerdictContext,
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
        context = replace(context, burnt=busy.burnt(self.threads.asked, threads))
        verdict = io_model.judge(operations, codes, context, self_woken, self.threads.sleeps)
        doing = activity(threads, self.threads)
        # calls that were not understood, and those of which nothing came, may be receives
        unsure = context.undecoded or context.unwatched or context.lost
        if counts is not None and not unsure:
            # locks and lanes may be shared with other processes, so they say nothing of one process
            verdict = non_io.judged(verdict, len(operations), counts, [], None, doing)
        return {
            "operations": count,
            "model": evidence.model(verdict),
            "activity": doing,
            "held_back": what_holds_back(threads, self.threads, context.lost),
            "wakers": _wakers(threads, self.threads),
        }


def activity(members: list[ThreadTimes], threads: Threads) -> dict[str, Any]:
    """What the threads spent their time on, ns by name, and `mostly`: the one that took more than half, and its share.

    Threads that did next to nothing but wait where they were found (a pool's idle workers) say nothing of the program:
    those are counted (`idle_threads`), and their time is left out unless there is no other.
    """
    busy = _that_decide(members, threads)
    deciding = {thread.tid for thread in busy}
    idle = [thread for thread in members if thread.tid not in deciding]
    totals = _times_of(busy, threads)
    total_ns = sum(totals.values())
    most = max(totals, key=totals.__getitem__, default=None)
    share = round(totals[most] / total_ns, 4) if total_ns and most else 0.0
    return {
        "mostly": most if share > MOSTLY else None,
        "share": share if share > MOSTLY else None,
        "cpu_ns": sum(thread.kernel_ns + thread.user_ns for thread in members),
        "idle_threads": len(idle),
        "idle_times_ns": _longest_first(_times_of(idle, threads)),
        "times_ns": _longest_first(totals),
    }


def _times_of(some: list[ThreadTimes], threads: Threads) -> dict[str, int]:
    """What these threads spent their time on → ns."""
    totals: dict[str, int] = defaultdict(int)
    for thread in some:
        for state, name in DOING.items():
            totals[name] += getattr(thread, f"{state}_ns")
        totals["stopped"] += thread.stopped_ns
        for reason, ns in _blocked(thread, threads).items():
            totals[f"waiting for {reason}" if reason else "waiting outside system calls"] += ns
    return totals


def _longest_first(times: dict[str, int]) -> dict[str, int]:
    return {name: ns for name, ns in sorted(times.items(), key=lambda item: -item[1]) if ns}


def what_holds_back(
    members: list[ThreadTimes], threads: Threads, lost: MostEventsLost | None
) -> HeldBack:
    """The report's `held_back` of some threads."""
    data = threads.data
    work = [
        ThreadWork(
            thread,
            _blocked(thread, threads),
            data.by_thread.get(thread.tid, DataWait()),
            thread.tgid in data.asks,
            threads.locks.get(thread.tid, 0),
        )
        for thread in members
    ]
    return wording.entry(held_back(work), lost)


def _that_decide(members: list[ThreadTimes], threads: Threads) -> list[ThreadTimes]:
    """The threads that computed, waited for a CPU or received; all where none did."""
    worked = [thread for thread in members if _work_ns(thread) or threads.calls.get(thread.tid)]
    most_ns = max(map(_work_ns, worked), default=0)
    received = sum(threads.received.get(thread.tid, 0) for thread in worked)
    decide = [
        thread
        for thread in worked
        if _work_ns(thread) >= FEW * most_ns
        or threads.received.get(thread.tid, 0) > FEW * received
        or not _is_idle(thread, threads)
    ]
    return decide or members


def _work_ns(thread: ThreadTimes) -> int:
    return thread.kernel_ns + thread.user_ns + thread.runnable_ns


def _is_idle(thread: ThreadTimes, threads: Threads) -> bool:
    """Whether a thread did nothing but sleep on futexes, or where it was found."""
    blocked = _blocked(thread, threads)
    slept_ns = blocked.get(_FUTEXES, 0) + blocked.get("", 0)
    return slept_ns >= IDLE * (thread.end_ns - thread.start_ns)


def _blocked(thread: ThreadTimes, threads: Threads) -> dict[str, int]:
    """What a thread was blocked for: reason → ns; "": outside system calls."""
    left_ns, blocked = thread.blocked_ns - thread.stopped_ns, {}
    for reason, ns in threads.slept.get(thread.tid, {}).items():
        # a sleep counts until the thread has a CPU again, blocked only until the thread is woken
        blocked[reason] = min(ns, left_ns)
        left_ns -= blocked[reason]
    return blocked | {"": left_ns}


def _waits(members: list[ThreadTimes], threads: Threads) -> dict[str, int]:
    """What all threads of a process were blocked for, ns."""
    waits = dict.fromkeys([*_WAITS.values()], 0)
    for thread in members:
        for reason, ns in _blocked(thread, threads).items():
            waits[_WAITS[reason]] += ns
    return waits


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
