"""What is known of threads and descriptors at a time: whose process, which inode, which epoll events, O_ASYNC."""

from __future__ import annotations

import numpy as np

from tracer.analysis.tables.asof import AsOf
from tracer.analysis.threads.timeline import TimelineBatch
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.records import WAS_OPEN, Kind

S_IFMT, S_IFSOCK, S_IFIFO = 0o170000, 0o140000, 0o010000
SOCK_TYPE_MASK, SOCK_STREAM = 0xF, 1
F_SETFL, O_ASYNC = 4, 0o20000
EPOLL_CTL_DEL = 2
_EVER, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_MOST_FORKS = 64  # generations between a process and the one whose descriptor it inherited


class Descriptors:
    """Feed batches in time order; then ask for any time since the batch before."""

    def __init__(self) -> None:
        self._processes = AsOf(1)  # thread → process
        self._adopted = AsOf(1)  # thread → when it was adopted while it ran
        self._parents = AsOf(2)  # process → its parent, when it was forked
        self._table = AsOf(3)  # (process, fd) → inode, mode, flags
        self._before = AsOf(3)  # the same of what was open before anything was learnt of it
        self._streams = AsOf(1)  # inode → 1
        self._opened = AsOf(1)  # (process, fd) → entry of the socket call that made it a stream
        self._armed = AsOf(1)  # process → when O_ASYNC was set
        self._registered = AsOf(1)  # (process, epoll fd, fd) → events
        numbers = syscalls.numbers()
        self._socket, self._fcntl, self._epoll_ctl = (
            numbers["socket"],
            numbers["fcntl"],
            numbers["epoll_ctl"],
        )
        self._accepts = [numbers["accept"], numbers["accept4"]]
        self._receives = syscalls.class_numbers(syscalls.RECEIVE)

    def feed(self, batch: RecordBatch, part: TimelineBatch) -> None:
        """A batch in time order, and its part of the timeline."""
        self._births(batch)
        rows, call = part.lesson_records, part.lessons
        if not len(rows):
            return
        tgid = self.process_of(rows.tid, rows.time)
        args = rows.kind == Kind.ARGS
        nr, second, third = rows.nr.astype(np.int64), rows.start, rows.result
        self._set(
            self._opened,
            args & (nr == self._socket) & (second & SOCK_TYPE_MASK == SOCK_STREAM),
            tgid << 32 | call.result & 0xFFFFFFFF,
            rows.time,
            call.start,
        )
        self._set(
            self._armed,
            args & (nr == self._fcntl) & (second == F_SETFL) & (third & O_ASYNC != 0),
            tgid,
            rows.time,
            rows.time,
        )
        self._set(
            self._registered,
            args & (nr == self._epoll_ctl) & (second != EPOLL_CTL_DEL),
            _registration(tgid, rows.fd.astype(np.int64), third),
            rows.time,
            rows.arg,
        )
        learnt = ~args
        fd = rows.fd.astype(np.int64)
        # learnt at the exit of its first receive: true of that receive already
        by_receive = np.isin(call.nr, self._receives) & (call.fd == rows.fd)
        self._was_open(_key(tgid, fd), rows, learnt)
        self._set(
            self._table,
            learnt,
            _key(tgid, fd),
            np.where(by_receive, call.start, rows.time),
            rows.start,
            rows.arg,
            rows.result,
        )
        made, opened = self._opened.find(_key(tgid, fd), rows.time)
        stream = np.isin(call.nr, self._accepts) & (call.result == fd) | made & (
            opened[:, 0] == call.start
        )
        self._set(
            self._streams, learnt & stream, rows.start, rows.time, np.ones(len(rows), np.int64)
        )

    def process_of(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The process (int64) of each thread at each time; the thread's own id where nothing is known."""
        found, values = self._processes.find(tids.astype(np.int64), times)
        return np.where(found, values[:, 0], tids)

    def adopted(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """When each thread was adopted while it ran (ns), 0 for those that were traced from their birth on."""
        return self._adopted.find(tids.astype(np.int64), times)[1][:, 0]

    def find(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(whether it is a socket or a pipe, its inode, whether its bytes are a stream of a socket) of each process's
        descriptor at each time."""
        facts, stream = self.facts(tgids, fds, times)
        form = facts[:, 1] & S_IFMT
        return (form == S_IFSOCK) | (form == S_IFIFO), facts[:, 0], stream

    def described(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """(whether it is known, its inode, its mode) of each process's descriptor at each time; 0 where unknown."""
        facts, _ = self.facts(tgids, fds, times)
        return facts[:, :2].any(axis=1), facts[:, 0], facts[:, 1]

    def facts(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(inode, i_mode and f_flags, int64[n, 3], 0 where nothing is known; whether its bytes are a stream of a
        socket) of each process's descriptor at each time."""
        values, times = self._looked_up(self._table, tgids, fds, times)
        stream, _ = self._streams.find(values[:, 0], times)
        return values, stream

    def before(self, tgids: np.ndarray, fds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(inode, mode) of what each process's descriptor was before anything was learnt of it: of the first file that
        was, where that was open already; 0 where a call opened it then, or the record does not say."""
        values, _ = self._looked_up(self._before, tgids, fds, np.full(len(tgids), _LAST))
        return values[:, 0], values[:, 1]

    def _looked_up(
        self, table: AsOf, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(values, 0 where nothing is known; as of when) of each process's descriptor at each time. What a process
        inherited is what its parent had when it forked."""
        tgid, times = tgids.copy(), times.copy()
        found, values = table.find(_key(tgid, fds.astype(np.int64)), times)
        missing = np.flatnonzero(~found & (fds >= 0))
        for _ in range(_MOST_FORKS):
            forked, parents = self._parents.find(tgid[missing], times[missing])
            missing, parents = missing[forked], parents[forked]
            if not len(missing):
                break
            tgid[missing], times[missing] = parents[:, 0], parents[:, 1]
            found[missing], values[missing] = table.find(
                _key(tgid[missing], fds[missing].astype(np.int64)), times[missing]
            )
            missing = missing[~found[missing]]
        return values, times

    def armed(self, tgids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """When each process had last set O_ASYNC (ns), 0 for never."""
        return self._armed.find(tgids, times)[1][:, 0]

    def registered(
        self, tgids: np.ndarray, watchers: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> np.ndarray:
        """The events with which each descriptor was registered with each epoll descriptor, 0 for none."""
        keys = _registration(tgids, np.maximum(watchers, 0).astype(np.int64), fds.astype(np.int64))
        return np.where(watchers >= 0, self._registered.find(keys, times)[1][:, 0], 0)

    def forget_before(self, time: int) -> None:
        """Drops what no question about `time` (ns) or later needs."""
        for table in (
            self._processes,
            self._adopted,
            self._parents,
            self._table,
            self._streams,
            self._opened,
            self._armed,
            self._registered,
        ):
            table.forget_before(time)

    def _births(self, batch: RecordBatch) -> None:
        born = np.flatnonzero((batch.kind == Kind.THREAD) | (batch.kind == Kind.START))
        if not len(born):
            return
        tgid, time, creator = batch.result[born], batch.time[born], batch.fd[born]
        self._processes.add(batch.tid[born].astype(np.int64), time, tgid)
        came = born[(batch.kind[born] == Kind.START) & (batch.start[born] > 0)]
        self._adopted.add(batch.tid[came].astype(np.int64), batch.time[came], batch.start[came])
        parent = self.process_of(creator, time)
        forked = (creator > 0) & (parent != tgid)
        self._parents.add(tgid[forked], time[forked], parent[forked], time[forked])

    def _was_open(self, keys: np.ndarray, rows: RecordBatch, learnt: np.ndarray) -> None:
        """Keeps the first that is learnt of a descriptor, where that was open already."""
        at = np.flatnonzero(learnt)
        at = at[np.lexsort((rows.time[at], keys[at]))]
        keys = keys[at]
        first = np.append(True, keys[1:] != keys[:-1])[: len(at)]
        new = first & (rows.nr[at] & WAS_OPEN != 0) & ~self._table.has(keys)
        at = at[new]
        self._before.add(
            keys[new], np.full(len(at), _EVER), rows.start[at], rows.arg[at], rows.result[at]
        )

    @staticmethod
    def _set(
        table: AsOf, which: np.ndarray, keys: np.ndarray, times: np.ndarray, *values: np.ndarray
    ) -> None:
        if which.any():
            table.add(keys[which], times[which], *(value[which] for value in values))


def _key(tgids: np.ndarray, fds: np.ndarray) -> np.ndarray:
    return tgids << 32 | fds & 0xFFFFFFFF


def _registration(tgids: np.ndarray, watchers: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """Process (22 bits, the most that pid_max allows), epoll descriptor and descriptor (20 bits each) as one number."""
    return tgids << 40 | (watchers & 0xFFFFF) << 20 | fds & 0xFFFFF
