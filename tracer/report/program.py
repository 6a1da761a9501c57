"""What a report says of a recording's processes, their descriptors and what could be better, from one pass over it."""

from __future__ import annotations

import numpy as np

from tracer.analysis.counts.fd_usage import DescriptorUsage, FdUsage, of_interest
from tracer.analysis.counts.poll_usage import PollUsage
from tracer.analysis.counts.wait_reasons import WaitReasons
from tracer.analysis.identity.descriptors import S_IFMT, S_IFSOCK, Descriptors
from tracer.analysis.identity.filenames import MAKERS, TEACHING, FdNames
from tracer.analysis.operations.completions import S_IFBLK, S_IFREG, SETUP_SQPOLL
from tracer.analysis.operations.receives import Operations
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.analysis.threads.timeline import OffCpu, TimelineBatch
from tracer.analysis.threads.wakers import Wakers
from tracer.analysis.verdict import io_model
from tracer.analysis.verdict.advice import Seen, advice
from tracer.analysis.verdict.non_io import IoCounts
from tracer.kernel.syscalls import CLASSES, COMPAT, class_numbers, numbers
from tracer.recording.batch import RecordBatch, table_of
from tracer.recording.records import Kind
from tracer.report import processes
from tracer.terms import PHASES

_TEACHING = table_of(TEACHING)
_PHASES = tuple(f"{phase}_ns" for phase in PHASES)
_SHOWN = (
    "receives",
    "received_bytes",
    "receive_again",
    "sends",
    "sent_bytes",
    "send_again",
    "sends_blocked",
    "send_slept_ns",
    "accepts",
    "accept_again",
    "accept_slept_ns",
    "connects",
    "connect_slept_ns",
)


class Overview:
    """Feed batches in time order, each with its part of the timeline; facts: the recording's; window: ns."""

    def __init__(self, facts: dict, window: tuple[int, int] | None) -> None:
        self._known = FdNames(facts)
        self._base = facts["base_ns"]
        self._comms = {int(tid): name for tid, name in (facts.get("comms") or {}).items()}
        self._activity, self._usage, self._scans = (
            WaitReasons(),
            DescriptorUsage(window),
            PollUsage(window),
        )
        self._wakers = Wakers(window)
        self.moved: dict[int, IoCounts] = {}  # by process, when finished
        self.beside: dict[int, io_model.VerdictContext] = {}  # the same
        self._undecoded = GroupSum(1, 1)  # process → calls of a 32-bit program
        self._kernel_submits: set[int] = (
            set()
        )  # processes of which a kernel thread submits to an io_uring
        self._waits = table_of(
            class_numbers(tuple(name for members in CLASSES.values() for name in members))
        )
        self._makers = table_of(numbers()[name] for name in MAKERS)

    def feed(self, batch: RecordBatch, part: TimelineBatch, descriptors: Descriptors) -> None:
        """descriptors: as the batch has left them."""
        calls = part.calls
        at = np.flatnonzero(of_interest(calls) | self._waits[calls.nr] | (calls.slept > 0))
        tgids, inodes, modes = (np.zeros(len(calls), np.int64) for _ in range(3))
        tgids[at] = descriptors.process_of(calls.tid[at], calls.end[at])
        _, inodes[at], modes[at] = descriptors.described(tgids[at], calls.fd[at], calls.end[at])
        self._activity.feed(batch, calls, modes)
        self._usage.feed(calls, tgids, inodes, modes)
        self._scans.feed(calls, tgids)
        self._wakers.feed(batch)
        foreign = np.flatnonzero(calls.nr >= COMPAT)
        self._undecoded.add(
            (descriptors.process_of(calls.tid[foreign], calls.end[foreign]),),
            (calls.count[foreign],),
        )
        rings = np.flatnonzero((batch.kind == Kind.URING_RING) & (batch.arg & SETUP_SQPOLL != 0))
        self._kernel_submits.update(
            descriptors.process_of(batch.tid[rings], batch.time[rings]).tolist()
        )
        self._learn(batch)

    def finish(
        self,
        operations: Operations,
        codes: np.ndarray,
        times: list[ThreadTimes],
        unended: tuple[OffCpu, np.ndarray],
        descriptors: Descriptors,
        leaders: dict[int, int],
    ) -> dict:
        """`model`, `activity`, `processes`, `descriptors` and `advice` of the report; codes: each operation's model;
        leaders: Lives.leaders."""
        slept, calls = self._activity.finish(*unended, descriptors)
        threads = processes.Threads(
            times, slept, calls, self._wakers.finish(), self._comms, leaders
        )
        used = self._usage.finish(descriptors)
        self.moved, self.beside = _moved(used), self._beside(times)
        listed = processes.listed(threads, operations, codes, self.beside, self._base)
        verdict = io_model.judge(operations, codes, io_model.in_all(self.beside.values()))
        keys = {*map(tuple, used.keys.tolist()), *_distinct(operations)}
        files = {key: name for key in keys if (name := self._known.ever(*key))}
        seen = Seen(
            operations,
            used,
            files,
            self._scans.finish(),
            {its["tgid"]: its["name"] for its in listed},
            {its["tgid"]: its["activity"]["cpu_ns"] for its in listed},
        )
        return {
            "model": io_model.as_dict(verdict, operations, codes),
            "activity": processes.activity(times, threads),
            "processes": listed,
            "descriptors": _descriptors(used, files, operations),
            "advice": advice(seen),
        }

    def _beside(self, times: list[ThreadTimes]) -> dict[int, io_model.VerdictContext]:
        """What each process did that says something about its operations."""
        keys, counts = self._undecoded.result()
        undecoded = dict(zip(keys[:, 0].tolist(), counts[:, 0].tolist(), strict=True))
        # where the ring was there before us, the kernel's name for its thread tells (io_uring/sqpoll.c)
        submits = self._kernel_submits | {
            its.tgid for its in times if its.name.startswith("iou-sqp-")
        }
        return {
            tgid: io_model.VerdictContext(undecoded.get(tgid, 0), tgid in submits)
            for tgid in undecoded.keys() | submits
        }

    def _learn(self, batch: RecordBatch) -> None:
        made = (batch.kind == Kind.CALL) & self._makers[batch.nr]
        rows = batch.take(np.flatnonzero(_TEACHING[batch.kind] | made))
        for fields in zip(
            *(
                getattr(rows, name).tolist()
                for name in ("kind", "tid", "fd", "start", "result", "nr", "arg")
            ),
            strict=True,
        ):
            self._known.learn(*fields)


