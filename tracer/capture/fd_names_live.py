"""Names for descriptors while their files are open: what /proc/PID/fd/N points at, by inode, since a number is used
again (man proc_pid_fd(5)). Sockets' addresses come from the probes too (KIND_ADDRESS)."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from typing import NotRequired, TypedDict

import numpy as np

from tracer.kernel.proc import Descriptor, Process, name_of
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Descriptors, Paths, Wakings

MOST = 100_000  # names kept in a recording
MOST_NS = 2_000_000  # of a drain for names of files: the ring fills up meanwhile


class FileName(TypedDict):
    """A file that a process had open, as a recording keeps it. mark: Descriptors.mark, where a record told it."""

    pid: int
    fd: int
    inode: int
    name: str
    flags: int
    mark: NotRequired[int]


class Names:
    """Collects `files`: one dict {pid, fd, inode, name, flags} for each file that was found open; and `comms`: thread
    → name of those that woke a traced one."""

    def __init__(self) -> None:
        self.files: list[FileName] = []
        self.comms: dict[int, str | None] = {}
        self._known: set[tuple[int, int | None, int]] = set()  # inode, mark, descriptor

    def look(self, pid: int, drain: Callable[[], None] = lambda: None) -> list[Descriptor]:
        """All files that a process has open now, [] if it has ended. drain: called now and then to empty the ring."""
        try:
            descriptors = Process(pid).descriptors(drain)
        except OSError:
            return []
        for file in descriptors:
            self._keep(pid, file.fd, file.inode, file.name, file.flags)
        return descriptors

    def feed(self, records: RecordBatch) -> None:
        """Records as they come: files that were opened just now and are named by a path are looked up at once, as many
        as there is time for. The others have the path that the program passed (KIND_PATH), or their last name
        (KIND_FILE): relative paths, which say less, come first."""
        for tid in np.unique(Wakings.of(records).waker).tolist():
            if tid > 0 and tid not in self.comms and len(self.comms) < MOST:
                self.comms[tid] = name_of(tid)
        opened = Descriptors.of(records)
        kinds = opened.mode & stat.S_IFMT(0xFFFF)
        named = opened.where(~np.isin(kinds, (stat.S_IFSOCK, stat.S_IFIFO, 0)))
        if not len(named):
            return
        columns = (named.tid, named.fd, named.inode, named.mark)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        absolute = _opened_by_absolute_path(records)
        deadline = time.monotonic_ns() + MOST_NS
        for tid, fd, inode, mark in sorted(rows, key=lambda row: row[:2] in absolute):
            if (inode, mark, fd) in self._known:
                continue
            if time.monotonic_ns() > deadline:
                break
            file = Process(tid).descriptor(fd)
            # else it is closed already, and the number is another file's
            if file and file.inode == inode:
                self._keep(tid, fd, inode, file.name, file.flags, mark)

    def _keep(
        self, pid: int, fd: int, inode: int, name: str, flags: int, mark: int | None = None
    ) -> None:
        key = inode, mark, fd
        if key in self._known or len(self.files) >= MOST:
            return
        self._known.add(key)
        file: FileName = {"pid": pid, "fd": fd, "inode": inode, "name": name, "flags": flags}
        self.files.append(file if mark is None else {**file, "mark": mark})


def _opened_by_absolute_path(records: RecordBatch) -> set[tuple[int, int]]:
    """(thread, descriptor) of the files that these records say were opened so."""
    paths = Paths.of(records)
    first = paths.where((paths.piece == 0) & (paths.low & 0xFF == ord("/")))
    return set(zip(first.tid.tolist(), first.fd.tolist(), strict=True))
