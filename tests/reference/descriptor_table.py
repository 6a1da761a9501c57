"""A kernel's tables of descriptors in plain Python, run by made-up programs: what each write went to, and the records
that the probes would have written of it all.

Each call takes effect at a time between its entry and its exit; calls of several threads overlap. A look at a
descriptor happens at the exit of a call, as in probes/descriptors.bpf.c.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from support.records_builder import Trace

from tracer.recording.records import CLOSES_ON_EXEC, WAS_OPEN, Kind

CLONE_FILES, CLONE_THREAD = 0x400, 0x10000
TMPFS, ANON_INODE = 0x1896, 0x1030
ANONYMOUS_INODE, REUSED_INODE = 7, 8
EBADF = -9
SIZE = 10  # bytes of a write


@dataclass(frozen=True)
class File:
    """An open file. number: of the open file; name: as its FILE record has it; mark: of its inode."""

    number: int
    inode: int
    name: bytes
    mark: int
    mode: int
    magic: int

    @property
    def shown(self) -> str:
        return ("anon_inode:" if self.magic == ANON_INODE else "") + self.name.decode()


@dataclass
class Entry:
    """A descriptor. known: whether a program can know of it: the call that opened it has returned."""

    file: File
    closes_on_exec: bool = False
    known: bool = True


@dataclass
class Table:
    """fds: descriptor → entry; told: descriptor → what a record said of it last, while nothing was closed."""

    fds: dict[int, Entry] = field(default_factory=dict)
    told: dict[int, tuple[int, bool]] = field(default_factory=dict)

    def copied(self) -> Table:
        entries = {fd: Entry(e.file, e.closes_on_exec, e.known) for fd, e in self.fds.items()}
        return Table(entries)

    def lowest_free(self) -> int:
        return next(fd for fd in count(3) if fd not in self.fds)


@dataclass
class Thread:
    """busy: the call that it is in, as (entry, what happens at its exit)."""

    tid: int
    tgid: int
    table: Table
    returned: int = 0


class Machine:
    """Threads that do what they are told, one effect after the other, and the records of it.

    writes: process, descriptor, file's name → number of writes that went there. untold: process and descriptor → how
    many of them went to a file that was gone from there before any record told of it.
    """

    def __init__(self, open_before: int) -> None:
        self.trace = Trace()
        self.trace.rows.clear()
        self.now = 1000
        self.writes: Counter[tuple[int, int, str]] = Counter()
        self.untold: Counter[tuple[int, int]] = Counter()
        self._numbers = count(1)
        self._ids = count(101)
        self._leaving: list[tuple[int, Thread, object]] = []
        table = Table({fd: Entry(self.new_file(fd)) for fd in range(3, 3 + open_before)})
        self.threads = [Thread(100, 100, table)]
        self.trace.add(Kind.START, 1, tid=100, result=100)

    def new_file(self, kind: int) -> File:
        """Kinds: a file with an inode of its own, one whose inode number was used before, two anonymous ones."""
        number = next(self._numbers)
        if kind % 4 == 0:
            return File(number, 1000 + number, b"f%d" % number, number, 0o100644, TMPFS)
        if kind % 4 == 1:
            return File(number, REUSED_INODE, b"r%d" % number, number, 0o100644, TMPFS)
        name = b"[eventfd]" if kind % 4 == 2 else b"inotify"
        return File(number, ANONYMOUS_INODE, name, 5, 0o600, ANON_INODE)

    def ready(self) -> list[Thread]:
        """The threads that are in no call."""
        busy = [thread for _, thread, _ in self._leaving]
        return [thread for thread in self.threads if thread not in busy]

    def step(self, ticks: int) -> None:
        """Time passes: calls return."""
        self.now += ticks
        self._leave(self.now)

    def settle(self) -> None:
        """All calls return."""
        self._leave(1 << 60)

    def __repr__(self) -> str:
        names = ("time", "start", "result", "tid", "kind", "nr", "fd", "arg")
        rows = (dict(zip(names, row, strict=True)) for row in sorted(self.trace.rows))
        return "\n".join(
            " ".join(f"{name}={value}" for name, value in row.items())
            for row in ({**row, "kind": Kind(row["kind"]).name} for row in rows)
        )

    # calls

    def write(self, thread: Thread, fd: int, lasts: int) -> None:
        """The file is looked up at the entry."""
        entry = thread.table.fds.get(fd)
        result = SIZE if entry and entry.known else EBADF
        if entry and not entry.known:  # no program can know of it yet
            return
        if entry:
            self.writes[thread.tgid, fd, entry.file.shown] += 1
        start, was_told = self.now, entry and self._is_told(thread, fd, entry)

        def leaves(end: int) -> None:
            self.trace.call("write", start, end, result, fd=fd, tid=thread.tid)
            self._look(thread, fd, end, opened=False)
            if entry and not was_told and not self._is_told(thread, fd, entry):
                self.untold[thread.tgid, fd] += 1

        self._begin(thread, lasts, leaves)

    def open(self, thread: Thread, kind: int, lasts: int, closes_on_exec: bool, seen: bool) -> None:
        """seen: by a call that the probes learn from."""
        start, fd = self.now - 3, thread.table.lowest_free()
        entry = Entry(self.new_file(kind), closes_on_exec, known=False)
        thread.table.fds[fd] = entry

        def leaves(end: int) -> None:
            entry.known = True
            self.trace.call(
                "openat" if seen else "getppid", start, end, fd, fd=-100, tid=thread.tid
            )
            if seen:
                self._look(thread, fd, end, opened=True)

        self._begin(thread, lasts, leaves)

    def close(self, thread: Thread, fd: int, lasts: int) -> None:
        start, table = self.now - 3, thread.table
        result = 0 if table.fds.pop(fd, None) else EBADF

        def leaves(end: int) -> None:
            self.trace.call("close", start, end, result, fd=fd, tid=thread.tid)
            if not result:
                table.told.pop(fd, None)

        self._begin(thread, lasts, leaves)

    def dup2(self, thread: Thread, old: int, new: int) -> None:
        self.settle()
        entry = thread.table.fds.get(old)
        if entry is None:
            return
        if old != new:
            thread.table.fds[new] = Entry(entry.file)
        end = self._at_once(thread, "dup2", new, fd=old)
        self._look(thread, old, end, opened=False)
        self._look(thread, new, end + 2, opened=True)

    def set_close_on_exec(self, thread: Thread, fd: int, closes: bool) -> None:
        self.settle()
        entry = thread.table.fds.get(fd)
        if entry:
            entry.closes_on_exec = closes
            self._look(thread, fd, self._at_once(thread, "fcntl", 0, fd=fd, arg=2), opened=False)

    def clone(self, thread: Thread, flags: int) -> None:
        self.settle()
        tid = next(self._ids)
        table = thread.table if flags & CLONE_FILES else thread.table.copied()
        tgid = thread.tgid if flags & CLONE_THREAD else tid
        self.threads.append(Thread(tid, tgid, table, self.now))
        self.trace.add(Kind.THREAD, self.now, start=flags, tid=tid, fd=thread.tid, result=tgid)
        self.step(1)

    def unshare(self, thread: Thread) -> None:
        self.settle()
        thread.table = thread.table.copied()
        end = self._at_once(thread, "unshare", 0, fd=CLONE_FILES)
        self.trace.args("unshare", end, 0, 0, first=CLONE_FILES, tid=thread.tid)

    def close_range(self, thread: Thread, first: int, last: int, flags: int) -> None:
        """flags: 2 CLOSE_RANGE_UNSHARE, 4 CLOSE_RANGE_CLOEXEC."""
        self.settle()
        if flags & 2:
            thread.table = thread.table.copied()
        for fd in [fd for fd in thread.table.fds if first <= fd <= last]:
            if flags & 4:
                thread.table.fds[fd].closes_on_exec = True
            else:
                del thread.table.fds[fd]
        thread.table.told.clear()
        end = self._at_once(thread, "close_range", 0, fd=first)
        self.trace.args("close_range", end, last, flags, first=first, tid=thread.tid)

    def execute(self, thread: Thread) -> None:
        """The leader executes another program: its other threads end."""
        self.settle()
        if thread.tid != thread.tgid:
            return
        for other in [t for t in self.threads if t.tgid == thread.tgid and t is not thread]:
            self.threads.remove(other)
            self.trace.add(Kind.EXIT, self.now, tid=other.tid, result=other.tgid)
            self.now += 1
        thread.table = thread.table.copied()
        for fd in [fd for fd, entry in thread.table.fds.items() if entry.closes_on_exec]:
            del thread.table.fds[fd]
        end = self._at_once(thread, "execve", 0, fd=0)
        self.trace.add(Kind.EXEC, end, tid=thread.tid, result=thread.tgid, arg=0x33)

    # how it is done

    def _begin(self, thread: Thread, lasts: int, leaves: object) -> None:
        self._leaving.append((self.now + lasts, thread, leaves))
        self.step(4)

    def _leave(self, until: int) -> None:
        due = sorted((its for its in self._leaving if its[0] <= until), key=lambda its: its[0])
        self._leaving = [its for its in self._leaving if its[0] > until]
        for end, _, leaves in due:
            leaves(end)  # type: ignore[operator]  # a closure of the methods above
            self.now = max(self.now, end + 4)

    def _at_once(self, thread: Thread, name: str, result: int, *, fd: int, arg: int = 0) -> int:
        """A call with which no other overlaps; its exit."""
        self.trace.call(name, self.now, self.now + 2, result, fd=fd, tid=thread.tid, arg=arg)
        self.now += 10
        return self.now - 8

    @staticmethod
    def _is_told(thread: Thread, fd: int, entry: Entry) -> bool:
        told = thread.table.told.get(fd)
        return told is not None and told[0] == entry.file.number

    def _look(self, thread: Thread, fd: int, end: int, *, opened: bool) -> None:
        entry, told = thread.table.fds.get(fd), thread.table.told.get(fd)
        if entry is None:
            return
        file, state = entry.file, (entry.file.number, entry.closes_on_exec)
        if not opened and told == state:
            return
        thread.table.told[fd] = state
        where = {"tid": thread.tid, "fd": fd}
        if opened or told is None or told[0] != file.number:
            low, high = (
                int.from_bytes(file.name[i : i + 8].ljust(8, b"\0"), "little") for i in (0, 8)
            )
            self.trace.add(
                Kind.FILE, end, start=low, result=high, nr=file.magic, arg=file.number, **where
            )
        self.trace.add(
            Kind.DESCRIPTOR,
            end + 1,
            start=file.inode,
            result=file.mark << 32 | 2,
            nr=0 if opened else WAS_OPEN,
            arg=file.mode | CLOSES_ON_EXEC * entry.closes_on_exec,
            **where,
        )
