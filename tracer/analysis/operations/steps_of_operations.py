"""What was done for each operation: how often its process made which call and fell asleep since its operation before,
and in which order its thread made its calls. In bounded memory: of many operations every so manieth is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.threads.thread_states import ThreadStates
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

MOST = 20_000  # operations that are looked at
LONGEST = 24  # steps of a sequence; what comes later is left out
SLEEP = -1  # stands for a switch away from the CPU, to sleep
NOTHING = -2  # fills a sequence up
_ERRNO_BITS = 12
_RT_SIGRETURN = syscalls.numbers()["rt_sigreturn"]


@dataclass(frozen=True)
class StepsOfOperations:
    """rows: int64[n], the operations that were looked at, in the order in which they were done. counts: step →
    int64[n], how often it was done in the operation's process. sequences: int64[n, LONGEST], the operation's thread's
    own calls in their order, equal ones in a row once. A step is SLEEP or a call with its error (`name_of`)."""

    rows: np.ndarray
    counts: dict[int, np.ndarray]
    sequences: np.ndarray


def name_of(step: int) -> str:
    """'recvfrom', 'recvfrom → EAGAIN', 'sleep'."""
    if step == SLEEP:
        return "sleep"
    name = syscalls.Call.of(step >> _ERRNO_BITS).name
    error = step & (1 << _ERRNO_BITS) - 1
    return f"{name} → {syscalls.error_name(-error)}" if error else name


class Steps(Step[None, StepsOfOperations]):
    """The steps of a recording's operations; it is read once more when they are known."""

    NEEDS = (OperationsInWindow, ThreadStates)
    ON_REQUEST: ClassVar[str] = "steps_of_operations"

    def feed(self, batch: RecordBatch, state: State) -> None:
        """Does nothing: which operation a call belongs to is known at the end."""

    def finish(self, results: Results) -> StepsOfOperations:
        operations = results[OperationsInWindow]
        processes = {thread.tid: thread.tgid for thread in results[ThreadStates]}
        looked = _Looked(operations, processes)
        window = results.recording.window
        if len(operations):
            for batch in results.recording.read(window.begin, int(operations.done[-1])):
                looked.feed(batch)
        return looked.result()


class _Looked:
    """Which of the operations are looked at, and what was found of them so far."""

    def __init__(self, operations: Operations, processes: dict[int, int]) -> None:
        stride = max(-(-len(operations) // MOST), 1)
        self._rows = np.arange(0, len(operations), stride)
        self._slot = np.full(len(operations) + 1, -1)
        self._slot[self._rows] = np.arange(len(self._rows))
        self._done = operations.done
        receiver = np.where(operations.receiver_tid > 0, operations.receiver_tid, operations.tid)
        self._by_thread = _Owners(receiver)
        self._by_process = _Owners(operations.tgid)
        self._threads = np.array(sorted(processes), np.int64)
        self._process = np.array([processes[tid] for tid in sorted(processes)], np.int64)
        self._counts: dict[int, np.ndarray] = {}
        self._taken: list[np.ndarray] = []  # (2, n): slot and step

    def feed(self, batch: RecordBatch) -> None:
        """A batch in time order."""
        calls = fields.Calls(batch, np.flatnonzero(batch.kind == Kind.CALL))
        self._count(calls.tid, calls.time, _steps(calls))
        outs = fields.SwitchesOut.of(batch)
        outs = outs.where(~outs.preempted)
        self._count(outs.tid, outs.time, np.full(len(outs), SLEEP))
        slots = self._slot[self._by_thread.next(calls.tid, self._order(calls.time))]
        mine = slots >= 0
        self._taken.append(_once(np.stack([slots[mine], _steps(calls)[mine]])))

    def result(self) -> StepsOfOperations:
        """After the last batch."""
        return StepsOfOperations(self._rows, self._counts, self._sequences())

    def _order(self, times: np.ndarray) -> np.ndarray:
        """How many operations were done before each time: the number of the first that was done then or later."""
        return np.searchsorted(self._done, times, "left")

    def _count(self, tids: np.ndarray, times: np.ndarray, steps: np.ndarray) -> None:
        if not len(tids) or not len(self._threads):
            return
        place = np.minimum(np.searchsorted(self._threads, tids), len(self._threads) - 1)
        processes = np.where(self._threads[place] == tids, self._process[place], -1)
        slots = self._slot[self._by_process.next(processes, self._order(times))]
        slots, steps = slots[slots >= 0], steps[slots >= 0]
        for step in np.unique(steps).tolist():
            counts = self._counts.setdefault(step, np.zeros(len(self._rows), np.int64))
            counts += np.bincount(slots[steps == step], minlength=len(counts))

    def _sequences(self) -> np.ndarray:
        sequences = np.full((len(self._rows), LONGEST), NOTHING, np.int64)
        if self._taken:
            slots, steps = _once(np.concatenate(self._taken, axis=1))
            first = np.searchsorted(slots, np.arange(len(self._rows)))
            place = np.arange(len(slots)) - first[slots]
            fits = place < LONGEST
            sequences[slots[fits], place[fits]] = steps[fits]
        return sequences


def _steps(calls: fields.Calls) -> np.ndarray:
    """int64[n]: the step that each call is."""
    result = calls.result
    number = calls.number.astype(np.int64)
    failed = (result < 0) & (result >= -syscalls.MOST_ERRNO) & (number != _RT_SIGRETURN)
    steps: np.ndarray = number << _ERRNO_BITS | np.where(failed, -result, 0)
    return steps


def _once(taken: np.ndarray) -> np.ndarray:
    """(2, n) by slot, the steps of each in their order, equal ones in a row once."""
    taken = taken[:, np.argsort(taken[0], kind="stable")]
    differs = np.ones(taken.shape[1], bool)
    differs[1:] = (taken[:, 1:] != taken[:, :-1]).any(axis=0)
    return taken[:, differs]


class _Owners:
    """The operations of each owner (a thread, or a process), to find the next one."""

    def __init__(self, owners: np.ndarray) -> None:
        self._ids, code = np.unique(owners, return_inverse=True)
        self._length = len(owners) + 1
        keys = code.astype(np.int64) * self._length + np.arange(len(owners))
        self._rows = np.argsort(keys, kind="stable")
        self._keys = keys[self._rows]

    def next(self, owners: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """int64[n]: of each owner its first operation from the given one on; −1 where it has none."""
        if not len(self._keys):
            return np.full(len(owners), -1)
        code = np.minimum(np.searchsorted(self._ids, owners), len(self._ids) - 1)
        place = np.searchsorted(self._keys, code * self._length + orders)
        found = np.minimum(place, len(self._keys) - 1)
        known = (self._ids[code] == owners) & (place < len(self._keys))
        known &= self._keys[found] // self._length == code
        return np.where(known, self._rows[found], -1)
