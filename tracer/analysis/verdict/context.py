"""What verdicts rest on apart from the operations: the model of each operation, and other calls of each process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tracer.analysis.counts.fd_usage import DescriptorUsage, FdUsage
from tracer.analysis.counts.file_kinds import other_reads
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import FileKind
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.uring_requests import SETUP_SQPOLL
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.analysis.verdict import io_model
from tracer.analysis.verdict.facts import Unwatched
from tracer.analysis.verdict.io_model import VerdictContext
from tracer.analysis.verdict.non_io import IoCounts
from tracer.kernel import syscalls
from tracer.kernel.syscalls import COMPAT
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import UringRings
from tracer.terms import NOT_SEEN

_ESPIPE = -29
# What in a process's calls shows that evidence matters (a key of features.EVIDENCE): of POSIX aio the pread64 of a
# socket or pipe, by which glibc's helper thread begins each read (sysdeps/pthread/aio_misc.c, handle_fildes_io).
_SIGNS: dict[str, Callable[[Calls], np.ndarray]] = {
    "aio_read": lambda calls: (calls.nr == _number("pread64")) & (calls.result == _ESPIPE),
    "io_uring": lambda calls: (calls.nr == _number("io_uring_enter")) & (calls.result >= 0),
}


def _number(name: str) -> int:
    return syscalls.numbers()[name]


_FILES = (FileKind.REGULAR, FileKind.MEMFD, FileKind.BLOCK)


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
        self._undecoded = GroupSum(1, 1)  # process → calls of the 32-bit ABI
        self._signs = {what: GroupSum(1, 1) for what in _SIGNS}  # process → calls
        # processes whose io_uring a kernel thread submits to
        self._kernel_submits: set[int] = set()

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls, identity = state[TimelineStep].calls, state[Identity]
        foreign = calls.take(np.flatnonzero(calls.nr >= COMPAT))
        self._undecoded.add((identity.process_of(foreign.tid, foreign.end),), (foreign.count,))
        for what, sign in _SIGNS.items():
            shown = calls.take(np.flatnonzero(sign(calls)))
            if not len(shown):
                continue
            self._signs[what].add((identity.process_of(shown.tid, shown.end),), (shown.count,))
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
        unwatched = self._unwatched(results.recording.facts.get("features") or {})
        return {
            tgid: VerdictContext(
                undecoded.get(tgid, 0), tgid in submits, tuple(unwatched.get(tgid, ()))
            )
            for tgid in undecoded.keys() | submits | unwatched.keys()
        }

    def _unwatched(self, sources: dict[str, str]) -> dict[int, list[Unwatched]]:
        """Process → the evidence that was missing where the process's calls show that it matters. sources: the
        recording's `features`."""
        missing: dict[int, list[Unwatched]] = {}
        for what, sums in self._signs.items():
            source = sources.get(what, "")
            if not source.startswith(NOT_SEEN):
                continue
            keys, counts = sums.result()
            reason = source.removeprefix(NOT_SEEN).strip(" ()")
            for tgid, calls in zip(keys[:, 0].tolist(), counts[:, 0].tolist(), strict=True):
                missing.setdefault(tgid, []).append(Unwatched(what, calls, reason))
        return missing


class IoOfProcesses(Step[None, dict[int, IoCounts]]):
    """Process → number of calls on files, and of calls that sent or connected on sockets; what it read from other
    things."""

    NEEDS = (DescriptorUsage,)

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Nothing: the counts of the descriptors are enough."""

    def finish(self, results: Results) -> dict[int, IoCounts]:
        return io_of_processes(results[DescriptorUsage])


def io_of_processes(used: FdUsage) -> dict[int, IoCounts]:
    """Process → counts. Writes to pipes are left out: they may be only the program's output."""
    kind, values = used.kind, used.values
    reads = other_reads(used.keys, kind, values["receives"], values["received_bytes"])
    on_files = np.isin(kind, _FILES) * (values["receives"] + values["sends"])
    on_sockets = values["sends"] + values["accepts"] + values["connects"]
    sums = GroupSum(1, 2)
    sums.add((used.keys[:, 0],), (on_files, (kind == FileKind.SOCKET) * on_sockets))
    keys, counts = sums.result()
    return {
        tgid: IoCounts(pair[0], pair[1], reads.get(tgid, ()))
        for tgid, pair in zip(keys[:, 0].tolist(), counts.tolist(), strict=True)
    }
