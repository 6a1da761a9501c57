"""What is known of each operation before its boundaries are decided: what its thread did before it, which signal came,
which aio_read it serves."""

from __future__ import annotations

import errno
from dataclasses import dataclass

import numpy as np

from tracer.analysis.operations.posix_aio import ServedReads
from tracer.analysis.operations.receives import Received
from tracer.analysis.operations.signal_delivery import LastSignals
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls

_LOOKS = number_set(syscalls.class_numbers((*syscalls.SELECT, *syscalls.POLL, *syscalls.EPOLL)))
_EPOLL = number_set(syscalls.class_numbers(syscalls.EPOLL))
RESTARTED = -512  # ERESTARTSYS, and below: the kernel enters the call again


@dataclass(slots=True)
class Evidence:
    """Of n operations; all arrays have n entries but those of `calls`.

    receive        the receives themselves (Calls of n rows), as waits_inside.split gives them
    slept_inside   whether the thread slept in the receive after its first bytes
    calls          the rows that first_ask, told_by, last_look and timed_out point into; −1 there: no such call
    first_ask      the first ask: the program wanted the data then at the latest
    told_by        the last wait that said that something is ready
    last_look      the last receive that found nothing, or was interrupted before it found anything
    timed_out      the last wait like told_by (the same call; of epoll the same descriptor) that said that nothing is
    found_empty    whether a receive found nothing (EAGAIN); eagain_count: how many did
    waited_asleep  whether the thread slept in an ask
    fell_asleep    when it entered the last wait, if it fell asleep there (ns; else 0)
    previous_done  when the thread's operation before was done (ns, 0: there was none)
    signal         the last signal since then that said that there is data
    aio            the aio_read that the receive serves
    armed          when the process had set O_ASYNC (ns, 0: never)
    adopted        when the thread was adopted while it ran (ns, 0: it was traced from its birth on)
    """

    receive: Calls
    slept_inside: np.ndarray
    calls: Calls
    first_ask: np.ndarray
    told_by: np.ndarray
    last_look: np.ndarray
    timed_out: np.ndarray
    found_empty: np.ndarray
    eagain_count: np.ndarray
    waited_asleep: np.ndarray
    fell_asleep: np.ndarray
    previous_done: np.ndarray
    signal: LastSignals
    aio: ServedReads
    armed: np.ndarray
    adopted: np.ndarray

    @property
    def slept(self) -> np.ndarray:
        """bool[n], whether the thread slept in the receive before its first bytes, and was woken."""
        return self.receive.woken > 0


def gather(
    received: Received,
    receive: Calls,
    slept_inside: np.ndarray,
    signal: LastSignals,
    aio: ServedReads,
    armed: np.ndarray,
    adopted: np.ndarray,
) -> Evidence:
    """The evidence of a batch's operations. receive, slept_inside: received.calls at received.at, and which of these
    slept after their first bytes (waits_inside)."""
    calls, ask, of, count = received.calls, received.ask, received.of, len(receive)
    is_wait = received.is_wait[ask]
    empty = ~is_wait & (calls.result[ask] == -errno.EAGAIN)
    interrupted = ~is_wait & (calls.result[ask] <= RESTARTED)
    telling = is_wait & _tells(calls, ask)
    asleep = calls.woken[ask] > 0
    eagains = np.bincount(of[empty], calls.count[ask[empty]], count)
    told_by = _last(ask[telling], of[telling], count)
    in_vain = is_wait & _timed_out_like(calls, ask, told_by[of])
    return Evidence(
        receive=receive,
        slept_inside=slept_inside,
        calls=calls,
        first_ask=_last(ask[::-1], of[::-1], count),
        told_by=told_by,
        last_look=_last(ask[empty | interrupted], of[empty | interrupted], count),
        timed_out=_last(ask[in_vain], of[in_vain], count),
        found_empty=_any(of[empty], count),
        eagain_count=eagains.astype(np.int64),
        waited_asleep=_any(of[asleep], count),
        fell_asleep=_in_last_wait(
            np.where(calls.out[ask], calls.start[ask], 0)[is_wait], of[is_wait], count
        ),
        previous_done=received.previous_done,
        signal=signal,
        aio=aio,
        armed=armed,
        adopted=adopted,
    )


def _tells(calls: Calls, ask: np.ndarray) -> np.ndarray:
    """Whether a wait said that something is ready: its result counts what is. But io_uring_enter's counts the requests
    that it took; there the completions that it was to wait for (its argument) have come where it did not fail."""
    result = calls.result[ask]
    is_enter = calls.nr[ask] == syscalls.numbers()["io_uring_enter"]
    says: np.ndarray = np.where(is_enter, (result >= 0) & (calls.arg[ask] > 0), result > 0)
    return says


def _timed_out_like(calls: Calls, ask: np.ndarray, told_by: np.ndarray) -> np.ndarray:
    """Whether each ask said that nothing is ready, and is the same call as the wait that told later; of epoll one on
    the same descriptor."""
    number, teller = calls.nr[ask], calls.nr[told_by]
    same = (told_by >= 0) & (number == teller) & _LOOKS[number] & (calls.result[ask] == 0)
    timed_out: np.ndarray = same & (~_EPOLL[number] | (calls.fd[ask] == calls.fd[told_by]))
    return timed_out


def _last(rows: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    """Of each operation the last of these rows that is one of its own, −1 for none."""
    last = np.full(count, -1)
    last[of] = rows
    return last


def _any(of: np.ndarray, count: int) -> np.ndarray:
    """Whether an operation is among those named."""
    which = np.zeros(count, bool)
    which[of] = True
    return which


def _in_last_wait(entries: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    """When the thread of each operation entered the last of its waits, if it slept there (ns)."""
    fell_asleep = np.zeros(count, np.int64)
    fell_asleep[of] = entries
    return fell_asleep