def _moved(used: FdUsage) -> dict[int, IoCounts]:
    """Each process's calls on files, and those that sent or connected on sockets; what goes into a pipe may be no more
    than the program's output."""
    kind, its = used.mode & S_IFMT, used.values
    on_files = np.isin(kind, (S_IFREG, S_IFBLK)) * (its["receives"] + its["sends"])
    elsewhere = (kind == S_IFSOCK) * (its["sends"] + its["accepts"] + its["connects"])
    sums = GroupSum(1, 2)
    sums.add((used.keys[:, 0],), (on_files, elsewhere))
    keys, values = sums.result()
    return {
        tgid: IoCounts(*its) for tgid, its in zip(keys[:, 0].tolist(), values.tolist(), strict=True)
    }


def _distinct(operations: Operations) -> list[tuple[int, int, int]]:
    """(process, fd, inode) of the operations, each once."""
    sums = GroupSum(3, 1)
    sums.add((operations.tgid, operations.fd, operations.inode), (operations.fd,))
    return [tuple(key) for key in sums.result()[0].tolist()]


def _descriptors(
    used: FdUsage, files: dict[tuple[int, int, int], str], operations: Operations
) -> list[dict]:
    """One for each file that a process received from, sent to, accepted on or connected, those used most first."""
    sums = GroupSum(3, len(_PHASES) + 2)
    sums.add(
        (operations.tgid, operations.fd, operations.inode),
        (*operations.phases(), np.ones(len(operations), np.int64), operations.bytes),
    )
    done = {
        tuple(key): its for key, its in zip(*(part.tolist() for part in sums.result()), strict=True)
    }
    columns = [used.values[name].tolist() for name in _SHOWN]
    calls = {
        key: values for key, *values in zip(map(tuple, used.keys.tolist()), *columns, strict=True)
    }
    found = []
    for key in calls | done:
        *phases, count, bytes_ = done.get(key, (0,) * (len(_PHASES) + 2))
        tgid, fd, inode = key
        entry = {
            "tgid": tgid,
            "fd": fd,
            "inode": inode or None,
            "file": files.get(key),
            **dict(zip(_SHOWN, calls.get(key) or [0] * len(_SHOWN), strict=True)),
        }
        # what no call of the program's received: a completion brought it
        entry["receives"] = max(entry["receives"], count)
        entry["received_bytes"] = max(entry["received_bytes"], bytes_)
        entry["operations"] = (
            entry["receives"] + entry["sends"] + entry["accepts"] + entry["connects"]
        )
        found.append(entry | dict(zip(_PHASES, phases, strict=True)))
    return sorted(found, key=lambda entry: -entry["operations"])
