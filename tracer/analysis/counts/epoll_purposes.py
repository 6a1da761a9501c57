"""What an epoll instance watches for at a time: of each purpose how many descriptors are registered, from epoll_ctl(2)
and the closes of registered descriptors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.purposes import BITS, purposes
from tracer.analysis.counts.socket_states import SocketStates
from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.asof import AsOf
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Arguments
from tracer.recording.records import Kind

_EPOLL_CTL, _CLOSE = (syscalls.numbers()[name] for name in ("epoll_ctl", "close"))
_SHIFTS = np.arange(BITS)
_LAST = np.iinfo(np.int64).max


class _Changes(NamedTuple):
    """Registrations that changed. key: epoll instance and descriptor; mask: what it is watched for from then on."""

    key: np.ndarray
    time: np.ndarray
    mask: np.ndarray


class EpollPurposes(Step["EpollPurposes", "EpollPurposes"]):
    """A step that later steps ask about any time since the batch before."""

    NEEDS = (TimelineStep, Identity, SocketStates)

    def __init__(self) -> None:
        self._instances: dict[int, int] = {}  # which epoll instance → a small number for it
        self._of_process: dict[int, set[int]] = {}  # process → such numbers
        self._masks = AsOf(1)  # instance and descriptor → mask
        self._counts = AsOf(BITS)  # instance → of each purpose how many
        self._registered = AsOf(1)  # process and descriptor → instance and descriptor, last

    def feed(self, batch: RecordBatch, state: State) -> EpollPurposes:
        if len(batch):
            for table in (self._masks, self._counts, self._registered):
                table.forget_before(int(batch.time[0]))
        timeline = state[TimelineStep]
        rows = timeline.lesson_records
        args = Arguments(rows, (rows.kind == Kind.ARGS) & (rows.nr == _EPOLL_CTL))
        changes = [self._controlled(args, state)] if len(args) else []
        if changes or len(self._registered):
            changes.append(self._closed(timeline.calls, state[Identity]))
        if changes:
            self._count(_Changes(*map(np.concatenate, zip(*changes, strict=True))))
        return self

    def finish(self, results: Results) -> EpollPurposes:
        return self

    def masks(
        self, identity: Identity, tids: np.ndarray, epfds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(masks, whether anything is known of the instance) of what each thread's epoll descriptor watches at each
        time (ns)."""
        instance = self._instances_of(identity, tids, epfds, times, learn=False)
        known, counts = self._counts.find(instance, times)
        return _mask_of(counts), known & (instance >= 0)

    def of_process(self, tgid: int) -> int:
        """The mask of all epoll instances that a process has registered with, as of now; 0 where there is none."""
        instances = np.array(sorted(self._of_process.get(tgid, ())), np.int64)
        _, counts = self._counts.find(instances, np.full(len(instances), _LAST))
        return int(np.bitwise_or.reduce(_mask_of(counts))) if len(instances) else 0

    def _controlled(self, args: Arguments, state: State) -> _Changes:
        identity, sockets = state[Identity], state[SocketStates]
        tid, time, fd = args.tid, args.time, args.third
        tgid = identity.process_of(tid, time)
        instance = self._instances_of(identity, tid, args.first, time, learn=True)
        for process, number in {*zip(tgid.tolist(), instance.tolist(), strict=True)}:
            self._of_process.setdefault(process, set()).add(number)
        files, opened = identity.files(tid, fd, time), identity.open_files(tid, fd, time)
        mask = purposes(
            files.kind,
            args.fourth.astype(np.int64),
            sockets.listens(files, time),
            sockets.connects(tgid, fd, time),
            opened.peer >= 0,
        )
        mask = np.where(args.second == syscalls.EPOLL_CTL_DEL, 0, mask)
        key = _key(instance, fd)
        self._registered.add(_key(tgid, fd), time, key)
        return _Changes(key, time, mask)

    def _closed(self, calls: Calls, identity: Identity) -> _Changes:
        calls = calls.where((calls.nr == _CLOSE) & (calls.result == 0))
        tgid = identity.process_of(calls.tid, calls.end)
        known, key = self._registered.find(_key(tgid, calls.fd), calls.end)
        ended = np.flatnonzero(known)
        return _Changes(key[ended, 0], calls.end[ended], np.zeros(len(ended), np.int64))

    def _instances_of(
        self,
        identity: Identity,
        tids: np.ndarray,
        epfds: np.ndarray,
        times: np.ndarray,
        learn: bool,
    ) -> np.ndarray:
        """The small number of each epoll instance, −1 where there is none yet: of its open file where that is known,
        else of the process and the descriptor."""
        number = identity.open_files(tids, epfds, times).number
        tgid = identity.process_of(tids, times)
        which = np.where(number >= 0, number, -2 - (tgid << 20 | epfds & 0xFFFFF))
        distinct, code = np.unique(which, return_inverse=True)
        small = [
            self._instances.setdefault(one, len(self._instances))
            if learn
            else self._instances.get(one, -1)
            for one in distinct.tolist()
        ]
        return np.array(small, np.int64)[code] if small else np.empty(0, np.int64)

    def _count(self, changes: _Changes) -> None:
        """Adds to each instance's counts what changed, in order of time."""
        order = np.lexsort((changes.time, changes.key))
        key, time, mask = (column[order] for column in changes)
        before = np.zeros(len(key), np.int64)
        same = key[1:] == key[:-1]
        before[1:] = np.where(same, mask[:-1], 0)
        first = np.flatnonzero(np.append(True, ~same)[: len(key)])
        before[first] = self._masks.find(key[first], np.full(len(first), _LAST))[1][:, 0]
        self._masks.add(key, time, mask)
        change = (mask[:, None] >> _SHIFTS & 1) - (before[:, None] >> _SHIFTS & 1)
        instance = key >> 32
        order = np.lexsort((time, instance))
        instance, time, change = instance[order], time[order], change[order]
        begin = np.flatnonzero(np.append(True, instance[1:] != instance[:-1])[: len(instance)])
        sums = np.cumsum(change, axis=0)
        old = self._counts.find(instance[begin], np.full(len(begin), _LAST))[1]
        old = old - sums[begin] + change[begin]
        size = np.diff(np.append(begin, len(instance)))
        self._counts.add(instance, time, *(sums + np.repeat(old, size, axis=0)).T)


def _mask_of(counts: np.ndarray) -> np.ndarray:
    """int64[n]: which purposes there are of int64[n, BITS]."""
    masks: np.ndarray = ((counts > 0) << _SHIFTS).sum(axis=1)
    return masks


def _key(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    key: np.ndarray = high.astype(np.int64) << 32 | low.astype(np.int64) & 0xFFFFFFFF
    return key
