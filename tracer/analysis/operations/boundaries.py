"""The boundaries of an operation that a receive call made: for each one a table of evidence, the best first.

Each function is one row of docs/model.md's tables. `known` is the evidence of n operations, `kind` int64[n] how each
was waited for (WAIT_KINDS). Copy end and done are the receive's return, where nothing else tells of the data.
"""

from __future__ import annotations

import select

import numpy as np

from tracer.analysis.operations.evidence import Evidence
from tracer.analysis.operations.preference import ESTIMATED, SEEN, Boundary, Row, best, first
from tracer.analysis.operations.table import (
    AT_ONCE,
    BLOCKED,
    MULTIPLEXED,
    POLLED,
    POSIX_AIO,
    SIGNAL,
    UNKNOWN,
)

EPOLLET, EPOLLONESHOT = select.EPOLLET, select.EPOLLONESHOT


def ask(known: Evidence, kind: np.ndarray) -> Boundary:
    """The program first wants the data: its aio_read, its first ask, or, where a signal told and nothing was asked
    before, the end of the operation before or the arming fcntl. Estimated where it asked before it was traced."""
    told_unasked = kind == SIGNAL  # and nothing was asked: that row comes first
    asked = first(
        Row(kind == POSIX_AIO, known.aio.asked_at),
        Row(known.first_ask >= 0, known.calls.start[known.first_ask]),
        Row(told_unasked & (known.previous_done > 0), known.previous_done),
        Row(told_unasked & (known.armed > 0), known.armed),
        otherwise=known.receive.start,
    )
    before_the_trace = (known.adopted > 0) & (asked == known.adopted)
    return Boundary(asked, before_the_trace)


def ready_unseen(
    known: Evidence, kind: np.ndarray, empty_at: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """The data can be read, where no sk_data_ready is seen (so it is estimated always): the sending of the signal, if
    that was not before the socket was found empty; the waking; ask, where the data was there already; else the entry of
    the call that found it there."""
    by_wait = kind == MULTIPLEXED
    told_by, receive, calls = known.told_by, known.receive, known.calls
    woken = np.where(by_wait, calls.woken[told_by], known.asleep("woken"))
    entry = np.where(by_wait, calls.start[told_by], receive.start)
    sent = known.signal.generated
    return first(
        Row((kind == SIGNAL) & (sent > 0) & (sent >= empty_at), sent),
        Row(woken > 0, woken),
        Row(kind == AT_ONCE, asked),
        otherwise=entry,
    )


def told(known: Evidence, kind: np.ndarray) -> np.ndarray:
    """The program has been told: the wait's return, the signal's delivery, the sleeper back on a CPU, else the entry of
    the receive. It is seen always."""
    return first(
        Row(kind == MULTIPLEXED, known.calls.end[known.told_by]),
        Row(kind == SIGNAL, known.signal.delivered),
        Row(slept_for_it(known, kind), known.asleep("back")),
        otherwise=known.receive.start,
    )


def copy_start(known: Evidence) -> Boundary:
    """The kernel begins to copy: the first skb_copy_datagram_iovec; estimated as the entry of the receive, or the last
    switch-in during it, where that is later."""
    receive = known.receive
    return best(
        Row(receive.copy > 0, receive.copy, SEEN),
        otherwise=np.maximum(receive.start, receive.last_in),
        estimated=ESTIMATED,
    )


def empty_at(
    known: Evidence, kind: np.ndarray, events: np.ndarray, watched: np.ndarray
) -> np.ndarray:
    """When the socket was last known to be empty (ns, UNKNOWN: it never was): when a thread fell asleep for its data,
    or the last entry of a receive that found none, or of a wait that timed out. events: int64[n], as registered with
    epoll; watched: bool[n], whether the wait that timed out watched the descriptor.

    Who sleeps in epoll_wait with EPOLLET or EPOLLONESHOT may have been told before of what lies in the socket, and is
    not told again: that sleep says nothing.
    """
    told_once = events & (EPOLLET | EPOLLONESHOT) != 0
    in_vain = np.maximum(known.calls.last_start, known.calls.out)[known.timed_out]
    timed_out = (kind == MULTIPLEXED) & (known.timed_out >= 0) & watched & ~told_once
    looked = first(
        Row(known.last_look >= 0, known.calls.last_start[known.last_look]),
        otherwise=np.full(len(kind), UNKNOWN),
    )
    slept_in_wait = (kind == MULTIPLEXED) & (known.calls.woken[known.told_by] > 0)
    return first(
        Row(slept_in_wait & ~told_once, known.calls.out[known.told_by]),
        Row(slept_for_it(known, kind), known.asleep("out")),
        Row(timed_out, np.maximum(in_vain, looked)),
        otherwise=looked,
    )


def found_early(known: Evidence, kind: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """bool[n], whether the receive may have had its data before sk_data_ready was seen: its thread asked again and
    again, and was not asleep when the data came. empty: empty_at (ns)."""
    awake = (kind == MULTIPLEXED) & (known.calls.woken[known.told_by] == 0) & (empty != UNKNOWN)
    early: np.ndarray = (kind == POLLED) | awake
    return early


def slept_for_it(known: Evidence, kind: np.ndarray) -> np.ndarray:
    """bool[n], whether the receiving thread slept until this data was there."""
    slept: np.ndarray = known.slept_for_it & ((kind == BLOCKED) | (kind == POSIX_AIO))
    return slept
