"""What requests that the kernel completes by itself moved (io_uring(7), io_submit(2)): receives, sends, accepts and
connects of each file, with bytes."""

from __future__ import annotations

import errno

import numpy as np

from tracer.analysis.counts.usage_values import VALUES, columns
from tracer.analysis.operations import io_uring, linux_aio
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.kernel_requests import KernelRequests, Submissions
from tracer.analysis.operations.uring_requests import (
    completions_of,
    request_of,
    submissions_of,
    with_registered_files,
)
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.steps.window import Window
from tracer.analysis.tables.group_sum import GroupSum
from tracer.recording.batch import RecordBatch

_URING_SENDS = (2, 5, 9, 23, 26, 47, 48, 60)
"""IORING_OP_ WRITEV, WRITE_FIXED, SENDMSG, WRITE, SEND, SEND_ZC, SENDMSG_ZC, WRITEV_FIXED"""
_URING_MOVES = (30, 33)  # IORING_OP_ SPLICE, TEE: their descriptor is the one that data goes to
_URING_ACCEPT, _URING_CONNECT = 13, 16
_AIO_WRITES = (1, 8)  # IOCB_CMD_ PWRITE, PWRITEV
_AGAIN = (-errno.EAGAIN, -errno.EWOULDBLOCK)


class RequestUsage(Step[None, tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]]):
    """(process, descriptor, number, mode and kind of each file, and 0; what requests added to each of VALUES)."""

    NEEDS = (OperationsInWindow,)

    def __init__(self) -> None:
        self._requests: KernelRequests | None = None

    def feed(self, batch: RecordBatch, state: State) -> None:
        self._requests = state[OperationsInWindow].requests

    def finish(self, results: Results) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        sums = GroupSum(6, len(VALUES))
        if self._requests:
            window = results.recording.window
            _add_uring(sums, self._requests, window)
            _add_native_aio(sums, self._requests, window)
        keys, values = sums.result()
        return tuple(keys.T), tuple(values.T)


def _add_uring(sums: GroupSum, requests: KernelRequests, window: Window) -> None:
    """Every completion counts: of a multishot accept each is a connection."""
    batch, files = requests.records()
    submissions, done = submissions_of(batch, files), completions_of(batch, files)
    of = request_of(submissions, done)
    # the second completion of a send without a copy brings nothing
    counts = (of >= 0) & ~done.notifies & window.holds(done.time)
    asked = with_registered_files(submissions.take(of[counts]), submissions, batch)
    result, opcode = done.result[counts].astype(np.int64), asked.opcode
    sends = np.isin(opcode, _URING_SENDS) | np.isin(opcode, _URING_MOVES)
    values = _columns(np.isin(opcode, io_uring.READS), sends, result)
    accepts, connects = opcode == _URING_ACCEPT, opcode == _URING_CONNECT
    values |= {
        "accepts": accepts & (result >= 0),
        "accept_again": accepts & np.isin(result, _AGAIN),
        "connects": connects & (result == 0),
    }
    _add(sums, asked, values)


def _add_native_aio(sums: GroupSum, requests: KernelRequests, window: Window) -> None:
    """Every event that was brought counts."""
    asked, events = linux_aio.matched(requests)
    inside = window.holds(events.time)
    asked, result = asked.take(inside), events.result[inside]
    reads, writes = (np.isin(asked.opcode, codes) for codes in (linux_aio.AIO_READS, _AIO_WRITES))
    _add(sums, asked, _columns(reads, writes, result))


def _columns(reads: np.ndarray, sends: np.ndarray, result: np.ndarray) -> dict[str, np.ndarray]:
    """What requests that read, and that send, add to VALUES. result: bytes, or a negative errno."""
    into, out, again = reads & (result > 0), sends & (result > 0), np.isin(result, _AGAIN)
    return {
        "receives": into,
        "received_messages": into,
        "received_bytes": into * result,
        "receive_again": reads & again,
        "sends": out,
        "sent_messages": out,
        "sent_bytes": out * result,
        "send_again": sends & again,
    }


def _add(sums: GroupSum, asked: Submissions, values: dict[str, np.ndarray]) -> None:
    """Only requests that did one of these: others have nothing to do with a descriptor's data."""
    did: np.ndarray = np.logical_or.reduce([column != 0 for column in values.values()])
    asked = asked.take(did)
    nothing = np.zeros(len(asked), np.int64)
    keys = asked.tgid, asked.fd, asked.inode, asked.mode, asked.kind, nothing
    sums.add(keys, columns(len(asked), {name: column[did] for name, column in values.items()}))
