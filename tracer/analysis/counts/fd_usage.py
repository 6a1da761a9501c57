"""How each descriptor was used: receives, sends, accepts and connects, with their bytes and what they waited for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.counts.wait_reasons import ACCEPT, CONNECT, SEND
from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls

EAGAIN, EINPROGRESS = 11, 115
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
_WAIT = _table(tuple(name for members in syscalls.CLASSES.values() for name in members))
_READ = syscalls.numbers()["read"]
_ANY = _RECEIVE | _SEND | _ACCEPT | _CONNECT


@dataclass(frozen=True)
class FdUsage:
    """keys: int64[n, 3], process, descriptor and inode; mode: of the file, 0: unknown; values: by the names of VALUES,
    int64[n], counts, bytes and ns.

    again_runs: how often receives began to find nothing, after another call; single_bytes: receives of one byte in a
    row; accept_lost: told of a connection and found none; full_then_wait: a read that filled its buffer, and no other
    before the next wait.
    """

    keys: np.ndarray
    mode: np.ndarray
    values: dict[str, np.ndarray]


def of_interest(calls: Calls) -> np.ndarray:
    """Which calls Usage counts."""
    return _ANY[calls.nr]


class DescriptorUsage:
    """Feed calls in time order; with `window` (ns), those that ended inside it count."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        self._window = window or (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        self._sums = GroupSum(4, len(VALUES))

    def feed(self, calls: Calls, tgids: np.ndarray, inodes: np.ndarray, modes: np.ndarray) -> None:
        """Calls with the process of each and what its descriptor is."""
        number = calls.nr
        wanted = _ANY[number] & (calls.end >= self._window[0]) & (calls.end <= self._window[1])
        if not wanted.any():
            return
        told, waits, single = (its[wanted] for its in _neighbours(calls))
        calls, tgids, inodes, modes = (
            calls.where(wanted),
            tgids[wanted],
            inodes[wanted],
            modes[wanted],
        )
        number = number[wanted]
        result, slept, count = calls.result, calls.slept, calls.count
        took = calls.end - calls.start
        bytes_ = np.where(_MESSAGES[number], 0, np.maximum(result, 0))
        receive, send, accept, connect = (
            _RECEIVE[number],
            _SEND[number],
            _ACCEPT[number],
            _CONNECT[number],
        )
        again, good = result == -EAGAIN, result > 0
        columns = {
            "receives": receive & good,
            "received_bytes": receive * bytes_,
            "receive_again": receive * again * count,
            "receive_slept_ns": receive * slept,
            "single_bytes": single,
            "single_ns": single * took,
            "sends": send & good,
            "sent_bytes": send * bytes_,
            "send_again": send * again * count,
            "sends_blocked": send & (slept > 0),
            "send_slept_ns": send * slept,
            "accepts": accept & (result >= 0),
            "accept_again": accept * again * count,
            "accept_slept_ns": accept * slept,
            "accept_lost": accept & again & told,
            "full_then_wait": (calls.nr == _READ) & good & (result == calls.arg) & waits,
            "connects": connect & ((result == 0) | (result == -EINPROGRESS)),
            "connect_slept_ns": connect * slept,
            "calls_ns": took,
            "again_runs": receive & again,
        }
        self._sums.add((tgids, calls.fd, inodes, modes), tuple(columns[name] for name in VALUES))

    def finish(self, descriptors: Descriptors) -> FdUsage:
        """All of it. What was done on a descriptor before anything was learnt of it counts for the file that it turned
        out to be."""
        keys, values = self._sums.result()
        unknown = np.flatnonzero(keys[:, 2] == 0)
        keys[unknown, 2], keys[unknown, 3] = descriptors.before(keys[unknown, 0], keys[unknown, 1])
        merged = GroupSum(keys.shape[1], len(VALUES))
        merged.add(tuple(keys.T), tuple(values.T))
        keys, values = merged.result()
        return FdUsage(
            keys[:, :3], keys[:, 3], {name: values[:, i] for i, name in enumerate(VALUES)}
        )


def _neighbours(calls: Calls) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(whether the thread's call before was a wait that said that something is ready, whether the thread waits next
    without another receive from the same descriptor, whether it took one byte without waiting, as the call before did
    from the same descriptor)."""
    number = calls.nr
    wait = _WAIT[number]
    same = calls.tid[1:] == calls.tid[:-1]
    told, single = (np.zeros(len(calls), bool) for _ in range(2))
    told[1:] = same & wait[:-1] & (calls.result[:-1] > 0)
    one = _RECEIVE[number] & ~_MESSAGES[number] & (calls.result == 1)
    single[1:] = (
        same & one[1:] & one[:-1] & (calls.fd[1:] == calls.fd[:-1]) & (calls.slept[1:] == 0)
    )
    return told, _last_before_wait(calls, _RECEIVE[number], wait), single


def _last_before_wait(calls: Calls, receive: np.ndarray, wait: np.ndarray) -> np.ndarray:
    """Which receives were a thread's last from their descriptor before its next wait."""
    last = np.zeros(len(calls), bool)
    another = np.append(True, calls.tid[1:] != calls.tid[:-1])[: len(calls)]
    part = (
        np.cumsum(wait | another) - 1
    )  # from a wait, or a thread's first call, to before the next
    ends_in_wait = np.append((wait & ~another)[wait | another][1:], False)
    rows = np.flatnonzero(receive)[::-1]
    _, first = np.unique(
        part[rows] << 32 | calls.fd[rows].astype(np.int64) & 0xFFFFFFFF, return_index=True
    )
    last[rows[first]] = ends_in_wait[part[rows[first]]]
    return last
