"""How each descriptor was used: receives, sends, accepts and connects, with messages, bytes and times asleep.

Bytes move in calls on one descriptor, in calls that take from one and give to another (splice, sendfile …:
`second_files`), and in requests that the kernel completes by itself (`request_usage`).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, CONNECT, WAIT, CallFile, CallFiles
from tracer.analysis.counts.request_usage import RequestUsage
from tracer.analysis.counts.second_files import SecondFiles, moves
from tracer.analysis.counts.usage_values import SYSV_QUEUE, VALUES, columns
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import FileKind
from tracer.analysis.operations.own_pipes import writes
from tracer.analysis.operations.receives import LEAVES_DATA
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.messages import Messages
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

__all__ = ["SYSV_QUEUE", "VALUES", "DescriptorUsage", "FdUsage"]


def _table(*names: str) -> np.ndarray:
    return number_set(syscalls.class_numbers(names))


_RECEIVE = _table(*syscalls.RECEIVE, *syscalls.QUEUE_RECEIVE, "copy_file_range")
_SEND = _table(*syscalls.SEND, *syscalls.QUEUE_SEND)
_ACCEPT, _CONNECT, _WAIT = _table(*ACCEPT), _table(*CONNECT), _table(*WAIT)
_MESSAGES, _SECOND = _table(*syscalls.IN_MESSAGES), _table(*syscalls.SECOND)
_QUEUE_RECEIVE, _QUEUE_SEND = _table(*syscalls.QUEUE_RECEIVE), _table(*syscalls.QUEUE_SEND)
_SYSV = _table(*syscalls.SYSV_QUEUE)
_HAS_FLAGS = _table("recvfrom", "recvmsg")
_READ, _TEE, _VMSPLICE = (syscalls.numbers()[name] for name in ("read", "tee", "vmsplice"))
_ANY = _RECEIVE | _SEND | _ACCEPT | _CONNECT | _SECOND


@dataclass(frozen=True)
class FdUsage:
    """Calls that ended inside the window, and requests that were completed in it. keys: int64[n, 3], process,
    descriptor (−1: io_uring knows it by an index; SYSV_QUEUE: a SysV message queue) and number of the file (identity;
    of such a queue its ID + 1), each once; mode: i_mode of the file, 0 if unknown; kind: FileKind; values: name of
    VALUES → int64[n], counts, bytes and ns."""

    keys: np.ndarray
    mode: np.ndarray
    kind: np.ndarray
    values: dict[str, np.ndarray]


class DescriptorUsage(Step[None, FdUsage]):
    """Sums the calls on each descriptor that ended inside the window."""

    NEEDS = (TimelineStep, CallFiles, Identity, RequestUsage)

    def __init__(self) -> None:
        self._sums = GroupSum(6, len(VALUES))
        self._unknown: dict[
            int, int
        ] = {}  # life of which nothing was known → a small number, from 1 on

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls, files = state[TimelineStep].calls, state[CallFiles]
        wanted = _ANY[calls.nr] & state.window.holds(calls.end)
        if not wanted.any():
            return
        neighbours = _Neighbours(*(column[wanted] for column in _neighbours(calls)))
        files = CallFile(*(column[wanted] for column in files))
        calls, identity = calls.where(wanted), state[Identity]
        second = moves(calls, files, identity)
        kinds = _kinds(calls, state[TimelineStep].messages, _fills(calls, identity))
        self._add(self._keys(calls, files), _columns(calls, kinds, neighbours, second))
        if len(second.rows):
            self._add(
                self._keys_of(second.fd, second.files), second.columns(calls.take(second.rows))
            )

    def finish(self, results: Results) -> FdUsage:
        """Calls on a descriptor before anything was learnt of it count for the file that it turned out to be."""
        self._sums.add(*results[RequestUsage])
        keys, values = self._sums.result()
        lives = np.array([0, *self._unknown], np.int64)[keys[:, 5]]
        unknown = np.flatnonzero(keys[:, 5])
        files = results[Identity].files_of_lives(lives[unknown])
        keys[unknown, 2], keys[unknown, 3] = files.number, files.mode
        is_queue = keys[unknown, 4] == FileKind.MQUEUE
        keys[unknown, 4] = np.where(is_queue, FileKind.MQUEUE, files.kind)
        merged = GroupSum(3, len(VALUES))
        merged.add(tuple(keys[:, :3].T), tuple(values.T))
        # a file's permissions may have changed; its type has not
        facts = dict(zip(map(tuple, keys[:, :3].tolist()), keys[:, 3:5].tolist(), strict=True))
        keys, values = merged.result()
        known = np.array([facts[tuple(key)] for key in keys.tolist()], np.int64).reshape(-1, 2)
        return FdUsage(
            keys, known[:, 0], known[:, 1], {name: values[:, i] for i, name in enumerate(VALUES)}
        )

    def _keys(self, calls: Calls, files: CallFile) -> tuple[np.ndarray, ...]:
        """The keys of what argument 0 of each call is. Of msgrcv and msgsnd that is a queue's ID, and no descriptor."""
        sysv = _SYSV[calls.nr]
        queue = _QUEUE_RECEIVE[calls.nr] | _QUEUE_SEND[calls.nr]
        return self._keys_of(
            np.where(sysv, SYSV_QUEUE, calls.fd),
            files._replace(
                number=np.where(sysv, calls.fd + 1, files.number),
                mode=np.where(sysv, 0, files.mode),
                life=np.where(sysv, 0, files.life),
                kind=np.where(queue, FileKind.MQUEUE, files.kind),
            ),
        )

    def _keys_of(self, fd: np.ndarray, files: CallFile) -> tuple[np.ndarray, ...]:
        """Process, descriptor, number, mode and kind, and a small number for each life of which a later look may say
        more; these are looked up at the end."""
        settled = files.life == 0
        later = self._small(files.life, ~settled)
        kind = np.where(settled | (files.kind == FileKind.MQUEUE), files.kind, FileKind.UNKNOWN)
        return files.tgid, fd, files.number * settled, files.mode * settled, kind, later

    def _add(self, keys: tuple[np.ndarray, ...], values: dict[str, np.ndarray]) -> None:
        self._sums.add(keys, columns(len(keys[0]), values))

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


