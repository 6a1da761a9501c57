"""What a report says of the whole program: its model, the descriptors it used, and what could be better."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from tracer.analysis.counts.fd_usage import SYSV_QUEUE, DescriptorUsage, FdUsage
from tracer.analysis.counts.locks import Locks
from tracer.analysis.counts.poll_usage import PollUsage
from tracer.analysis.counts.self_wakeups import SelfWoken
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.threads.absences import Absences
from tracer.analysis.threads.cpu_overlap import CpuOverlap
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.analysis.verdict import busy, io_model, non_io
from tracer.analysis.verdict.advice import ProgramIo, advice
from tracer.analysis.verdict.context import Contexts, IoOfProcesses, Models
from tracer.analysis.verdict.facts import Burnt
from tracer.recording.batch import RecordBatch
from tracer.report.processes import Activity, KnownThreads, Processes, Threads
from tracer.report.wording import advice as wording
from tracer.report.wording import evidence
from tracer.terms import PHASES

FileKey: TypeAlias = tuple[int, int, int]
"""Process, descriptor (−1: none), number of the file (identity; 0: unknown)."""

_PHASES = tuple(f"{phase}_ns" for phase in PHASES)
_SHOWN = (
    "receives",
    "received_messages",
    "received_bytes",
    "received_unmeasured",
    "looks",
    "receive_again",
    "sends",
    "sent_messages",
    "sent_bytes",
    "sent_unmeasured",
    "send_again",
    "sends_blocked",
    "send_slept_ns",
    "accepts",
    "accept_again",
    "accept_slept_ns",
    "connects",
    "connect_slept_ns",
)


class Model(ReportPart):
    """The report's `model`: of all operations, or what the program does instead."""

    NEEDS = (
        OperationsInWindow,
        Models,
        Contexts,
        IoOfProcesses,
        CpuOverlap,
        Locks,
        Activity,
        KnownThreads,
        Identity,
        SelfWoken,
    )

    def finish(self, results: Results) -> dict[str, Any]:
        operations, codes = results[OperationsInWindow], results[Models]
        woken = results[SelfWoken].operations
        if woken.any():  # these carry no data from outside
            operations, codes = operations.take(~woken), codes[~woken]
        threads, ledger = results[KnownThreads], results.recording.facts.get("ledger") or {}
        context = replace(
            io_model.in_all(results[Contexts].values()),
            burnt=busy.burnt(threads.asked, threads.times),
            lost=io_model.lost(ledger),
        )
        verdict = io_model.judge(operations, codes, context, int(woken.sum()), threads.sleeps)
        # calls that were not understood, and those of which nothing came, may be receives
        if context.undecoded or context.unwatched or context.lost:
            return {"model": evidence.model(verdict)}
        shown_context = results[Identity].shown(results[CpuOverlap] | results[Locks])
        counts = non_io.in_all(results[IoOfProcesses].values())
        activity = results[Activity]["activity"]
        verdict = non_io.judged(
            verdict, len(operations), counts, **shown_context, activity=activity
        )
        return {"model": evidence.model(verdict)}


class FileNames(Step[None, dict[FileKey, str]]):
    """The names of the files that were used, where they are known."""

    NEEDS = (DescriptorUsage, OperationsInWindow, Identity)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing to do: Identity has read the batch."""

    def finish(self, results: Results) -> dict[FileKey, str]:
        identity = results[Identity]
        used = map(tuple, results[DescriptorUsage].keys.tolist())
        keys = {*used, *_distinct(results[OperationsInWindow])}
        return {key: name for key in keys if (name := _name(identity, *key))}


def _name(identity: Identity, tgid: int, fd: int, number: int) -> str | None:
    """The name of a file; of a SysV message queue its ID."""
    if fd == SYSV_QUEUE:
        return f"SysV message queue:[{number - 1}]"
    return identity.name(tgid, fd, number)


class Descriptors(ReportPart):
    """The report's `descriptors`, those used most first."""

    NEEDS = (DescriptorUsage, FileNames, OperationsInWindow, Identity)

    def finish(self, results: Results) -> dict[str, Any]:
        entries = _descriptors(
            results[DescriptorUsage], results[FileNames], results[OperationsInWindow]
        )
        for entry in entries:
            entry["inode"] = results[Identity].inode_of(entry["inode"]) or None
        return {"descriptors": entries}


