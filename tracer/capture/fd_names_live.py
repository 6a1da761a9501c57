"""Names for descriptors while their files are open: what /proc/PID/fd/N points at, by inode, since a number is used
again (man proc_pid_fd(5)). Sockets' addresses come from the probes too (KIND_ADDRESS)."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import TypedDict

import numpy as np

from tracer.kernel.proc import Descriptor, Process, name_of
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Descriptors, Wakings

MOST = 100_000  # names kept in a recording


class FileName(TypedDict):
    """A file that a process had open, as a recording keeps it."""

    pid: int
    fd: int
    inode: int
    name: str
    flags: int


class Names:
    """Collects `files`: one dict {pid, fd, inode, name, flags} for each file that was found open; and `comms`: thread
    → name of those that woke a traced one."""

    def __init__(self) -> None:
        self.files: list[FileName] = []
        self.comms: dict[int, str | None] = {}
        self._known: set[tuple[int, int]] = set()

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
        """Records as they come: files that were opened just now and are named by a path are looked up at once."""
        for tid in np.unique(Wakings.of(records).waker).tolist():
            if tid > 0 and tid not in self.comms and len(self.comms) < MOST:
                self.comms[tid] = name_of(tid)
        opened = Descriptors.of(records)
        kinds = opened.mode & stat.S_IFMT(0xFFFF)
        named = opened.where(~np.isin(kinds, (stat.S_IFSOCK, stat.S_IFIFO)))
        for tid, fd, inode in zip(
            named.tid.tolist(), named.fd.tolist(), named.inode.tolist(), strict=True
        ):
            if (inode, fd) not in self._known:
                file = Process(tid).descriptor(fd)
                # else it is closed already, and the number is another file's
                if file and file.inode == inode:
                    self._keep(tid, fd, inode, file.name, file.flags)

    def _keep(self, pid: int, fd: int, inode: int, name: str, flags: int) -> None:
        if (inode, fd) not in self._known and len(self.files) < MOST:
            self._known.add((inode, fd))
            self.files.append({"pid": pid, "fd": fd, "inode": inode, "name": name, "flags": flags})
