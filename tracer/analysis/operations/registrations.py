"""With which epoll descriptor each file was registered last (epoll_ctl(2)); a dup leaves the file the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.tables.asof import AsOf
from tracer.analysis.threads.timeline import TimelineBatch
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.records import Kind


class Registered(NamedTuple):
    """Of n descriptors: whether a registration is known (bool[n]), with which epoll descriptor, and the events."""

    known: np.ndarray
    epfd: np.ndarray
    events: np.ndarray


class Registrations:
    """Feed batches in time order; then ask for any time since the batch before.

    epoll watches an open file, not a number: what is registered as 5 and received from as its dup 7 is one. Where the
    file was not known when it was registered, its number has to do. EPOLL_CTL_DEL is not forgotten: some programs take
    a descriptor out while a worker has it.
    """

    def __init__(self) -> None:
        self._by_file, self._by_fd = AsOf(2), AsOf(2)
        self._epoll_ctl = syscalls.numbers()["epoll_ctl"]
        self.any = False  # whether anything was registered at all

    def feed(self, timeline: TimelineBatch, descriptors: Descriptors) -> None:
        """The registrations of a batch."""
        rows = timeline.lesson_records
        args = fields.Arguments(rows, np.flatnonzero(rows.kind == Kind.ARGS))
        args = args.where(
            (args.number == self._epoll_ctl) & (args.second != syscalls.EPOLL_CTL_DEL)
        )
        if not len(args):
            return
        self.any = True
        tgid, fd = descriptors.process_of(args.tid, args.time), args.third
        _, inode, _ = descriptors.described(tgid, fd, args.time)
        known = inode != 0
        values = args.time, args.first, args.fourth
        self._by_file.add(_key(tgid, inode)[known], *(value[known] for value in values))
        self._by_fd.add(_key(tgid, fd)[~known], *(value[~known] for value in values))

    def find(
        self, tgids: np.ndarray, fds: np.ndarray, inodes: np.ndarray, times: np.ndarray
    ) -> Registered:
        """The last registration of each process's descriptor, behind which is the file of that inode (0: not known),
        not later than each time (ns)."""
        by_file, of_file = self._by_file.find(_key(tgids, inodes), times)
        by_fd, of_fd = self._by_fd.find(_key(tgids, fds.astype(np.int64)), times)
        by_file &= inodes != 0
        values = np.where(by_file[:, None], of_file, of_fd)
        known = by_file | by_fd
        return Registered(
            known, np.where(known, values[:, 0], -1), np.where(known, values[:, 1], 0)
        )

    def forget_before(self, time: int) -> None:
        """Drops what no question about `time` (ns) or later needs."""
        self._by_file.forget_before(time)
        self._by_fd.forget_before(time)


def _key(tgids: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Process (22 bits) and a descriptor or inode (its low 40 bits) as one number."""
    key: np.ndarray = tgids << 40 | numbers & 0xFF_FFFF_FFFF
    return key
