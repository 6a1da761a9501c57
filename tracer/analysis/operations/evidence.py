"""What is known of each operation before its boundaries are decided: what its thread did before it, which signal came,
which aio_read it serves."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

import numpy as np

from tracer.analysis.operations.posix_aio import ServedReads
from tracer.analysis.operations.receives import Received
from tracer.analysis.operations.signal_delivery import LastSignals
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls

RWF_NOWAIT = os.RWF_NOWAIT
_LOOKS = number_set(syscalls.class_numbers((*syscalls.SELECT, *syscalls.POLL, *syscalls.EPOLL)))
_EPOLL = number_set(syscalls.class_numbers(syscalls.EPOLL))
_HAS_FLAGS = number_set(syscalls.class_numbers(("recvfrom", "recvmsg")))
_PREADV2 = syscalls.numbers()["preadv2"]
_RESTARTED = np.array([-code for code in syscalls.RESTARTS])


@dataclass(slots=True)
class Evidence:
    """Of n operations; all arrays have n entries but those of `calls`.

    receive        the receives themselves (Calls of n rows), as waits_inside.split gives them
    calls          the rows that first_ask, told_by, last_look … point into; −1 there: no such call
    may_block      whether the receive may sleep for data: neither O_NONBLOCK nor a flag of its own forbids it
    first_ask      the first ask: the program wanted the data then at the latest
    told_by        the last wait that said that something is ready
    last_look      the last receive that found nothing, or was interrupted before it found anything
    timed_out      the last wait like told_by (the same call; of epoll the same descriptor) that said that nothing is
    slept_look     the last receive that left the data (MSG_PEEK) and had slept for it
    eagain_count   how many receives found nothing at once (EAGAIN); timeouts: how many slept before they said so
    slept_asking   how long the thread slept in receives before this one (ns): in vain, or interrupted, or looking
    idle_waits     how many waits said at once that nothing is ready
    slept_nr       the number of the last wait in which the thread slept, −1 for none
    fell_asleep    when it entered the last wait, if it fell asleep there (ns; else 0)
    previous_done  when the thread's operation before was done (ns, 0: there was none)
    signal         the last signal since then that said that there is data
    aio            the aio_read that the receive serves
    armed          when the process had set O_ASYNC (ns, 0: never)
    adopted        when the thread was adopted while it ran (ns, 0: it was traced from its birth on)
    """

    receive: Calls
    calls: Calls
    may_block: np.ndarray
    first_ask: np.ndarray
    told_by: np.ndarray
    last_look: np.ndarray
    slept_look: np.ndarray
    timed_out: np.ndarray
    eagain_count: np.ndarray
    timeouts: np.ndarray
    slept_asking: np.ndarray
    idle_waits: np.ndarray
    slept_nr: np.ndarray
    fell_asleep: np.ndarray
    previous_done: np.ndarray
    signal: LastSignals
    aio: ServedReads
    armed: np.ndarray
    adopted: np.ndarray

    @property
    def slept(self) -> np.ndarray:
        """bool[n], whether the thread slept in the receive for its data, and was woken."""
        slept: np.ndarray = self.may_block & (self.receive.woken > 0)
        return slept

    @property
    def slept_for_it(self) -> np.ndarray:
        """bool[n], whether the thread slept until the data was there: in the receive, or in one that looked at it."""
        slept: np.ndarray = self.slept | (self.slept_look >= 0)
        return slept

    @property
    def slept_ns(self) -> np.ndarray:
        """int64[n], for how long the thread slept in receives, this one and those before it."""
        slept_ns: np.ndarray = np.where(self.may_block, self.receive.slept, 0) + self.slept_asking
        return slept_ns

    def asleep(self, column: str) -> np.ndarray:
        """int64[n], a column of Calls (out, woken, back) of the receive in which the thread slept, 0 where it did
        not."""
        looked = np.where(self.slept_look >= 0, getattr(self.calls, column)[self.slept_look], 0)
        return np.where(self.slept, getattr(self.receive, column), looked)


def gather(
    received: Received,
    receive: Calls,
    does_not_block: np.ndarray,
    signal: LastSignals,
    aio: ServedReads,
    armed: np.ndarray,
    adopted: np.ndarray,
) -> Evidence:
    """The evidence of a batch's operations. receive: received.calls at received.at; does_not_block: bool[n], whether
    its descriptor has O_NONBLOCK."""
    calls, ask, of, count = received.calls, received.ask, received.of, len(receive)
    is_wait, result = received.is_wait[ask], calls.result[ask]
    # in a receive that may block; of equal failing calls the first one alone can have slept
    asleep = np.where(is_wait, calls.woken[ask] > 0, _sleeps(calls, ask) & ~does_not_block[of])
    empty = ~is_wait & (result == -errno.EAGAIN)
    interrupted = ~is_wait & np.isin(result, _RESTARTED)
    telling = is_wait & _tells(calls, ask)
    idle = is_wait & ~asleep & _LOOKS[calls.nr[ask]] & (result == 0)
    looked, asking = ~is_wait & asleep & (result > 0), ~is_wait & asleep
    told_by = _last(ask[telling], of[telling], count)
    in_vain = is_wait & _timed_out_like(calls, ask, told_by[of])
    return Evidence(
        receive=receive,
        calls=calls,
        may_block=~does_not_block & ~never_block(receive, slice(None)),
        first_ask=_last(ask[::-1], of[::-1], count),
        told_by=told_by,
        last_look=_last(ask[empty | interrupted], of[empty | interrupted], count),
        slept_look=_last(ask[looked], of[looked], count),
        eagain_count=_sum((calls.count[ask] - asleep)[empty], of[empty], count),
        timeouts=_sum(asleep[empty], of[empty], count),
        slept_asking=_sum(calls.slept[ask[asking]], of[asking], count),
        idle_waits=_sum(idle, of, count),
        slept_nr=_last(calls.nr[ask[is_wait & asleep]], of[is_wait & asleep], count),
        timed_out=_last(ask[in_vain], of[in_vain], count),
        fell_asleep=_in_last_wait(
            np.where(calls.out[ask], calls.start[ask], 0)[is_wait], of[is_wait], count
        ),
        previous_done=received.previous_done,
        signal=signal,
        aio=aio,
        armed=armed,
        adopted=adopted,
    )


def _sleeps(calls: Calls, rows: np.ndarray) -> np.ndarray:
    """bool[n]: in which of these receives the thread slept, and no flag of the receive forbids that it waits."""
    sleeps: np.ndarray = (calls.woken[rows] > 0) & ~never_block(calls, rows)
    return sleeps


def never_block(calls: Calls, rows: np.ndarray | slice) -> np.ndarray:
    """bool[n]: which of these calls were given MSG_DONTWAIT or RWF_NOWAIT, as far as records keep flags."""
    number, flags = calls.nr[rows], calls.arg[rows]
    dont_wait = _HAS_FLAGS[number] & (flags & np.uint32(socket.MSG_DONTWAIT) != 0)
    never: np.ndarray = dont_wait | ((number == _PREADV2) & (flags & np.uint32(RWF_NOWAIT) != 0))
    return never


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


def _sum(values: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    """Of each operation the sum (int64) of the values that are its own."""
    return np.bincount(of, values, count).astype(np.int64)


def _in_last_wait(entries: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    """When the thread of each operation entered the last of its waits, if it slept there (ns)."""
    fell_asleep = np.zeros(count, np.int64)
    fell_asleep[of] = entries
    return fell_asleep
