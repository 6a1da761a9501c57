"""Recordings made by hand: a thread's calls, sleeps and signals as the probes would have written them."""

from __future__ import annotations

from typing import Self

import numpy as np

from tracer.kernel import syscalls
from tracer.recording.records import RECORD, Kind

TID, FD, INODE = 100, 4, 9000
HELPER = 101
SOCKET, PIPE, FILE = 0o140777, 0o010600, 0o100644
EAGAIN, ESPIPE, ERESTARTSYS = -11, -29, -512
SIGIO, SIGRTMIN, SI_ASYNCIO = 29, 34, -4
ASYNC = 0o20000


class Trace:
    """Records in the making; every method takes times in ns and returns the trace, so that calls can be chained.

    Begins with thread `TID` that has descriptor `FD`, a socket.
    """

    def __init__(self, mode: int = SOCKET) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.add(Kind.START, 1, result=TID)
        self.add(Kind.DESCRIPTOR, 2, start=INODE, fd=FD, arg=mode)

    def add(
        self,
        kind: Kind,
        time: int,
        *,
        start: int = 0,
        result: int = 0,
        tid: int = TID,
        nr: int = 0,
        fd: int = -1,
        arg: int = 0,
    ) -> Self:
        """One record, as it is."""
        self.rows.append((time, start, result, tid, kind, nr, fd, arg & 0xFFFFFFFF))
        return self

    def call(
        self,
        name: str,
        start: int,
        end: int,
        result: int,
        *,
        fd: int = FD,
        tid: int = TID,
        arg: int = 0,
    ) -> Self:
        """A system call from its entry to its exit."""
        return self.add(
            Kind.CALL,
            end,
            start=start,
            result=result,
            nr=syscalls.numbers()[name],
            fd=fd,
            tid=tid,
            arg=arg,
        )

    def args(
        self,
        name: str,
        time: int,
        second: int,
        third: int,
        *,
        first: int = FD,
        fourth: int = 0,
        tid: int = TID,
    ) -> Self:
        """The arguments of the set-up call that has just returned."""
        return self.add(
            Kind.ARGS,
            time,
            start=second,
            result=third,
            nr=syscalls.numbers()[name],
            fd=first,
            arg=fourth,
            tid=tid,
        )

    def sleep(
        self, out: int, woken: int | None, back: int | None, *, tid: int = TID, waker: int = -1
    ) -> Self:
        """Off the CPU: blocked until `woken`, running again at `back`."""
        self.add(Kind.SWITCH_OUT, out, tid=tid, arg=1)
        if woken is not None:
            self.add(Kind.WAKING, woken, tid=tid, fd=waker)
        return self if back is None else self.add(Kind.SWITCH_IN, back, tid=tid)

    def preempted(self, out: int, back: int, *, tid: int = TID) -> Self:
        """Off the CPU, runnable all the while."""
        return self.add(Kind.SWITCH_OUT, out, tid=tid, fd=1).add(Kind.SWITCH_IN, back, tid=tid)

    def ready(self, time: int, inode: int = INODE) -> Self:
        """sk_data_ready, seen on the sender's thread."""
        return self.add(Kind.READY, time, start=inode, tid=7)

    def copy(self, time: int, *, tid: int = TID) -> Self:
        """skb_copy_datagram_iovec."""
        return self.add(Kind.COPY, time, result=64, tid=tid)

    def messages(
        self,
        name: str,
        time: int,
        count: int,
        size: int,
        flags: int = 0,
        *,
        fd: int = FD,
        tid: int = TID,
    ) -> Self:
        """The messages of the call that is added next, with `size` bytes in all."""
        number = syscalls.numbers()[name]
        return self.add(
            Kind.MESSAGES, time, start=size, result=count, tid=tid, nr=number, fd=fd, arg=flags
        )

    def signal(
        self, number: int, generated: int, delivered: int, *, code: int = 0x80, tid: int = TID
    ) -> Self:
        """A signal and its handler."""
        self.add(Kind.SIGNAL_GENERATE, generated, tid=tid, fd=number, arg=code)
        return self.add(Kind.SIGNAL_DELIVER, delivered, start=1, tid=tid, fd=number, arg=code)

    def aio_read(self, time: int, *, fd: int = FD, tid: int = TID) -> Self:
        """aio_read(3) as the uprobe sees it."""
        return self.add(Kind.LIBRARY, time, nr=1, fd=fd, tid=tid)

    def records(self) -> np.ndarray:
        """RECORD[n] in time order; what has one time stays in the order in which it was added."""
        rows = np.array(self.rows, RECORD)
        return rows[np.argsort(rows["time"], kind="stable")]


def aio(trace: Trace, at: int) -> Trace:
    """An aio_read at `at`: the helper sleeps in read until `at` + 200; the signal comes at `at` + 250."""
    trace.aio_read(at)
    trace.call("pread64", at + 10, at + 15, ESPIPE, tid=HELPER)
    trace.sleep(at + 30, at + 210, at + 220, tid=HELPER).ready(at + 200).copy(at + 230, tid=HELPER)
    trace.call("read", at + 20, at + 240, 64, tid=HELPER)
    return trace.signal(SIGRTMIN, at + 245, at + 250, code=SI_ASYNCIO)
