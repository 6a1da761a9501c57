"""What is known of threads and descriptors at a time: a thread's process; a descriptor's file, epoll events and whether
O_ASYNC is set.

A descriptor is looked up as of the entry of the call that used it: then the kernel does so.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from dataclasses import dataclass
from functools import cache

import numpy as np

from tracer.analysis.identity.descriptor_lives import DescriptorLives, Ends
from tracer.analysis.identity.descriptor_tables import DescriptorTables
from tracer.analysis.identity.file_numbers import FileNumbers
from tracer.analysis.identity.file_records import FileFacts, FileRecords
from tracer.analysis.identity.life_facts import Looks
from tracer.analysis.identity.made import GIVE_BACK, LOOK_AT, MAKERS, PAIRS, SHARE
from tracer.analysis.identity.open_file_numbers import OpenFileNumbers
from tracer.analysis.identity.open_files import S_IFMT, FileKind, OpenFiles, is_anonymous, kinds_of
from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import CallDetails, Calls, TimelineBatch
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import Kind

SOCK_TYPE_MASK = 0xF  # of socket(2)'s type; the rest are flags (include/linux/net.h)


@dataclass(slots=True)
class Files(Table):
    """Of each descriptor asked about (int64[n] each): life (DescriptorLives); number of the file (FileNumbers: of
    sockets the inode), mode (i_mode) and flags (f_flags), kind (FileKind), 0 where unknown; stream: whether it is a
    stream socket. settled: false where a later look may say otherwise (of_lives)."""

    life: np.ndarray
    number: np.ndarray
    mode: np.ndarray
    flags: np.ndarray
    kind: np.ndarray
    stream: np.ndarray
    settled: np.ndarray

    @property
    def on_data(self) -> np.ndarray:
        """bool[n]: whether it is a socket or a pipe."""
        file_type = self.mode & S_IFMT
        flags: np.ndarray = (file_type == stat.S_IFSOCK) | (file_type == stat.S_IFIFO)
        return flags


class Descriptors:
    """Feed batches in time order; then ask for any time since the batch before, of descriptors for any time so far."""

    def __init__(self) -> None:
        self._processes = AsOf(1)  # thread → process
        self._adopted = AsOf(1)  # thread → when it was adopted while it ran
        self._streams = AsOf(1)  # inode → 1
        self._opened = AsOf(1)  # (process, fd) → entry of the socket call that made it a stream
        self._armed = AsOf(1)  # process → when O_ASYNC was set
        self._registered = AsOf(2)  # (process, epoll fd, fd) → events, life of the descriptor
        self._tables = DescriptorTables()
        self._lives = DescriptorLives(self._tables)
        self._records = FileRecords()
        self.numbers = FileNumbers()
        self._open_files = OpenFileNumbers()
        numbers = syscalls.numbers()
        self._socket, self._fcntl, self._epoll_ctl, self._close = (
            numbers[name] for name in ("socket", "fcntl", "epoll_ctl", "close")
        )
        self._accepts, self._give_back, self._look_at, self._share, self._pairs = (
            number_set(syscalls.class_numbers(names))
            for names in (
                ("accept", "accept4"),
                GIVE_BACK,
                (*LOOK_AT, *syscalls.RECEIVE),
                SHARE,
                PAIRS,
            )
        )
        self._with_second = number_set(syscalls.class_numbers(tuple(syscalls.SECOND)))

    def feed(self, batch: RecordBatch, timeline: TimelineBatch) -> None:
        """A batch in time order, and the timeline of that batch."""
        self._births(fields.Births.of(batch))
        self._tables.feed(batch)
        facts = self._records.feed(batch)
        rows, calls = timeline.lesson_records, timeline.lessons
        is_args = rows.kind == Kind.ARGS
        args_rows, descriptor_rows = np.flatnonzero(is_args), np.flatnonzero(~is_args)
        args = fields.Arguments(rows, args_rows)
        if len(args_rows):
            self._set_up(args, calls.take(args_rows))
        ends = self._ends(timeline.calls, args)
        if len(descriptor_rows) or len(ends):
            learnt = fields.Descriptors(rows, descriptor_rows)
            self._learn(learnt, facts, calls.take(descriptor_rows), ends)
        self._register(
            args.where((args.number == self._epoll_ctl) & (args.second != syscalls.EPOLL_CTL_DEL))
        )

    # lives of descriptors, by their numbers in LifeFacts

    def known_lives(self, tids: np.ndarray, fds: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The life of the descriptor of each thread at each time, -1 where nothing is known of it."""
        return self._lives.resolved(self.lives(tids, fds, times))

    def look_at(self, lives: np.ndarray | int) -> Looks:
        """The first looks at lives."""
        return self._lives.facts.of(np.atleast_1d(lives))

    def row_of(self, life: int) -> dict[str, int]:
        """The first look at one life (names: Looks)."""
        return self._lives.facts.row(life)

    # at a time

    def process_of(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The process (int64) of each thread at each time; the thread's own id where nothing is known."""
        known, values = self._processes.find(tids.astype(np.int64), times)
        return np.where(known, values[:, 0], tids)

    def adopted(self, tids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """When each thread was adopted while it ran (ns), 0 for those that were traced from their birth on."""
        return self._adopted.find(tids.astype(np.int64), times)[1][:, 0]

    def lives(self, tids: np.ndarray, fds: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The life (int64[n], a code of DescriptorLives) of the descriptor of each thread at each time."""
        versions = self._tables.at(tids, self.process_of(tids, times), times)
        return self._lives.at(versions, fds.astype(np.int64), times)

    def files(
        self,
        tids: np.ndarray,
        fds: np.ndarray,
        times: np.ndarray,
        tgids: np.ndarray | None = None,
    ) -> Files:
        """What is known of the descriptor of each thread at each time (ns). tgids: the threads' processes, where the
        caller has them."""
        tgids = self.process_of(tids, times) if tgids is None else tgids
        versions = self._tables.at(tids, tgids, times)
        return self._files(self._lives.at(versions, fds.astype(np.int64), times), times)

    def of_lives(self, lives: np.ndarray) -> Files:
        """What is known of lives, as of their first look."""
        return self._files(lives, np.full(len(lives), np.iinfo(np.int64).min))

    def resolved(self, lives: np.ndarray) -> np.ndarray:
        """Lives (Files.life) by their numbers in LifeFacts, -1 where nothing is known of one so far."""
        return self._lives.resolved(lives)

    def open_files_of(self, lives: np.ndarray) -> OpenFiles:
        """The open files of lives, by their numbers in LifeFacts."""
        return OpenFiles(self._lives.facts.of(lives).kind, *self._open_files.of(lives))

    def open_files(self, tids: np.ndarray, fds: np.ndarray, times: np.ndarray) -> OpenFiles:
        """The open file behind the descriptor of each thread at each time (ns)."""
        numbers = self._lives.resolved(self.lives(tids, fds, times))
        return OpenFiles(self._lives.facts.of(numbers).kind, *self._open_files.of(numbers))

    def armed(self, tgids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """When each process had last set O_ASYNC on a descriptor (ns), 0 for never."""
        return self._armed.find(tgids, times)[1][:, 0]

    def registered(self, calls: Calls, watchers: np.ndarray) -> np.ndarray:
        """The events with which the descriptor of each call was registered with each epoll descriptor when the call
        returned, 0 for none. What was registered ends with the life of the descriptor."""
        tids, fds, times = calls.tid, calls.fd, calls.start
        tgids = self.process_of(tids, calls.end)
        keys = _registration(tgids, np.maximum(watchers, 0).astype(np.int64), fds.astype(np.int64))
        known, values = self._registered.find(keys, calls.end)
        rows = np.flatnonzero(known & (watchers >= 0))
        events = np.zeros(len(tids), np.int64)
        lives = self.lives(tids[rows], fds[rows], times[rows])
        same = rows[lives == values[rows, 1]]
        events[same] = values[same, 0]
        return events

    def forget_before(self, time: int) -> None:
        """Drops what no question about `time` (ns) or later needs. Descriptors are not forgotten: the call that asks
        may have been entered long ago."""
        for table in (
            self._processes,
            self._adopted,
            self._streams,
            self._opened,
            self._armed,
            self._registered,
        ):
            table.forget_before(time)

    # how it is known

    def _files(self, lives: np.ndarray, times: np.ndarray) -> Files:
        settled = self._lives.settled(lives)
        numbers = settled if (settled >= 0).all() else self._lives.resolved(lives)
        distinct, place = _distinct(numbers, len(self._lives.facts))
        first = self._lives.facts.of(distinct)
        is_socket = first.kind == FileKind.SOCKET
        stream = (is_socket & (first.low >> 16 & SOCK_TYPE_MASK == socket.SOCK_STREAM))[place]
        if len(self._streams):
            stream |= self._streams.find(first.inode[place], times)[0]
        return Files(
            lives,
            first.number[place],
            first.mode[place],
            self._lives.facts.flags_at(numbers, times, first.flags[place]),
            first.kind[place],
            stream,
            settled >= 0,
        )

    def _births(self, births: fields.Births) -> None:
        """The process of each thread, and the time when it was adopted."""
        if not len(births):
            return
        tid, time = births.tid.astype(np.int64), births.time
        self._processes.add(tid, time, births.tgid)
        adopted = births.adopted
        was_adopted = adopted > 0
        self._adopted.add(tid[was_adopted], time[was_adopted], adopted[was_adopted])

    def _ends(self, calls: Calls, args: fields.Arguments) -> Ends:
        """The closes; those that left no record of the call have told their argument."""
        closes = calls.take((calls.nr == self._close) & (calls.result != -errno.EBADF))
        told = args.where(args.number == self._close)
        tid, fd, start, end = (
            np.concatenate(columns)
            for columns in (
                (closes.tid, told.tid),
                (closes.fd, told.first),
                (closes.start, told.time),
                (closes.end, told.time),
            )
        )
        versions = self._tables.at(tid, self.process_of(tid, end), end)
        return Ends(versions, fd.astype(np.int64), start, end)

    def _learn(
        self, learnt: fields.Descriptors, facts: FileFacts, calls: CallDetails, ends: Ends
    ) -> None:
        """The file behind each descriptor; calls: the call after which each descriptor was looked at."""
        order = np.argsort(learnt.time, kind="stable")
        learnt, facts, calls = learnt.where(order), facts.take(order), calls.take(order)
        tid, time, fd = learnt.tid.astype(np.int64), learnt.time, learnt.fd.astype(np.int64)
        tgid = self.process_of(tid, time)
        versions = self._tables.at(tid, tgid, time)
        looks = self._looks(learnt, facts, calls)
        given = (calls.fd == fd) | (calls.nr == self._epoll_ctl)
        given |= self._with_second[calls.nr] & (calls.arg.astype(np.int64) == fd)
        opened = ~learnt.was_open & ~(self._give_back[calls.nr] & given)
        opened &= ~((facts.magic < 0) & self._look_at[calls.nr] & given)
        opens, old = np.flatnonzero(opened), np.flatnonzero(~opened)
        used_since = np.where(given & (calls.nr >= 0), calls.start, time)
        numbers = np.empty(len(tid), np.int64)
        numbers[opens], numbers[old] = self._lives.feed(
            (versions[opens], fd[opens], looks.take(opens)),
            ends,
            (versions[old], fd[old], used_since[old], looks.take(old)),
        )
        creates = opened & ~self._share[calls.nr]
        self._open_files.feed(numbers, looks, creates, self._pair_of(tid, calls, opened))
        by_socket_call, socket_call = self._opened.find(_key(tgid, fd), time)
        accepted = self._accepts[calls.nr] & (calls.result == fd)
        stream = accepted | (by_socket_call & (socket_call[:, 0] == calls.start))
        self._set(self._streams, stream, learnt.inode, time, np.ones(len(tid), np.int64))

    def _looks(self, learnt: fields.Descriptors, facts: FileFacts, calls: CallDetails) -> Looks:
        """The records as looks. Where no FILE record told more, the call that opened the file tells its kind."""
        inode, mode, mark = learnt.inode, learnt.mode.astype(np.int64), learnt.mark
        kinds = kinds_of(mode, facts.magic, facts.low)
        made = _made()[calls.nr]
        by_call = (facts.magic < 0) & (made > 0) & (calls.result == learnt.fd)
        kinds = np.where(by_call, made, kinds)
        anonymous = is_anonymous(facts.magic)
        numbers = self.numbers.of(inode, mark, np.where(anonymous, facts.low, 0), kinds)
        return Looks(
            learnt.time,
            learnt.flags,
            learnt.closes_on_exec.astype(np.int64),
            numbers,
            inode,
            mode,
            kinds,
            mark,
            facts.open_file,
            facts.low,
            facts.high,
            anonymous.astype(np.int64),
        )

    def _pair_of(self, tids: np.ndarray, calls: CallDetails, opened: np.ndarray) -> np.ndarray:
        """Of each look the row of the other descriptor that the same call opened, -1 for none."""
        pair = np.full(len(tids), -1)
        rows = np.flatnonzero(opened & self._pairs[calls.nr])
        rows = rows[np.lexsort((calls.start[rows], tids[rows]))]
        same = (tids[rows[1:]] == tids[rows[:-1]]) & (
            calls.start[rows[1:]] == calls.start[rows[:-1]]
        )
        first, second = rows[:-1][same], rows[1:][same]
        pair[first], pair[second] = second, first
        return pair

    def _set_up(self, args: fields.Arguments, calls: CallDetails) -> None:
        """What calls set up: a stream socket, O_ASYNC."""
        time, number = args.time, args.number
        tgid = self.process_of(args.tid, time)
        stream = (number == self._socket) & (args.second & SOCK_TYPE_MASK == socket.SOCK_STREAM)
        self._set(self._opened, stream, _key(tgid, calls.result), time, calls.start)
        arms = (args.second == fcntl.F_SETFL) & (args.third & os.O_ASYNC != 0)
        self._set(self._armed, (number == self._fcntl) & arms, tgid, time, time)

    def _register(self, args: fields.Arguments) -> None:
        """Registrations with epoll, of the descriptors' lives."""
        if not len(args):
            return
        time, fd = args.time, args.third
        keys = _registration(self.process_of(args.tid, time), args.first.astype(np.int64), fd)
        self._registered.add(keys, time, args.fourth, self.lives(args.tid, fd, time))

    @staticmethod
    def _set(
        table: AsOf, mask: np.ndarray, keys: np.ndarray, times: np.ndarray, *values: np.ndarray
    ) -> None:
        if mask.any():
            table.add(keys[mask], times[mask], *(value[mask] for value in values))


def _distinct(numbers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(the distinct ones of numbers from -1 to count - 1, ascending; of each number its place among them), without a
    sort."""
    seen = np.zeros(count + 1, bool)
    seen[numbers] = True  # -1: the last
    distinct = np.flatnonzero(seen)
    places = np.empty(count + 1, np.int64)
    places[distinct] = np.arange(len(distinct))
    return np.where(distinct == count, -1, distinct), places[numbers]


@cache
def _made() -> np.ndarray:
    """By number of a call the kind of file that it makes; UNKNOWN also for -1."""
    kinds = np.full(1 << 16, FileKind.UNKNOWN, np.int64)
    for call, kind in MAKERS.items():
        kinds[syscalls.numbers()[call]] = kind
    return kinds


def _key(tgids: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """Process and descriptor as one number."""
    key: np.ndarray = tgids << 32 | fds & 0xFFFFFFFF
    return key


def _registration(tgids: np.ndarray, watchers: np.ndarray, fds: np.ndarray) -> np.ndarray:
    """Process (22 bits, the most that pid_max allows), epoll descriptor and descriptor (20 bits each) as one number."""
    key: np.ndarray = tgids << 40 | (watchers & 0xFFFFF) << 20 | fds & 0xFFFFF
    return key