class Advice(ReportPart):
    """The report's `advice`."""

    NEEDS = (
        OperationsInWindow,
        DescriptorUsage,
        FileNames,
        PollUsage,
        Processes,
        Absences,
        KnownThreads,
    )

    def finish(self, results: Results) -> dict[str, Any]:
        processes = results[Processes]["processes"]
        io = ProgramIo(
            results[OperationsInWindow],
            results[DescriptorUsage],
            results[FileNames],
            results[PollUsage],
            {process["tgid"]: process["name"] for process in processes},
            {process["tgid"]: process["activity"]["cpu_ns"] for process in processes},
            results[Absences],
            _burnt(results[KnownThreads]),
        )
        return {"advice": wording.advice(advice(io), io)}


def _burnt(threads: Threads) -> dict[int, Burnt]:
    """Process → how it kept a CPU busy asking."""
    members: dict[int, list[ThreadTimes]] = defaultdict(list)
    for thread in threads.times if threads.asked else ():
        members[thread.tgid].append(thread)
    found = {tgid: busy.burnt(threads.asked, of_process) for tgid, of_process in members.items()}
    return {tgid: burnt for tgid, burnt in found.items() if burnt}


def _distinct(operations: Operations) -> list[FileKey]:
    """The files of the operations, each once."""
    sums = GroupSum(3, 1)
    sums.add(_keys(operations), (operations.fd,))
    return [(tgid, fd, inode) for tgid, fd, inode in sums.result()[0].tolist()]


def _keys(operations: Operations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return operations.tgid, operations.fd, operations.inode


def _descriptors(
    used: FdUsage, files: dict[FileKey, str], operations: Operations
) -> list[dict[str, Any]]:
    """One entry for each file that a process received from, sent to, accepted on or connected."""
    received, calls = _received(operations), _calls(used)
    entries = []
    for key in calls | received:
        *phases, count, bytes_ = received.get(key, [0] * (len(_PHASES) + 2))
        tgid, fd, number = key
        entry: dict[str, Any] = {
            "tgid": tgid,
            "fd": max(fd, -1),
            "inode": number if fd != SYSV_QUEUE else 0,
            "file": files.get(key),
            **dict(zip(_SHOWN, calls.get(key) or [0] * len(_SHOWN), strict=True)),
        }
        # the window's last completion may come a little after it
        entry["receives"] = max(entry["receives"], count)
        entry["received_bytes"] = max(entry["received_bytes"], bytes_)
        entry["operations"] = (
            entry["receives"] + entry["sends"] + entry["accepts"] + entry["connects"]
        )
        entries.append(entry | dict(zip(_PHASES, phases, strict=True)))
    return sorted(entries, key=lambda entry: -entry["operations"])


def _received(operations: Operations) -> dict[FileKey, list[int]]:
    """File → its operations' phases (ns, summed), their number, and their bytes."""
    sums = GroupSum(3, len(_PHASES) + 2)
    ones, known_bytes = np.ones(len(operations), np.int64), np.maximum(operations.bytes, 0)
    sums.add(_keys(operations), (*operations.phases(), ones, known_bytes))
    keys, values = (column.tolist() for column in sums.result())
    return {
        (tgid, fd, inode): values_of_file
        for (tgid, fd, inode), values_of_file in zip(keys, values, strict=True)
    }


def _calls(used: FdUsage) -> dict[FileKey, list[int]]:
    """Of each file the values of _SHOWN."""
    rows = zip(*(used.values[name].tolist() for name in _SHOWN), strict=True)
    return {
        (tgid, fd, inode): list(row)
        for (tgid, fd, inode), row in zip(used.keys.tolist(), rows, strict=True)
    }
