"""Names for descriptors while their files are open: what /proc/PID/fd/N points at, by inode, since a number is used
again (man proc_pid_fd(5)). Sockets' addresses come from the probes too (KIND_ADDRESS).

Looking into /proc takes longer than a program takes to open files. So what the drained records tell of is only noted,
and looked up beside the drain, as many files as there is time for.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np

from tracer import text
from tracer.kernel import proc_net
from tracer.kernel.proc import Descriptor, Process
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Descriptors, Paths, WakerNames
from tracer.recording.records import bytes_of

MOST = 100_000  # names kept in a recording
_MOST_NOTED = 100_000  # files that wait for being looked up


class FileName(TypedDict):
    """A file that a process had open, as a recording keeps it. mark: Descriptors.mark, where a record told it."""

    pid: int
    fd: int
    inode: int
    name: str
    flags: int
    mark: NotRequired[int]


class _Noted(NamedTuple):
    """A descriptor that a record told of."""

    tid: int
    fd: int
    inode: int
    mark: int
    mode: int


class Names:
    """Collects `files`: one dict {pid, fd, inode, name, flags} for each file that was found open; and `comms`: thread
    → name of those that woke a traced one.

    in_proc: the number under which /proc has a thread of the records, None if it is not known.
    on_epoll: called with the time (ns) before an epoll instance that was open already was looked at, the ID of a thread
    that has it, and the instance.
    """

    def __init__(
        self,
        in_proc: Callable[[int], int | None] = lambda tid: tid,
        on_epoll: Callable[[int, int, Descriptor], None] = lambda looked_ns, tid, epoll: None,
    ) -> None:
        self.files: list[FileName] = []
        self.comms: dict[int, str | None] = {}
        self._in_proc, self.on_epoll = in_proc, on_epoll
        self._known: set[tuple[int, int | None, int]] = set()  # inode, mark, descriptor
        # In this order: what was opened just now may soon be closed, and a relative path, which the probes told, says
        # less than an absolute one. Of these two the probes tell a name in any case (KIND_PATH, KIND_FILE).
        self._relative: deque[_Noted] = deque(maxlen=_MOST_NOTED)
        self._absolute: deque[_Noted] = deque(maxlen=_MOST_NOTED)
        self._was_open: deque[_Noted] = deque(maxlen=_MOST_NOTED)
        self._sockets: dict[str, dict[int, str]] = {}  # network namespace → inode → name

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
        """Records as they come: notes the files that they tell of, for `catch_up`."""
        wakers = WakerNames.of(records)
        for tid, low, high in zip(
            wakers.tid.tolist(), wakers.low.tolist(), wakers.high.tolist(), strict=True
        ):
            if tid in self.comms or len(self.comms) < MOST:
                self.comms[tid] = text.shown(bytes_of(low, high))
        told = Descriptors.of(records)
        if not len(told):
            return
        was_open = told.was_open
        self._was_open.extend(_noted(told.where(was_open)))
        kinds = told.mode & stat.S_IFMT(0xFFFF)
        named = told.where(~was_open & ~np.isin(kinds, (stat.S_IFSOCK, stat.S_IFIFO, 0)))
        absolute = _opened_by_absolute_path(records)
        for noted in _noted(named):
            queue = self._absolute if noted[:2] in absolute else self._relative
            queue.append(noted)

    def catch_up(self, seconds: float) -> bool:
        """Looks noted files up, for so long; returns whether none is left."""
        until = time.monotonic() + seconds
        for queue in (self._relative, self._absolute, self._was_open):
            while queue:
                self._look_up(queue.popleft(), queue is self._was_open)
                if time.monotonic() > until:
                    return not (self._relative or self._absolute or self._was_open)
        return True

    def _look_up(self, noted: _Noted, was_open: bool) -> None:
        tid, fd, inode, mark, mode = noted
        pid = None if (inode, mark, fd) in self._known else self._in_proc(tid)
        if pid is None:
            return
        if stat.S_ISSOCK(mode):
            if name := self._socket(pid, inode):
                self._keep(tid, fd, inode, name, 0, mark)
            return
        looked_ns, file = time.monotonic_ns(), Process(pid).descriptor(fd)
        # else it is closed already, and the number is another file's
        if file and file.inode == inode:
            self._keep(tid, fd, inode, file.name, file.flags, mark)
            if was_open and file.epoll:
                self.on_epoll(looked_ns, tid, file)

    def _socket(self, pid: int, inode: int) -> str | None:
        """A socket's name from the tables of the process's network namespace, which are read once."""
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/net")
        except OSError:
            return None
        if namespace not in self._sockets:
            self._sockets[namespace] = proc_net.names(Path(f"/proc/{pid}/net"))
        return self._sockets[namespace].get(inode)

    def _keep(
        self, pid: int, fd: int, inode: int, name: str, flags: int, mark: int | None = None
    ) -> None:
        key = inode, mark, fd
        if key in self._known or len(self.files) >= MOST:
            return
        self._known.add(key)
        file: FileName = {"pid": pid, "fd": fd, "inode": inode, "name": name, "flags": flags}
        self.files.append(file if mark is None else {**file, "mark": mark})


def _noted(told: Descriptors) -> list[_Noted]:
    columns = (told.tid, told.fd, told.inode, told.mark, told.mode)
    return list(map(_Noted, *(column.tolist() for column in columns)))


def _opened_by_absolute_path(records: RecordBatch) -> set[tuple[int, int]]:
    """(thread, descriptor) of the files that these records say were opened so."""
    paths = Paths.of(records)
    first = paths.where((paths.piece == 0) & (paths.low & 0xFF == ord("/")))
    return set(zip(first.tid.tolist(), first.fd.tolist(), strict=True))
