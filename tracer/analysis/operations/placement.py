"""On which CPU the data of each operation was made ready, and on which it was received.

Through loopback it is the sender's own send(2) that makes the data ready, on the sender's CPU; from a device it is
whatever CPU its interrupt, or the poll after it (NAPI), ran on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.appender import Appender
from tracer.analysis.tables.asof import at, preceding
from tracer.analysis.tables.table import Table
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Readinesses, Turns


@dataclass(slots=True)
class _Moments(Table):
    """When something was on a CPU: `key` is a thread, or 0."""

    key: np.ndarray
    time: np.ndarray
    cpu: np.ndarray


@dataclass(frozen=True)
class Placed:
    """made_on, received_on: int64[n], the CPU of each operation, −1 where it was not seen; used: every CPU on which a
    traced thread ran, or data came."""

    made_on: np.ndarray
    received_on: np.ndarray
    used: np.ndarray


class Placement(Step[None, Placed]):
    """The CPUs of the operations in the window."""

    NEEDS = (OperationsInWindow,)

    def __init__(self) -> None:
        self._ready, self._moves = Appender(_none()), Appender(_none())

    def feed(self, batch: RecordBatch, state: State) -> None:
        came = Readinesses.of(batch)
        self._ready.add(_Moments(np.zeros(len(came), np.int64), came.time, came.cpu))
        turns = Turns.of(batch)
        turns = turns.where(turns.runs)
        self._moves.add(_moves(turns.tid, turns.time, turns.cpu))

    def finish(self, results: Results) -> Placed:
        operations = results[OperationsInWindow]
        ready, moves = self._ready.whole(), self._moves.whole()
        made = _exactly(ready, operations.raw_ready)
        used = np.unique(np.concatenate([moves.cpu, ready.cpu]))
        return Placed(made, _received_on(moves, operations), used)


def _none() -> _Moments:
    return _Moments(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))


def _moves(tid: np.ndarray, time: np.ndarray, cpu: np.ndarray) -> _Moments:
    """Of each thread its first turn, and those on another CPU than the one before."""
    order = np.argsort(tid, kind="stable")
    tid, time, cpu = tid[order], time[order], cpu[order]
    moved = np.ones(len(tid), bool)
    moved[1:] = (tid[1:] != tid[:-1]) | (cpu[1:] != cpu[:-1])
    return _Moments(tid[moved], time[moved], cpu[moved])


def _exactly(ready: _Moments, times: np.ndarray) -> np.ndarray:
    """The CPU of the readiness at each time, −1 where there was none just then: it is estimated."""
    if not len(ready):
        return np.full(len(times), -1)
    order = np.argsort(ready.time, kind="stable")
    place = np.minimum(np.searchsorted(ready.time[order], times), len(order) - 1)
    found = ready.time[order][place] == times
    return np.where(found, ready.cpu[order][place], -1)


def _received_on(moves: _Moments, operations: Operations) -> np.ndarray:
    """Where the receiving thread was at the copy's end; by no thread's doing: −1."""
    receiver = np.where(operations.receiver_tid > 0, operations.receiver_tid, operations.tid)
    last = preceding(moves.key, moves.time, receiver, operations.copy_end)
    return np.where(last >= 0, at(moves.cpu, last), -1)
