"""How each descriptor was used: receives, sends, accepts and connects, with bytes and times asleep."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.call_files import (
    ACCEPT,
    CONNECT,
    SEND,
    WAIT,
    CallFiles,
)
from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

_IN_MESSAGES = ("recvmmsg", "sendmmsg")  # what these return counts messages, not bytes
VALUES = (
    "receives",
    "received_bytes",
    "receive_again",
    "receive_slept_ns",
    "single_bytes",
    "single_ns",
    "sends",
    "sent_bytes",
    "send_again",
    "sends_blocked",
    "send_slept_ns",
    "accepts",
    "accept_again",
    "accept_slept_ns",
    "accept_lost",
    "full_then_wait",
    "connects",
    "connect_slept_ns",
    "calls_ns",
    "again_runs",
)


def _table(names: tuple[str, ...]) -> np.ndarray:
    return number_set(syscalls.class_numbers(names))


_RECEIVE, _SEND, _ACCEPT, _CONNECT = (
    _table(names) for names in (syscalls.RECEIVE, SEND, ACCEPT, CONNECT)
)
_MESSAGES = _table(_IN_MESSAGES)
_WAIT = _table(WAIT)
_READ = syscalls.numbers()["read"]
_ANY = _RECEIVE | _SEND | _ACCEPT | _CONNECT


@dataclass(frozen=True)
class FdUsage:
    """Calls that ended inside the window. keys: int64[n, 3], process, descriptor and number of the file (identity),
    each once; mode: i_mode of the file, 0 if unknown; values: name of VALUES → int64[n], counts, bytes and ns.

    again_runs: runs of receives that found nothing; single_bytes: receives of one byte after another such receive;
    accept_lost: accepts that found no connection though a wait had told of one; full_then_wait: reads that filled the
    buffer and were the last before the next wait.
    """

    keys: np.ndarray
    mode: np.ndarray
    values: dict[str, np.ndarray]


class DescriptorUsage(Step[None, FdUsage]):
    """Sums the calls on each descriptor that ended inside the window."""

    NEEDS = (TimelineStep, CallFiles, Identity)

    def __init__(self) -> None:
        self._sums = GroupSum(5, len(VALUES))
        self._unknown: dict[
            int, int
        ] = {}  # life of which nothing was known → a small number, from 1 on

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls, files = state[TimelineStep].calls, state[CallFiles]
        wanted = _ANY[calls.nr] & state.window.holds(calls.end)
        if not wanted.any():
            return
        neighbours = _Neighbours(*(column[wanted] for column in _neighbours(calls)))
        columns = _columns(calls.where(wanted), neighbours)
        tgid, number, mode, life = (column[wanted] for column in files[:4])
        settled = life == 0
        later = self._small(life, ~settled)
        keys = (tgid, calls.fd[wanted], number * settled, mode * settled, later)
        self._sums.add(keys, tuple(columns[name] for name in VALUES))

    def finish(self, results: Results) -> FdUsage:
        """Calls on a descriptor before anything was learnt of it count for the file that it turned out to be."""
        keys, values = self._sums.result()
        lives = np.array([0, *self._unknown], np.int64)[keys[:, 4]]
        unknown = np.flatnonzero(keys[:, 4])
        files = results[Identity].files_of_lives(lives[unknown])
        keys[unknown, 2], keys[unknown, 3] = files.number, files.mode
        merged = GroupSum(3, len(VALUES))
        merged.add(tuple(keys[:, :3].T), tuple(values.T))
        # a file's permissions may have changed; its type has not
        modes = dict(zip(map(tuple, keys[:, :3].tolist()), keys[:, 3].tolist(), strict=True))
        keys, values = merged.result()
        mode = np.array([modes[tuple(key)] for key in keys.tolist()], np.int64)
        return FdUsage(keys, mode, {name: values[:, i] for i, name in enumerate(VALUES)})

    def _small(self, lives: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        """Numbers in place of the lives that are not settled, 0 for the others: sums by large keys take long."""
        small = np.zeros(len(lives), np.int64)
        if not unknown.any():
            return small
        distinct, inverse = np.unique(lives[unknown], return_inverse=True)
        numbers = [
            self._unknown.setdefault(life, len(self._unknown) + 1) for life in distinct.tolist()
        ]
        small[unknown] = np.array(numbers, np.int64)[inverse]
        return small


class _Neighbours(NamedTuple):
    """bool[n] for each call. told: the thread's call before was a wait that returned something ready; waits: the thread
    waits before it receives from the descriptor again; single: the call took one byte without sleeping, and so did the
    call before from the same descriptor."""

    told: np.ndarray
    waits: np.ndarray
    single: np.ndarray


def _columns(calls: Calls, neighbours: _Neighbours) -> dict[str, np.ndarray]:
    """What each call adds to each of VALUES."""
    number, result, slept_ns, count = calls.nr, calls.result, calls.slept, calls.count
    took_ns = calls.end - calls.start
    bytes_ = np.where(_MESSAGES[number], 0, np.maximum(result, 0))
    receive, send = _RECEIVE[number], _SEND[number]
    accept, connect = _ACCEPT[number], _CONNECT[number]
    eagain, good = result == -errno.EAGAIN, result > 0
    filled = (number == _READ) & good & (result == calls.arg)
    connects = (result == 0) | (result == -errno.EINPROGRESS)
    return {
        "receives": receive & good,
        "received_bytes": receive * bytes_,
        "receive_again": receive * eagain * count,
        "receive_slept_ns": receive * slept_ns,
        "single_bytes": neighbours.single,
        "single_ns": neighbours.single * took_ns,
        "sends": send & good,
        "sent_bytes": send * bytes_,
        "send_again": send * eagain * count,
        "sends_blocked": send & (slept_ns > 0),
        "send_slept_ns": send * slept_ns,
        "accepts": accept & (result >= 0),
        "accept_again": accept * eagain * count,
        "accept_slept_ns": accept * slept_ns,
        "accept_lost": accept & eagain & neighbours.told,
        "full_then_wait": filled & neighbours.waits,
        "connects": connect & connects,
        "connect_slept_ns": connect * slept_ns,
        "calls_ns": took_ns,
        "again_runs": receive & eagain,
    }


def _neighbours(calls: Calls) -> _Neighbours:
    """For all calls of a batch, those of a thread together and in order."""
    receive, wait = _RECEIVE[calls.nr], _WAIT[calls.nr]
    same = calls.tid[1:] == calls.tid[:-1]
    told, single = (np.zeros(len(calls), bool) for _ in range(2))
    told[1:] = same & wait[:-1] & (calls.result[:-1] > 0)
    one_byte = receive & ~_MESSAGES[calls.nr] & (calls.result == 1)
    same_fd = same & (calls.fd[1:] == calls.fd[:-1])
    single[1:] = same_fd & one_byte[1:] & one_byte[:-1] & (calls.slept[1:] == 0)
    return _Neighbours(told, _last_before_wait(calls, receive, wait), single)


def _last_before_wait(calls: Calls, receive: np.ndarray, wait: np.ndarray) -> np.ndarray:
    """bool[n]: which receives were the last from their descriptor before the thread's next wait."""
    last = np.zeros(len(calls), bool)
    new_thread = np.append(True, calls.tid[1:] != calls.tid[:-1])[: len(calls)]
    # from a wait, or a thread's first call, to before the next
    stretch = np.cumsum(wait | new_thread) - 1
    ends_in_wait = np.append((wait & ~new_thread)[wait | new_thread][1:], False)
    rows = np.flatnonzero(receive)[::-1]
    _, first = np.unique(
        stretch[rows] << 32 | calls.fd[rows].astype(np.int64) & 0xFFFFFFFF, return_index=True
    )
    last[rows[first]] = ends_in_wait[stretch[rows[first]]]
    return last
