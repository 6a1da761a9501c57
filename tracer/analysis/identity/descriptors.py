"""What is known of threads and descriptors at a time: a thread's process; a descriptor's inode, epoll events and
whether O_ASYNC is set."""

from __future__ import annotations

import fcntl
import os
import socket
import stat

import numpy as np

from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import CallDetails, TimelineBatch
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

S_IFMT = 0o170000  # of i_mode the file's type (inode(7))
SOCK_TYPE_MASK = 0xF  # of socket(2)'s type; the rest are flags (include/linux/net.h)
_EVER, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_MOST_FORKS = 64  # generations between a process and the one whose descriptor it inherited


class Descriptors:
    """Feed batches in time order; then ask for any time since the batch before."""

    def __init__(self) -> None:
        self._processes = AsOf(1)  # thread → process
        self._adopted = AsOf(1)  # thread → when it was adopted while it ran
        self._parents = AsOf(2)  # process → parent process, time of the fork
        self._table = AsOf(3)  # (process, fd) → inode, mode, flags
        # the same for the first file, if it was open before anything was learnt of it
        self._before = AsOf(3)
        self._streams = AsOf(1)  # inode → 1
        self._opened = AsOf(1)  # (process, fd) → entry of the socket call that made it a stream
        self._armed = AsOf(1)  # process → when O_ASYNC was set
        self._registered = AsOf(1)  # (process, epoll fd, fd) → events
        self._socket, self._fcntl, self._epoll_ctl = (
            syscalls.numbers()[name] for name in ("socket", "fcntl", "epoll_ctl")
        )
        self._accepts = number_set(syscalls.class_numbers(("accept", "accept4")))
        self._receives = number_set(
            syscalls.class_numbers((*syscalls.RECEIVE, *syscalls.SECOND, "mq_timedreceive"))
        )
        self._with_second = number_set(syscalls.class_numbers(tuple(syscalls.SECOND)))

    def feed(self, batch: RecordBatch, timeline: TimelineBatch) -> None:
        """A batch in time order, and the timeline of that batch."""
        self._births(fields.Births.of(batch))
        rows, calls = timeline.lesson_records, timeline.lessons
        if not len(rows):
            return
        tgid = self.process_of(rows.tid, rows.time)
        is_args = rows.kind == Kind.ARGS
        args_rows, descriptor_rows = np.flatnonzero(is_args), np.flatnonzero(~is_args)
        if len(args_rows):
            self._set_up(fields.Arguments(rows, args_rows), calls.take(args_rows), tgid[args_rows])
        if len(descriptor_rows):
            self._learn(
                fields.Descriptors(rows, descriptor_rows),
                calls.take(descriptor_rows),
                tgid[descriptor_rows],
            )

    def process_of(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The process (int64) of each thread at each time; the thread's own id where nothing is known."""
        known, values = self._processes.find(tids.astype(np.int64), times)
        return np.where(known, values[:, 0], tids)

    def adopted(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """When each thread was adopted while it ran (ns), 0 for those that were traced from their birth on."""
        return self._adopted.find(tids.astype(np.int64), times)[1][:, 0]

    def find(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For the descriptor of each process at each time: (whether it is a socket or a pipe, the inode, whether it is
        a stream socket)."""
        facts, stream = self.facts(tgids, fds, times)
        file_type = facts[:, 1] & S_IFMT
        return (file_type == stat.S_IFSOCK) | (file_type == stat.S_IFIFO), facts[:, 0], stream

    def described(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """For the descriptor of each process at each time: (whether the file is known, inode, mode); 0 where
        unknown."""
        facts, _ = self.facts(tgids, fds, times)
        inode, mode = facts[:, 0], facts[:, 1]
        return (inode != 0) | (mode != 0), inode, mode

    def facts(
        self, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """For the descriptor of each process at each time: (inode, i_mode and f_flags as int64[n, 3], 0 where nothing
        is known; whether it is a stream socket)."""
        values, times = self._looked_up(self._table, tgids, fds, times)
        stream, _ = self._streams.find(values[:, 0], times)
        return values, stream

    def before(self, tgids: np.ndarray, fds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(inode, mode) of the file behind the descriptor of each process before anything was learnt of the descriptor:
        the first file that was learnt, if the record says that it was open before; else 0."""
        values, _ = self._looked_up(self._before, tgids, fds, np.full(len(tgids), _LAST))
        return values[:, 0], values[:, 1]

    def _looked_up(
        self, table: AsOf, tgids: np.ndarray, fds: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """For the descriptor of each process at each time: (values, 0 where nothing is known; the times as of which
        they hold). A descriptor that a process inherited is looked up in the parent, as of the fork."""
        tgid, times = tgids.copy(), times.copy()
        known, values = table.find(_key(tgid, fds.astype(np.int64)), times)
        unknown = np.flatnonzero(~known & (fds >= 0))
        for _ in range(_MOST_FORKS):
            forked, parents = self._parents.find(tgid[unknown], times[unknown])
            unknown, parents = unknown[forked], parents[forked]
            if not len(unknown):
                break
            tgid[unknown], times[unknown] = parents[:, 0], parents[:, 1]
            known[unknown], values[unknown] = table.find(
                _key(tgid[unknown], fds[unknown].astype(np.int64)), times[unknown]
            )
            unknown = unknown[~known[unknown]]
        return values, times

    def armed(self, tgids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """When each process had last set O_ASYNC on a descriptor (ns), 0 for never."""
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

    def _births(self, births: fields.Births) -> None:
        """The process of each thread, the time when it was adopted, and the parent of each new process."""
        if not len(births):
            return
        tid, time, tgid = births.tid.astype(np.int64), births.time, births.tgid
        self._processes.add(tid, time, tgid)
        adopted = births.adopted
        was_adopted = adopted > 0
        self._adopted.add(tid[was_adopted], time[was_adopted], adopted[was_adopted])
        parent = self.process_of(births.creator, time)
        forked = (births.creator > 0) & (parent != tgid)
        self._parents.add(tgid[forked], time[forked], parent[forked], time[forked])

    def _set_up(self, args: fields.Arguments, calls: CallDetails, tgid: np.ndarray) -> None:
        """What calls set up: a stream socket, O_ASYNC, a registration with epoll."""
        time, number = args.time, args.number
        stream = (number == self._socket) & (args.second & SOCK_TYPE_MASK == socket.SOCK_STREAM)
        self._set(self._opened, stream, _key(tgid, calls.result), time, calls.start)
        arms = (args.second == fcntl.F_SETFL) & (args.third & os.O_ASYNC != 0)
        self._set(self._armed, (number == self._fcntl) & arms, tgid, time, time)
        self._set(
            self._registered,
            (number == self._epoll_ctl) & (args.second != syscalls.EPOLL_CTL_DEL),
            _registration(tgid, args.first.astype(np.int64), args.third),
            time,
            args.fourth,
        )

    def _learn(self, learnt: fields.Descriptors, calls: CallDetails, tgid: np.ndarray) -> None:
        """The file behind each descriptor; calls: the call after which each descriptor was looked at."""
        time, fd, inode = learnt.time, learnt.fd.astype(np.int64), learnt.inode
        key = _key(tgid, fd)
        self._keep_first(key, learnt)
        # learnt at the exit of the first receive: true from the entry of that receive on
        is_second = self._with_second[calls.nr] & (calls.arg.astype(np.int64) == fd)
        by_receive = self._receives[calls.nr] & (calls.fd == learnt.fd) | is_second
        since = np.where(by_receive, calls.start, time)
        self._table.add(key, since, inode, learnt.mode, learnt.flags)
        by_socket_call, socket_call = self._opened.find(key, time)
        accepted = self._accepts[calls.nr] & (calls.result == fd)
        stream = accepted | (by_socket_call & (socket_call[:, 0] == calls.start))
        self._set(self._streams, stream, inode, time, np.ones(len(key), np.int64))

    def _keep_first(self, keys: np.ndarray, learnt: fields.Descriptors) -> None:
        """Keeps the first file that is learnt of a descriptor, if it was open before."""
        order = np.lexsort((learnt.time, keys))
        keys = keys[order]
        first = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
        new = first & learnt.was_open[order] & ~self._table.has(keys)
        kept = learnt.where(order[new])
        ever = np.full(len(kept), _EVER)
        self._before.add(keys[new], ever, kept.inode, kept.mode, kept.flags)

    @staticmethod
    def _set(
        table: AsOf, mask: np.ndarray, keys: np.ndarray, times: np.ndarray, *values: np.ndarray
    ) -> None:
        if mask.any():
            table.add(keys[mask], times[mask], *(value[mask] for value in values))


def _key(tgids: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """Process and descriptor as one number."""
    key: np.ndarray = tgids << 32 | fds & 0xFFFFFFFF
    return key


def _registration(tgids: np.ndarray, watchers: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """Process (22 bits, the most that pid_max allows), epoll descriptor and descriptor (20 bits each) as one number."""
    key: np.ndarray = tgids << 40 | (watchers & 0xFFFFF) << 20 | fds & 0xFFFFF
    return key
