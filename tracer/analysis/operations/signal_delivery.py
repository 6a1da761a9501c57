"""Signals that say that data is there, or that a request is complete: when each was generated, and when a thread was
told of it (signal(7), sigevent(7); si_code of sigaction(2))."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import Calls
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

SIGIO, SIGRTMIN = 29, 32  # the kernel's SIGRTMIN
SI_ASYNCIO = -4
POLL_IN, POLL_HUP = 1, 6  # si_code of a signal set with F_SETSIG


@dataclass(slots=True)
class Delivery(Table):
    """Signals that a thread was told of: when, number, when generated (ns, 0: not seen), si_code; named: 1 + si_fd (0:
    no descriptor named); waited: whether a call waited for it, without a handler."""

    tid: np.ndarray
    time: np.ndarray
    number: np.ndarray
    generated: np.ndarray
    code: np.ndarray
    named: np.ndarray
    waited: np.ndarray


class Signals:
    """Feed batches in time order."""

    def __init__(self) -> None:
        self._generated = np.empty(
            (4, 0), np.int64
        )  # tid and signal as one key, time, code, named; not yet told
        self._last = AsOf(
            5
        )  # tid → number, generated, when, named, waited: of those that say that data is there
        self.asynchronous = _nothing()  # the last batch's that say that a request is complete

    def feed(self, batch: RecordBatch, waits: Calls) -> None:
        """A batch, and its calls that waited for a signal (rt_sigtimedwait returns it without delivering it)."""
        rows = np.flatnonzero(
            (batch.kind == Kind.SIGNAL_GENERATE) | (batch.kind == Kind.SIGNAL_DELIVER)
        )
        number, code = (
            batch.fd[rows].astype(np.int64),
            batch.arg[rows].view(np.int32).astype(np.int64),
        )
        made = batch.kind[rows] == Kind.SIGNAL_GENERATE
        keep = ~made | _says_data(number, code) | (code == SI_ASYNCIO)
        rows, number, code, made = rows[keep], number[keep], code[keep], made[keep]
        taken = waits.take(waits.result > 0)
        tids = batch.tid[rows].astype(np.int64)
        names = (
            (number != SIGIO) & (code >= POLL_IN) & (code <= POLL_HUP)
        )  # F_SETSIG: siginfo has the descriptor
        named = np.where(names, 1 + np.where(made, batch.start[rows], batch.result[rows]), 0)
        none = np.zeros(len(taken), np.int64)
        parts = [
            (*self._generated, np.full(self._generated.shape[1], 0)),
            (tids << 8 | number, batch.time[rows], code, named, np.where(made, 0, 1)),
            (taken.tid.astype(np.int64) << 8 | taken.result, taken.end, none, none, none + 2),
        ]
        key, time, code, named, what = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        order = np.lexsort((time, key))
        told = (
            self._told(*(its[order] for its in (key, time, code, named, what)))
            if len(key)
            else _nothing()
        )
        self.asynchronous = told.take(told.code == SI_ASYNCIO)
        data = told.take(_says_data(told.number, told.code))
        self._last.add(
            data.tid, data.time, data.number, data.generated, data.time, data.named, data.waited
        )

    def _told(
        self,
        key: np.ndarray,
        time: np.ndarray,
        code: np.ndarray,
        named: np.ndarray,
        what: np.ndarray,
    ) -> Delivery:
        """The deliveries, each with the first generation since the one before it of the same signal and thread."""
        is_told = what > 0
        first = np.append(True, (key[1:] != key[:-1]) | is_told[:-1])[: len(key)]
        run = np.cumsum(first) - 1
        begins = np.flatnonzero(first)
        at = np.flatnonzero(is_told)
        begin = begins[run[at]]
        generated = np.where(begin < at, time[begin], 0)
        unfinished = ~is_told[np.append(begins[1:], len(key)) - 1]
        waiting = begins[unfinished]
        self._generated = np.array([its[waiting] for its in (key, time, code, named)])
        # a wait took the signal's own code with it: the generation's stands for it
        waited = what[at] == 2
        told = Delivery(
            key[at] >> 8,
            time[at],
            key[at] & 0xFF,
            generated,
            np.where(waited, code[begin], code[at]),
            np.where(waited, named[begin], named[at]),
            waited,
        )
        return told.take((what[at] == 1) | (generated > 0))

    def last(
        self, tids: np.ndarray, times: np.ndarray, since: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """(number, generated, when told, named, waited) of each thread's last signal that said that there is data, later
        than `since` and not later than `times`; 0 where there was none."""
        found, values = self._last.find(tids.astype(np.int64), times)
        found &= values[:, 2] > since
        return tuple(np.where(found, values[:, i], 0) for i in range(5))

    def forget_before(self, time: int) -> None:
        """Drops what no look-up at `time` (ns) or later can find."""
        self._last.forget_before(time)


def _says_data(number: np.ndarray, code: np.ndarray) -> np.ndarray:
    """SIGIO whatever its code (but an aio may choose it too), and what F_SETSIG put in its place."""
    return (number == SIGIO) & (code != SI_ASYNCIO) | (number >= SIGRTMIN) & (code >= POLL_IN) & (
        code <= POLL_HUP
    )


def _nothing() -> Delivery:
    return Delivery(*(np.empty(0, np.int64) for _ in range(7)))
