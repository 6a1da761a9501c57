"""Operations as a table: one row for each successful receive, and the words for its kinds and its times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.table import Table, names_of
from tracer.terms import BOUNDARIES, PHASE_SPANS

UNKNOWN = int(np.iinfo(np.int64).min)  # stands for a time that is not known

# How a thread waited for an operation's data.
WAIT_KINDS = (
    "at once",
    "blocked",
    "polled",
    "multiplexed",
    "signal",
    "posix-aio",
    "io-uring",
    "linux-aio",
)
AT_ONCE, BLOCKED, POLLED, MULTIPLEXED, SIGNAL, POSIX_AIO, IO_URING, LINUX_AIO = range(
    len(WAIT_KINDS)
)

# How an asynchronous request was carried out, or what told of its completion.
COMPLETION_KINDS = (
    "",
    "inline",
    "poll-armed",
    "worker",
    "device",
    "multishot",
    "sqpoll",
    "in io_submit",
    "after io_submit",
    "signal",
    "thread",
    "suspend",
)
(
    NO_COMPLETION,
    INLINE,
    POLL_ARMED,
    WORKER,
    DEVICE,
    MULTISHOT,
    SQPOLL,
    IN_SUBMIT,
    AFTER_SUBMIT,
    BY_SIGNAL,
    BY_THREAD,
    BY_SUSPEND,
) = range(len(COMPLETION_KINDS))


@dataclass(slots=True)
class Operations(Table):
    """Successful receives in the order in which they were done, one column for each fact.

    tid, tgid        the thread that asked, and its process
    receiver_tid     the thread that received, where another one asked; else 0
    fd, inode        the descriptor, and the inode of its file (0: not known)
    bytes, nr        how much it received (−1: not known), and the number of its system call
    messages         how many messages that were: of recvmmsg its result, else 1
    wait_kind        index into WAIT_KINDS: how the data was waited for
    completion_kind  index into COMPLETION_KINDS
    ask … done       the boundaries (docs/model.md), ns of CLOCK_MONOTONIC:
                     ask ≤ ready ≤ told ≤ copy_start ≤ copy_end ≤ done
    raw_…            four of them as they were seen; equal to the boundary unless that was moved
    estimated        bit i is set where BOUNDARIES[i] was moved or not seen
    queued           how long the data had been there when it was asked for, ns
    wait_nr, epfd    of multiplexing: the number and the descriptor of the call that told; else −1
    events           the epoll events with which the descriptor was registered there
    signal           number of the signal that notified the thread (0: none)
    generated        when that signal was sent (ns, 0: not seen)
    delivered        when the thread was told of it (ns)
    named            whether its siginfo named the descriptor
    by_sigwait       whether rt_sigtimedwait took it, not a handler
    eagain_count     receives that found nothing at once, since the thread's operation before
    timeouts         receives that slept and found nothing, since then
    idle_waits       calls of select, poll and epoll_wait that said at once that nothing is ready, since then
    slept            ns asleep in the receive, and in those before it that timed out, were interrupted or only looked
    slept_looking    whether it slept in one that looked at the data (MSG_PEEK)
    inside           ns of it in this receive after its first bytes (waits_inside.py): wait, and not copy
    waited_asleep    whether the thread slept in a wait between its operation before and this one
    slept_nr         the number of the last such wait, −1 for none
    fell_asleep      when it entered the last wait of these, if it fell asleep there (ns; else 0)
    serial           the order in which operations were found
    told_tid         the thread that was told, where another received what a wait had told of; else 0
    woken, running   when the told thread woke the receiving one, and when that had a CPU (ns, 0: it was not asleep, or
                     which wake-up was meant is not clear)
    in_call          of a request that the kernel completed: whether the thread that asked copied, inside io_submit or
                     io_uring_enter
    filled           whether read(2) filled its buffer: there may be more
    woken_in         where `woken` is known, the number of the call that the receiving thread slept in until then
    """

    tid: np.ndarray
    tgid: np.ndarray
    receiver_tid: np.ndarray
    fd: np.ndarray
    inode: np.ndarray
    bytes: np.ndarray
    messages: np.ndarray
    nr: np.ndarray
    wait_kind: np.ndarray
    completion_kind: np.ndarray
    ask: np.ndarray
    ready: np.ndarray
    told: np.ndarray
    copy_start: np.ndarray
    copy_end: np.ndarray
    done: np.ndarray
    raw_ask: np.ndarray
    raw_ready: np.ndarray
    raw_told: np.ndarray
    raw_copy_start: np.ndarray
    estimated: np.ndarray
    queued: np.ndarray
    wait_nr: np.ndarray
    epfd: np.ndarray
    events: np.ndarray
    signal: np.ndarray
    generated: np.ndarray
    delivered: np.ndarray
    named: np.ndarray
    by_sigwait: np.ndarray
    eagain_count: np.ndarray
    timeouts: np.ndarray
    idle_waits: np.ndarray
    slept: np.ndarray
    inside: np.ndarray
    slept_looking: np.ndarray
    waited_asleep: np.ndarray
    slept_nr: np.ndarray
    fell_asleep: np.ndarray
    serial: np.ndarray
    told_tid: np.ndarray
    woken: np.ndarray
    running: np.ndarray
    woken_in: np.ndarray
    filled: np.ndarray
    in_call: np.ndarray

    def phases(self) -> tuple[np.ndarray, ...]:
        """Each of PHASES, int64[n] ns; an operation's sum to done − ask."""
        took = {
            name: getattr(self, end) - getattr(self, begin)
            for name, (begin, end) in PHASE_SPANS.items()
        }
        took["wait"], took["copy"] = took["wait"] + self.inside, took["copy"] - self.inside
        return tuple(took.values())

    def rows(self, which: slice = slice(None)) -> Iterator[dict[str, int]]:
        """Each as a dict of plain integers."""
        names = names_of(Operations)
        for values in zip(*(getattr(self, name)[which].tolist() for name in names), strict=True):
            yield dict(zip(names, values, strict=True))


