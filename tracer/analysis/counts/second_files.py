"""The other descriptor of splice(2), tee(2), sendfile(2) and copy_file_range(2): what came out of it, or went in."""

from __future__ import annotations

import errno
import stat
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.call_files import CallFile
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import S_IFMT, FileKind
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls

_SECOND = number_set(syscalls.class_numbers(tuple(syscalls.SECOND)))
_INPUT = number_set(syscalls.class_numbers(syscalls.SECOND_IS_INPUT))


class SecondFiles(NamedTuple):
    """Of m of n calls the second descriptor. rows: int64[m], which calls; fd, files: what it is; room: bool[m], whether
    a call that slept, or found nothing to do, lacked room there: from a pipe to a socket."""

    rows: np.ndarray
    fd: np.ndarray
    files: CallFile
    room: np.ndarray

    def for_room(self, count: int) -> np.ndarray:
        """bool[count]: which of all calls lack room in the second descriptor, if they lack anything."""
        lack = np.zeros(count, bool)
        lack[self.rows[self.room]] = True
        return lack

    def columns(self, calls: Calls) -> dict[str, np.ndarray]:
        """What each of these m calls adds to the counts of its second descriptor."""
        came, moved = _INPUT[calls.nr], calls.result > 0
        into, out, size = came & moved, ~came & moved, np.maximum(calls.result, 0)
        eagain = calls.result == -errno.EAGAIN
        return {
            "receives": into,
            "received_messages": into,
            "received_bytes": into * size,
            "sends": out,
            "sent_messages": out,
            "sent_bytes": out * size,
            "send_again": self.room * eagain * calls.count,
            "sends_blocked": self.room & (calls.slept > 0),
            "send_slept_ns": self.room * calls.slept,
        }


def moves(calls: Calls, files: CallFile, identity: Identity) -> SecondFiles:
    """The second descriptors of those calls that have one and did something with it, or lacked room there. files: what
    argument 0 of each call is."""
    rows = np.flatnonzero(_SECOND[calls.nr])
    mine = calls.take(rows)
    fd = mine.arg.astype(np.int64)
    known = identity.files(mine.tid, fd, mine.start)
    from_pipe = files.mode[rows] & S_IFMT == stat.S_IFIFO
    room = ~_INPUT[mine.nr] & from_pipe & (known.kind == FileKind.SOCKET)
    told = (mine.result > 0) | room & (mine.result == -errno.EAGAIN)
    known = known.take(told)
    life = np.where(known.settled, 0, known.life)
    second = CallFile(
        files.tgid[rows][told], known.number, known.mode, life, known.flags, known.kind
    )
    return SecondFiles(rows[told], fd[told], second, room[told])
