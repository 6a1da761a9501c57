"""With which epoll descriptor each file was registered last (epoll_ctl(2)); a dup leaves the file the same."""

from __future__ import annotations

import select
from typing import NamedTuple

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.tables.asof import AsOf
from tracer.analysis.threads.timeline import TimelineBatch
from tracer.analysis.threads.watched_sets import Watching
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.records import Kind

OF_THREADS = -(1 << 60)  # from here on down instances stand for threads that call select or poll


class Registered(NamedTuple):
    """Of n descriptors: whether a registration is known (bool[n]), the epoll instance (epolls), and the events."""

    known: np.ndarray
    epoll: np.ndarray
    events: np.ndarray


class Registrations:
    """Feed batches in time order; then ask for any time since the batch before.

    epoll watches an open file, not a number: what is registered as 5 and received from as its dup 7 is one; and so is
    an epoll instance that is registered with by one number and waited on by its dup (Tokio's are). Where the file was
    not known when it was registered, its number has to do. EPOLL_CTL_DEL is not forgotten: some programs take a
    descriptor out while a worker has it.
    """

    def __init__(self) -> None:
        self._by_file, self._by_fd = AsOf(2), AsOf(2)
        self._epoll_ctl = syscalls.numbers()["epoll_ctl"]
        self.any = False  # whether anything was registered at all

    def feed(self, timeline: TimelineBatch, descriptors: Descriptors) -> None:
        """The registrations of a batch. Those that were found when a process was attached to follow no epoll_ctl, and
        hold from its beginning on."""
        rows = timeline.lesson_records
        chosen = np.flatnonzero((rows.kind == Kind.ARGS) & (rows.nr == self._epoll_ctl))
        args, calls = fields.Arguments(rows, chosen), timeline.lessons.take(chosen)
        adds = args.second != syscalls.EPOLL_CTL_DEL
        args, calls = args.where(adds), calls.take(adds)
        if not len(args):
            return
        self.any = True
        tgid, fd, time = descriptors.process_of(args.tid, args.time), args.third, args.time
        file = descriptors.files(args.tid, fd, time).number
        epoll = epolls(descriptors, args.tid, args.first, time)
        found = (calls.nr != self._epoll_ctl) | (calls.fd != args.first)
        known, values = file != 0, (epoll, args.fourth)
        _add(self._by_file, _key(tgid, file), time, found, known, values)
        _add(self._by_fd, _key(tgid, fd), time, found, ~known, values)

    def add_sets(self, watching: Watching, rows: np.ndarray, descriptors: Descriptors) -> None:
        """What these calls of select or poll (rows) watch for data: as if it were registered with an epoll instance of
        the thread's own (of_thread), from the time when the set was first given."""
        sets = np.unique(watching.set[rows])
        of, entries = watching.entries_of_sets(sets[sets >= 0])
        chosen = np.flatnonzero(entries.events & select.POLLIN)
        if not len(chosen):
            return
        self.any = True
        of, fd = sets[sets >= 0][of[chosen]], entries.fd[chosen]
        tid, time, events = watching.sets.tid[of], watching.sets.time[of], entries.events[chosen]
        file = descriptors.files(tid, fd, time).number
        known = file != 0
        keys = _key(descriptors.process_of(tid, time), file)
        self._by_file.add(keys[known], time[known], of_thread(tid)[known], events[known])

    def find(
        self, tgids: np.ndarray, fds: np.ndarray, files: np.ndarray, times: np.ndarray
    ) -> Registered:
        """The last registration of each process's descriptor, behind which is the file of that number (0: not known),
        not later than each time (ns)."""
        by_file, of_file = self._by_file.find(_key(tgids, files), times)
        by_fd, of_fd = self._by_fd.find(_key(tgids, fds.astype(np.int64)), times)
        by_file &= files != 0
        values = np.where(by_file[:, None], of_file, of_fd)
        known = by_file | by_fd
        return Registered(known, values[:, 0], np.where(known, values[:, 1], 0))

    def forget_before(self, time: int) -> None:
        """Drops what no question about `time` (ns) or later needs."""
        self._by_file.forget_before(time)
        self._by_fd.forget_before(time)


def of_thread(tids: np.ndarray) -> np.ndarray:
    """int64[n], what select and poll of a thread watch as an epoll instance; below all others."""
    instance: np.ndarray = OF_THREADS - tids
    return instance


def epolls(
    descriptors: Descriptors, tids: np.ndarray, epfds: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """int64[n], which epoll instance a thread's descriptor means at a time (ns): the number of the open file; where
    that is not known, process and descriptor as one negative number."""
    number = descriptors.open_files(tids, epfds, times).number
    unknown = ~(descriptors.process_of(tids, times) << 24 | epfds & 0xFFFFFF)
    instance: np.ndarray = np.where(number >= 0, number, unknown)
    return instance


def _add(
    table: AsOf,
    keys: np.ndarray,
    times: np.ndarray,
    found: np.ndarray,
    chosen: np.ndarray,
    values: tuple[np.ndarray, ...],
) -> None:
    """Adds the chosen rows. found: bool[n], what was found as it was already; the first of a key holds since ever."""
    since_ever = found & ~table.has(keys)
    since = np.where(since_ever, 0, times)
    table.add(keys[chosen], since[chosen], *(value[chosen] for value in values))


def _key(tgids: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Process (22 bits) and a descriptor or file (its low 40 bits) as one number."""
    key: np.ndarray = tgids << 40 | numbers & 0xFF_FFFF_FFFF
    return key
