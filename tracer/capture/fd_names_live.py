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
from typing import NamedTuple, TypedDict

import numpy as np

from tracer.kernel import proc_net
from tracer.kernel.proc import Descriptor, Process
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Descriptors, WakerNames
from tracer.recording.records import text_of

MOST = 100_000  # names kept in a recording
_MOST_NOTED = 100_000  # files that wait for being looked up


class FileName(TypedDict):
    """A file that a process had open, as a recording keeps it."""

    pid: int
    fd: int
    inode: int
    name: str
    flags: int


class _Noted(NamedTuple):
    """A descriptor that a record told of."""

    tid: int
    fd: int
    inode: int
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
        self._known: set[tuple[int, int]] = set()
        # what was opened just now goes first: it may soon be closed
        self._opened: deque[_Noted] = deque(maxlen=_MOST_NOTED)
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
                self.comms[tid] = text_of(low, high)
        told = Descriptors.of(records)
        was_open = told.was_open
        self._opened.extend(_noted(told.where(~was_open & ~_is(told, stat.S_IFSOCK, stat.S_IFIFO))))
        self._was_open.extend(_noted(told.where(was_open)))

    def catch_up(self, seconds: float) -> bool:
        """Looks noted files up, for so long; returns whether none is left."""
        until = time.monotonic() + seconds
        for queue in (self._opened, self._was_open):
            while queue:
                self._look_up(queue.popleft(), queue is self._was_open)
                if time.monotonic() > until:
                    return not (self._opened or self._was_open)
        return True

    def _look_up(self, noted: _Noted, was_open: bool) -> None:
        tid, fd, inode, mode = noted
        pid = None if (inode, fd) in self._known else self._in_proc(tid)
        if pid is None:
            return
        if stat.S_ISSOCK(mode):
            if name := self._socket(pid, inode):
                self._keep(tid, fd, inode, name, 0)
            return
        looked_ns, file = time.monotonic_ns(), Process(pid).descriptor(fd)
        # else it is closed already, and the number is another file's
        if file and file.inode == inode:
            self._keep(tid, fd, inode, file.name, file.flags)
            if was_open and file.epoll:
                self.on_epoll(looked_ns, tid, file)

    def _socket(self, pid: int, inode: int) -> str | None:
        """A socket's name from the tables of the process's network namespace, which are read once."""
        net = Path(f"/proc/{pid}/net")
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/net")
        except OSError:
            return None
        if namespace not in self._sockets:
            self._sockets[namespace] = proc_net.names(net)
        return self._sockets[namespace].get(inode)

    def _keep(self, pid: int, fd: int, inode: int, name: str, flags: int) -> None:
        if (inode, fd) not in self._known and len(self.files) < MOST:
            self._known.add((inode, fd))
            self.files.append({"pid": pid, "fd": fd, "inode": inode, "name": name, "flags": flags})


def _is(told: Descriptors, *kinds: int) -> np.ndarray:
    """bool[n]: whether each is a file of one of these kinds (S_IF*)."""
    is_one: np.ndarray = np.isin(told.mode & stat.S_IFMT(0xFFFF), kinds)
    return is_one


def _noted(told: Descriptors) -> list[_Noted]:
    columns = (told.tid, told.fd, told.inode, told.mode)
    return list(map(_Noted, *(column.tolist() for column in columns)))
