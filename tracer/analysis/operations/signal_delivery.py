"""Signals that say that data is there, or that a request is complete: when each was generated, and when a thread was
told of it (signal(7), sigevent(7); si_code of sigaction(2))."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import Calls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch

SIGIO = int(signal.SIGIO)
SIGRTMIN = 32  # the kernel's; the C library keeps the first two for itself
SI_ASYNCIO = -4
POLL_IN, POLL_HUP = 1, 6  # si_code of a signal set with F_SETSIG: the first and the last
_GENERATED, _DELIVERED, _TAKEN = range(3)  # taken: by a wait, without a handler
_NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class Delivery(Table):
    """Signals that a thread was told of.

    tid, time    the thread, and when it was told (ns)
    number       the signal
    generated    when it was sent (ns, 0: not seen)
    code         its si_code
    named        1 + the descriptor that its siginfo names, 0 for none
    by_sigwait   whether rt_sigtimedwait took it, not a handler
    """

    tid: np.ndarray
    time: np.ndarray
    number: np.ndarray
    generated: np.ndarray
    code: np.ndarray
    named: np.ndarray
    by_sigwait: np.ndarray


@dataclass(slots=True)
class LastSignals:
    """For each receive the last signal that said that there is data; 0 in every column where there was none. The
    columns are those of Delivery; delivered: when the thread was told (ns)."""

    number: np.ndarray
    generated: np.ndarray
    delivered: np.ndarray
    named: np.ndarray
    by_sigwait: np.ndarray


@dataclass(slots=True)
class _Events(Table):
    """Signals generated, delivered or taken; key: thread and signal as one number."""

    key: np.ndarray
    time: np.ndarray
    code: np.ndarray
    named: np.ndarray
    what: np.ndarray


class Signals:
    """Feed batches in time order."""

    def __init__(self) -> None:
        self._waiting = _Events(*[_NONE] * 5)  # generations that no thread has been told of
        self._last = AsOf(5)  # thread → number, generated, delivered, named, by_sigwait

    def feed(self, batch: RecordBatch, sigwaits: Calls) -> Delivery:
        """A batch, and its calls of rt_sigtimedwait, which returns a signal without delivering it. Those of its signals
        that say that an asynchronous request is complete."""
        events = _events(batch).joined(_taken(sigwaits))
        if not len(events):
            return Delivery(*[_NONE] * 7)
        events = self._waiting.joined(events)
        events = events.take(np.lexsort((events.time, events.key)))
        told, self._waiting = deliveries(events)
        data = told.take(says_data(told.number, told.code))
        self._last.add(
            data.tid,
            data.time,
            data.number,
            data.generated,
            data.time,
            data.named,
            data.by_sigwait,
        )
        return told.take(told.code == SI_ASYNCIO)

    def last(self, tids: np.ndarray, times: np.ndarray, since: np.ndarray) -> LastSignals:
        """Each thread's last signal that said that there is data, told later than `since` (ns) and not later than
        `times` (ns)."""
        _, values = self._last.find(tids, times)  # 0 in all where there was none
        later = values[:, 2] > since
        return LastSignals(*(np.where(later, values[:, i], 0) for i in range(5)))

    def forget_before(self, time: int) -> None:
        """Drops what no look-up at `time` (ns) or later can find."""
        self._last.forget_before(time)


def says_data(number: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Whether a signal says that data is there: SIGIO whatever its code (but an aio may choose it too), and what
    F_SETSIG put in its place."""
    sigio = (number == SIGIO) & (code != SI_ASYNCIO)
    says: np.ndarray = sigio | (number >= SIGRTMIN) & _names_cause(code)
    return says


def deliveries(events: _Events) -> tuple[Delivery, _Events]:
    """(what threads were told of, the generations that still wait). events: by key, then time.

    A delivery is of the first generation since the delivery before it of the same signal and thread: a signal that is
    pending already is not generated again. A wait took the signal's code with it: the generation's stands for it.
    """
    is_told = events.what != _GENERATED
    new_run = np.append(True, (events.key[1:] != events.key[:-1]) | is_told[:-1])
    begins = np.flatnonzero(new_run)  # each run: generations, and at its end the delivery, if any
    ends = np.append(begins[1:], len(events)) - 1
    waiting = events.take(begins[~is_told[ends]])
    begin, end = begins[is_told[ends]], ends[is_told[ends]]
    generated = np.where(begin < end, events.time[begin], 0)
    taken = events.what[end] == _TAKEN
    told = Delivery(
        tid=events.key[end] >> 8,
        time=events.time[end],
        number=events.key[end] & 0xFF,
        generated=generated,
        code=np.where(taken, events.code[begin], events.code[end]),
        named=np.where(taken, events.named[begin], events.named[end]),
        by_sigwait=taken,
    )
    return told.take(~taken | (generated > 0)), waiting


def _events(batch: RecordBatch) -> _Events:
    """A batch's signals; of those generated only the ones that may tell of data or of a request."""
    signals = fields.Signals.of(batch)
    number, code = signals.number.astype(np.int64), signals.code.astype(np.int64)
    kept = ~signals.made | says_data(number, code) | (code == SI_ASYNCIO)
    signals, number, code = signals.where(kept), number[kept], code[kept]
    has_fd = (number != SIGIO) & _names_cause(code)  # F_SETSIG: siginfo has the descriptor
    return _Events(
        key=_key(signals.tid, number),
        time=signals.time,
        code=code,
        named=np.where(has_fd, 1 + signals.fd, 0),
        what=np.where(signals.made, _GENERATED, _DELIVERED),
    )


def _taken(sigwaits: Calls) -> _Events:
    """The signals that rt_sigtimedwait returned; it does not say their si_code."""
    took = sigwaits.take(sigwaits.result > 0)
    zero = np.zeros(len(took), np.int64)
    return _Events(_key(took.tid, took.result), took.end, zero, zero, zero + _TAKEN)


def _names_cause(code: np.ndarray) -> np.ndarray:
    """Whether si_code is one of POLL_*."""
    of_poll: np.ndarray = (code >= POLL_IN) & (code <= POLL_HUP)
    return of_poll


def _key(tids: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    key: np.ndarray = tids.astype(np.int64) << 8 | numbers
    return key