class _Kinds(NamedTuple):
    """Of each call: bool[n], whether it receives, and whether it sends; whether it had data and left it there
    (MSG_PEEK, tee); whether it did what it was to do. int64[n]: of how many messages, how many bytes, and of how many
    messages these are not known."""

    receive: np.ndarray
    send: np.ndarray
    looks: np.ndarray
    good: np.ndarray
    messages: np.ndarray
    bytes: np.ndarray
    unmeasured: np.ndarray


def _kinds(calls: Calls, messages: Messages, fills: np.ndarray) -> _Kinds:
    """fills: bool[n], which calls fill a pipe from memory."""
    number, result = calls.nr, calls.result
    empty_is_one = _QUEUE_RECEIVE[number] | _QUEUE_SEND[number]
    good = (result > 0) | empty_is_one & (result == 0)
    several = np.flatnonzero(_MESSAGES[number] & good)
    count, bytes_ = good.astype(np.int64), np.maximum(result, 0)
    bytes_ = np.where(_QUEUE_SEND[number] & good, calls.arg, bytes_)
    flags, unmeasured = np.where(_HAS_FLAGS[number], calls.arg, 0), np.zeros(len(calls), np.int64)
    if len(several):
        row = messages.of(calls.tid[several], calls.end[several])
        told, row = several[row >= 0], row[row >= 0]
        count[several], unmeasured[several], bytes_[several] = result[several], result[several], 0
        flags[told], bytes_[told] = messages.flags[row], messages.bytes[row]
        unmeasured[told] -= messages.count[row]
    receive, send = _RECEIVE[number] & ~fills, _SEND[number] | fills
    leaves = (flags & LEAVES_DATA != 0) & receive | (number == _TEE)
    return _Kinds(receive, send, leaves & good, good & ~leaves, count, bytes_, unmeasured)


def _fills(calls: Calls, identity: Identity) -> np.ndarray:
    """bool[n]: which calls are a vmsplice that fills a pipe from memory."""
    fills: np.ndarray = calls.nr == _VMSPLICE
    if fills.any():
        mine = calls.take(fills)
        fills[fills] = writes(identity.files(mine.tid, mine.fd, mine.start))
    return fills


def _columns(
    calls: Calls, kinds: _Kinds, neighbours: _Neighbours, second: SecondFiles
) -> dict[str, np.ndarray]:
    """What each call adds to each of VALUES."""
    number, result, slept_ns, count = calls.nr, calls.result, calls.slept, calls.count
    took_ns = calls.end - calls.start
    # what waits for room in its second descriptor waits for that
    receive, send = kinds.receive & ~second.for_room(len(calls)), kinds.send
    accept, connect = _ACCEPT[number], _CONNECT[number]
    eagain, good = result == -errno.EAGAIN, kinds.good
    filled = (number == _READ) & good & (result == calls.arg)
    connects = (result == 0) | (result == -errno.EINPROGRESS)
    into, out = kinds.receive & good, send & good
    return {
        "receives": into,
        "received_messages": into * kinds.messages,
        "received_bytes": into * kinds.bytes,
        "received_unmeasured": into * kinds.unmeasured,
        "looks": kinds.looks,
        "receive_again": receive * eagain * count,
        "receive_slept_ns": receive * slept_ns,
        "single_bytes": neighbours.single,
        "single_ns": neighbours.single * took_ns,
        "sends": out,
        "sent_messages": out * kinds.messages,
        "sent_bytes": out * kinds.bytes,
        "sent_unmeasured": out * kinds.unmeasured,
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
    one_byte &= ~(_HAS_FLAGS[calls.nr] & (calls.arg & LEAVES_DATA != 0))
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
