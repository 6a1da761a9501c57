"""The name of a descriptor at a time of a recording, record by record: what the listing shows. (Whole recordings are
named by file_names.)"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracer.analysis.identity import naming
from tracer.analysis.identity.descriptor_tables import (
    CLONE_FILES,
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
)
from tracer.analysis.identity.made import MAKERS, SHARE
from tracer.analysis.identity.open_files import FileKind, kinds_of
from tracer.analysis.tables.number_set import number_set
from tracer.kernel import syscalls
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Row
from tracer.recording.records import Kind, bytes_of

_ADDRESS = ("low", "high", "port")


@dataclass(frozen=True)
class _File:
    """What is known of a descriptor. from_path: its name is the path by which it was opened, or none."""

    inode: int
    name: str
    closes_on_exec: bool
    from_path: bool = False


_Table = dict[int, _File]


class FdNames:
    """Learns from records in time order; facts: the metadata of the recording, with the files that were listed in
    /proc."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._files = {
            (file["fd"], file["inode"]): file["name"]
            for file in facts.get("files") or []
            if not file["name"].startswith(("socket:[", "inode:["))
        }
        self._process: dict[int, int] = {}
        self._tables: dict[
            int, _Table
        ] = {}  # thread → its table; those that share one have the same
        self._made: dict[
            int, tuple[int, int, int]
        ] = {}  # thread → number, result, argument of its last such call
        self._told: dict[int, tuple[int, ...]] = {}  # thread → its last FILE record
        self._by_inode: dict[int, str] = {}  # of sockets with addresses
        # thread → (descriptor, the bytes so far) of the path by which it was opened
        self._paths: dict[int, tuple[int, bytes]] = {}
        self._local: tuple[str, int] = ("", 0)
        numbers = syscalls.numbers()
        self._makers = {numbers[call]: kind for call, kind in MAKERS.items()}
        self._share = set(syscalls.class_numbers(SHARE))
        self._close, self._close_range, self._unshare = (
            numbers[name] for name in ("close", "close_range", "unshare")
        )
        self._calls = number_set((*self._makers, *self._share, self._close))
        self._args = number_set((self._close, self._close_range, self._unshare))

    def name(self, tid: int, fd: int) -> str | None:
        """The name of the descriptor in the thread's table now, None where it was never seen, or is closed."""
        file = self._of(tid).get(fd)
        return file.name if file else None

    def feed(self, batch: RecordBatch) -> None:
        """A batch in time order."""
        for lesson in self.lessons(batch):
            self.learn(lesson)

    def lessons(self, batch: RecordBatch) -> Iterator[Row]:
        """The records of a batch that `learn` takes, in order."""
        calls = fields.Calls(batch, np.flatnonzero(batch.kind == Kind.CALL))
        args, files = fields.Arguments.of(batch), fields.Files.of(batch)
        return fields.each(
            (calls.where(self._calls[calls.number]), ("tid", "number", "result", "fd")),
            (args.where(self._args[args.number]), ("tid", "number", "first", "second", "third")),
            (files.where(files.fd >= 0), ("tid", "fd", "magic", "low", "high")),
            (
                fields.Descriptors.of(batch),
                ("tid", "fd", "inode", "mode", "was_open", "closes_on_exec"),
            ),
            (
                fields.Addresses.of(batch),
                ("tid", "fd", "remote", "family", "socket_type", *_ADDRESS),
            ),
            (fields.Paths.of(batch), ("tid", "fd", "piece", "low", "high")),
            (fields.Births.of(batch), ("tid", "tgid", "creator", "clone_flags")),
            (fields.Executions.of(batch), ("tid",)),
        )

    def learn(self, lesson: Row) -> bool:
        """Takes one of `lessons`. Whether it was about a descriptor of that thread."""
        _, view, values = lesson
        takes: dict[type[fields.View], Callable[..., None]] = {
            fields.Calls: self._call,
            fields.Arguments: self._many,
            fields.Files: self._tell,
            fields.Descriptors: self._describe,
            fields.Addresses: self._address,
            fields.Paths: self._path,
            fields.Births: self._born,
            fields.Executions: self._execute,
        }
        takes[view](*values)
        return view in (fields.Descriptors, fields.Addresses, fields.Paths)

    def _call(self, tid: int, number: int, result: int, fd: int) -> None:
        if number != self._close:
            self._made[tid] = (number, result, fd)
        elif result != -errno.EBADF:
            self._of(tid).pop(fd, None)

    def _many(self, tid: int, number: int, first: int, second: int, third: int) -> None:
        if number == self._close:  # of which there is no other record
            self._of(tid).pop(first, None)
            return
        unshares = first & CLONE_FILES if number == self._unshare else third & CLOSE_RANGE_UNSHARE
        if unshares:
            self._tables[tid] = dict(self._of(tid))
        if number == self._close_range:
            table, last = self._of(tid), second & 0xFFFFFFFF
            for fd in [fd for fd in table if first <= fd <= last]:
                if third & CLOSE_RANGE_CLOEXEC:
                    table[fd] = replace(table[fd], closes_on_exec=True)
                else:
                    del table[fd]

    def _tell(self, tid: int, *told: int) -> None:
        self._told[tid] = told

    def _describe(
        self, tid: int, fd: int, inode: int, mode: int, was_open: bool, closes: bool
    ) -> None:
        told_fd, *told = self._told.pop(tid, (-1, -1, 0, 0))
        told = told if told_fd == fd else [-1, 0, 0]
        number, result, given = self._made.pop(tid, (-1, -1, -1))
        table = self._of(tid)
        before = table.get(fd)
        if before and before.inode == inode and (was_open or told_fd != fd) and result != fd:
            table[fd] = replace(before, closes_on_exec=closes)
            return
        source = table.get(given) if result == fd and number in self._share else None
        if source and source.inode == inode:
            table[fd] = replace(source, closes_on_exec=closes)
            return
        kind = self._makers.get(number) if result == fd and told[0] < 0 else None
        name, from_path = self._new(fd, inode, mode, kind, *told)
        table[fd] = _File(inode, name, closes, from_path)

    def _new(
        self, fd: int, inode: int, mode: int, kind: int | None, magic: int, low: int, high: int
    ) -> tuple[str, bool]:
        """(name, whether a path that follows is better)."""
        words = (np.array([word]) for word in (mode, magic, low))
        kind = kind or int(kinds_of(*words)[0])
        listed = self._files.get((fd, inode))
        if kind == FileKind.SOCKET:
            facts = naming.SocketFacts.of(low, high)
            shown = facts.shown(inode) if facts.family else f"socket:[{inode}]"
            return self._by_inode.get(inode) or listed or shown, False
        own = naming.named(naming.as_bytes(low, high), kind)
        if naming.is_kernels(kind) and own:
            return own, False
        if listed:
            return listed, False
        return own or naming.unnamed(mode, inode), kind != FileKind.PIPE or not own

    def _address(
        self, tid: int, fd: int, remote: int, family: int, kind: int, low: int, high: int, port: int
    ) -> None:
        address = naming.host(family, low, high), port
        if not remote:
            self._local = address
            return
        name = naming.addressed(naming.protocol_of(family, kind), self._local, address)
        file = self._of(tid).get(fd)
        inode = file.inode if file else 0
        if inode:
            self._by_inode[inode] = name
        self._of(tid)[fd] = _File(inode, name, bool(file and file.closes_on_exec))

    def _path(self, tid: int, fd: int, piece: int, low: int, high: int) -> None:
        """A name from /proc is better than the path that the program passed."""
        file = self._of(tid).get(fd)
        if not (file and file.from_path):
            return
        # pieces are joined as bytes: a character may lie in two of them
        of, path = self._paths.get(tid, (fd, b"")) if piece else (fd, b"")
        if of == fd:
            path += bytes_of(low, high)
            self._paths[tid] = fd, path
            self._of(tid)[fd] = replace(file, name=naming.path_shown(path))

    def _born(self, tid: int, tgid: int, creator: int, clone_flags: int) -> None:
        self._process[tid] = tgid
        if creator <= 0:
            return
        inside = self._process.get(creator, creator) == tgid
        if clone_flags & CLONE_FILES or (inside and not clone_flags):
            self._tables[tid] = self._of(creator)
        else:
            self._tables[tid] = dict(self._of(creator))

    def _execute(self, tid: int) -> None:
        self._tables[tid] = {
            fd: file for fd, file in self._of(tid).items() if not file.closes_on_exec
        }

    def _of(self, tid: int) -> _Table:
        """The thread's table. Where nothing said how it was created, that of its process's leader."""
        table = self._tables.get(tid)
        if table is None:
            leader = self._process.get(tid, tid)
            table = self._tables.setdefault(leader, {})
            self._tables[tid] = table
        return table
