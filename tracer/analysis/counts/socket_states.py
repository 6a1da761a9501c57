"""Which sockets listen (listen(2)), and which connections are being made (connect(2) said EINPROGRESS), at a time."""

from __future__ import annotations

import errno

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, CONNECT, SEND
from tracer.analysis.identity.descriptors import Files
from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch

_LISTENS = number_set(syscalls.class_numbers(("listen", *ACCEPT)))
_CONNECT = number_set(syscalls.class_numbers(CONNECT))
# What a program does with a connection when it is made, or has failed.
_GOES_ON = number_set(
    syscalls.class_numbers(
        (*syscalls.RECEIVE, *SEND, "getsockopt", "getpeername", "shutdown", "close")
    )
)


class SocketStates(Step["SocketStates", "SocketStates"]):
    """A step that later steps ask about any time since the batch before."""

    NEEDS = (TimelineStep, Identity)

    def __init__(self) -> None:
        self._listening = AsOf(1)  # file number → 1
        self._connecting = AsOf(1)  # process and descriptor → 1, later 0

    def feed(self, batch: RecordBatch, state: State) -> SocketStates:
        calls, identity = state[TimelineStep].calls, state[Identity]
        if len(batch):
            self._connecting.forget_before(int(batch.time[0]))
            self._listening.forget_before(int(batch.time[0]))
        self._listen(calls.where(_LISTENS[calls.nr]), identity)
        self._connect(calls, identity)
        return self

    def finish(self, results: Results) -> SocketStates:
        return self

    @property
    def any_connects(self) -> bool:
        """Whether a connection was made that took a while."""
        return len(self._connecting) > 0

    def listens(self, files: Files, times: np.ndarray) -> np.ndarray:
        """bool[n]: which files were known as listening sockets at each time (ns): by a call, or since they were open
        before and the kernel said so."""
        known, _ = self._listening.find(files.number, times)
        listening: np.ndarray = files.listens | known & (files.number != 0)
        return listening

    def connects(self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray) -> np.ndarray:
        """bool[n]: whether the connection of each process's descriptor was being made at each time (ns)."""
        _, values = self._connecting.find(_key(tgids, fds), times)
        being_made: np.ndarray = values[:, 0] == 1
        return being_made

    def _listen(self, calls: Calls, identity: Identity) -> None:
        """listen, and accepts: also those that found no connection."""
        calls = calls.where((calls.result >= 0) | (calls.result == -errno.EAGAIN))
        if not len(calls):
            return
        files = identity.files(calls.tid, calls.fd, calls.start)
        number, known = files.number, self.listens(files, calls.end)
        new, first = np.unique(number[~known & (number != 0)], return_index=True)
        since = calls.end[~known & (number != 0)][first]
        self._listening.add(new, since, np.ones(len(new), np.int64))

    def _connect(self, calls: Calls, identity: Identity) -> None:
        begins = _CONNECT[calls.nr] & (calls.result == -errno.EINPROGRESS)
        if begins.any():
            rows = np.flatnonzero(begins)
            tgid = identity.process_of(calls.tid[rows], calls.end[rows])
            ones = np.ones(len(rows), np.int64)
            self._connecting.add(_key(tgid, calls.fd[rows]), calls.end[rows], ones)
        elif not len(self._connecting):
            return
        rows = np.flatnonzero(_GOES_ON[calls.nr])
        tgid = identity.process_of(calls.tid[rows], calls.end[rows])
        key, end = _key(tgid, calls.fd[rows]), calls.end[rows]
        _, values = self._connecting.find(key, end)
        over = np.flatnonzero(values[:, 0] == 1)
        self._connecting.add(key[over], end[over], np.zeros(len(over), np.int64))


def _key(tgids: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """Process and descriptor as one number."""
    key: np.ndarray = tgids << 32 | fds.astype(np.int64) & 0xFFFFFFFF
    return key
