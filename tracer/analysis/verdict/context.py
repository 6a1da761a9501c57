"""What verdicts rest on apart from the operations: the model of each operation, and other calls of each process."""

from __future__ import annotations

import stat
from collections.abc import Callable

import numpy as np

from tracer.analysis.counts.fd_usage import DescriptorUsage, FdUsage
from tracer.analysis.counts.file_kinds import other_reads
from tracer.analysis.identity.descriptors import S_IFMT
from tracer.analysis.identity.identity import Identity
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.uring_requests import SETUP_SQPOLL
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.analysis.threads.timeline import TimelineStep
from tracer.analysis.verdict import io_model
from tracer.analysis.verdict.io_model import VerdictContext
from tracer.analysis.verdict.non_io import IoCounts
from tracer.kernel.syscalls import COMPAT
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import UringRings


class Models(Step[None, np.ndarray]):
    """Each operation's model, as io_model.models_of has it."""

    NEEDS = (OperationsInWindow,)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing: the operations are enough."""

    def finish(self, results: Results) -> np.ndarray:
        return io_model.models_of(results[OperationsInWindow])


class Contexts(Step[None, dict[int, VerdictContext]]):
    """Process → calls that qualify its verdict (VerdictContext); processes without such calls are left out."""

    NEEDS = (TimelineStep, Identity, ThreadStates)

    def __init__(self) -> None:
        self._undecoded = GroupSum(1, 1)  # process → calls of a 32-bit program
        # processes whose io_uring a kernel thread submits to
        self._kernel_submits: set[int] = set()

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls, identity = state[TimelineStep].calls, state[Identity]
        foreign = calls.take(np.flatnonzero(calls.nr >= COMPAT))
        self._undecoded.add((identity.process_of(foreign.tid, foreign.end),), (foreign.count,))
        rings = UringRings.of(batch)
        rings = rings.where(rings.flags & SETUP_SQPOLL != 0)
        self._kernel_submits.update(identity.process_of(rings.tid, rings.time).tolist())

    def finish(self, results: Results) -> dict[int, VerdictContext]:
        keys, counts = self._undecoded.result()
        undecoded = dict(zip(keys[:, 0].tolist(), counts[:, 0].tolist(), strict=True))
        # a ring older than the recording is known by the name of its kernel thread (io_uring/sqpoll.c)
        named = {
            thread.tgid for thread in results[ThreadStates] if thread.name.startswith("iou-sqp-")
        }
        submits = self._kernel_submits | named
        return {
            tgid: VerdictContext(undecoded.get(tgid, 0), tgid in submits)
            for tgid in undecoded.keys() | submits
        }


class IoOfProcesses(Step[None, dict[int, IoCounts]]):
    """Process → number of calls on files, and of calls that sent or connected on sockets; what it read from other
    things."""

    NEEDS = (DescriptorUsage, Identity)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing: the counts of the descriptors are enough."""

    def finish(self, results: Results) -> dict[int, IoCounts]:
        return io_of_processes(results[DescriptorUsage], results[Identity].name)


def io_of_processes(
    used: FdUsage, name: Callable[[int, int, int], str | None]
) -> dict[int, IoCounts]:
    """Process → counts. Writes to pipes are left out: they may be only the program's output. name: of a file, by
    process, descriptor and inode."""
    kind, values = used.mode & S_IFMT, used.values
    reads = other_reads(used.keys, used.mode, values["receives"], values["received_bytes"], name)
    on_files = np.isin(kind, (stat.S_IFREG, stat.S_IFBLK)) * (values["receives"] + values["sends"])
    on_sockets = values["sends"] + values["accepts"] + values["connects"]
    sums = GroupSum(1, 2)
    sums.add((used.keys[:, 0],), (on_files, (kind == stat.S_IFSOCK) * on_sockets))
    keys, counts = sums.result()
    return {
        tgid: IoCounts(pair[0], pair[1], reads.get(tgid, ()))
        for tgid, pair in zip(keys[:, 0].tolist(), counts.tolist(), strict=True)
    }