_SMALL = {  # columns that are kept in fewer than 8 bytes
    "tid": np.uint32,
    "tgid": np.uint32,
    "receiver_tid": np.uint32,
    "fd": np.int32,
    "bytes": np.int32,
    "messages": np.int16,
    "nr": np.int16,
    "wait_kind": np.uint8,
    "completion_kind": np.uint8,
    "estimated": np.uint8,
    "wait_nr": np.int16,
    "epfd": np.int32,
    "events": np.uint32,
    "signal": np.uint8,
    "eagain_count": np.int32,
    "timeouts": np.int32,
    "idle_waits": np.int32,
    "slept_looking": bool,
    "waited_asleep": bool,
    "slept_nr": np.int16,
    "named": bool,
    "by_sigwait": bool,
    "serial": np.uint32,
    "told_tid": np.uint32,
    "woken_in": np.int16,
    "filled": bool,
    "in_call": bool,
}


def of_columns(columns: dict[str, np.ndarray]) -> Operations:
    """Operations from their columns by name, each in its own type."""
    return Operations(
        *(
            np.asarray(columns[name]).astype(_SMALL.get(name, np.int64), copy=False)
            for name in names_of(Operations)
        )
    )


def with_defaults(count: int, columns: dict[str, np.ndarray]) -> Operations:
    """`count` operations of which only these columns are known; the others are 0."""
    zero = np.zeros(count, np.int64)
    return of_columns(dict.fromkeys(names_of(Operations), zero) | columns)


def no_operations() -> Operations:
    """A table without rows."""
    return with_defaults(0, {})


def bit(boundary: str, which: np.ndarray) -> np.ndarray:
    """The `estimated` column of operations whose `boundary` is estimated where `which` (bool[n]) says so."""
    return which.astype(np.uint8) << np.uint8(BOUNDARIES.index(boundary))
