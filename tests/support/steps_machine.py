"""What random programs of steps (tests/live/steps.c) are made of: threads, processes, their tables of descriptors and
what is behind each, as the kernel will have them; and the list of steps as the file that the program reads."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from tracer.kernel import syscalls

AREA = 0x200000000000
ACTORS, STEPS = 64, 64 + 4096 * 64
DATA, SIZE = 8 << 20, 64 << 20
STARTS, LEAVES, PASSES = 64, 128, 256
NEVER = -9999  # the result of a call that has not returned
_STEP = struct.Struct("=IIII6QqII")
_ACTOR = struct.Struct("=6I40x")
ANONYMOUS = ("eventfd", "timerfd", "signalfd", "inotify", "eventpoll")
ON_DATA = ("pipe", "fifo", "stream", "datagram", "seqpacket", "udp", "tcp", "unix")


@dataclass(eq=False)
class File:
    """What has an inode. stat: where the program keeps what fstat(2) said of it."""

    kind: str
    stat: int
    path: int = 0
    size: int = 0
    is_filled: bool | None = None  # of a pipe, whether splice(2) fills it; else it may empty it

    @property
    def is_anonymous(self) -> bool:
        """Whether it shares its inode with others of its kind."""
        return self.kind in ANONYMOUS


@dataclass(eq=False)
class Open:
    """An open file. queue: what can be read, [bytes, the open files passed with them]; peer: where what is written
    goes, None: nowhere."""

    file: File
    queue: list[tuple[int, tuple[Open, ...]]] = field(default_factory=list)
    peer: Open | None = None
    reads: bool = True
    position: int = 0
    watched: set[tuple[Open, int]] = field(default_factory=set)

    @property
    def kind(self) -> str:
        return self.file.kind


@dataclass(eq=False)
class Table:
    """Descriptor → [open file, FD_CLOEXEC]."""

    fds: dict[int, tuple[Open, bool]]

    def lowest(self, least: int = 0) -> int:
        return next(fd for fd in count(least) if fd not in self.fds)

    def copied(self) -> Table:
        return Table(dict(self.fds))


@dataclass(eq=False)
class Process:
    """leader: the thread that has its ID, None once that has ended."""

    leader: Actor | None = None


@dataclass(eq=False)
class Actor:
    """One thread. waits_for: its child of vfork(2), until that executes or ends."""

    number: int
    table: Table
    process: Process
    waits_for: Actor | None = None
    alive: bool = True

    @property
    def tid_at(self) -> int:
        return AREA + ACTORS + self.number * _ACTOR.size + 8

    @property
    def tgid_at(self) -> int:
        return self.tid_at + 4


@dataclass(frozen=True)
class Use:
    """That a call uses a descriptor. what: receives, sends, accepts, connects, looks. messages: how many it brings or
    sends; size: of those the bytes in all, None: the call's result; is_operation: whether a receive is one of what
    docs/model.md calls so."""

    what: str
    fd: int
    file: File
    messages: int = 1
    size: int | None = None
    is_operation: bool = True


@dataclass
class Step:
    """A call. expected: its result, None where that is not known; indirect: which arguments are addresses of 32 bits
    that hold the argument."""

    actor: Actor
    name: str
    args: tuple[int, ...]
    expected: int | None = 0
    uses: tuple[Use, ...] = ()
    flags: int = 0
    other: Actor | None = None
    result: int = NEVER
    tid: int = 0
    tgid: int = 0


class Steps:
    """The list, and the data that its calls point to."""

    def __init__(self) -> None:
        self.list: list[Step] = []
        self.data = bytearray()

    def put(self, content: bytes) -> int:
        """The address at which the program will find the bytes."""
        at = AREA + DATA + len(self.data)
        self.data += content + bytes(-len(content) % 8)
        return at

    def text(self, text: str) -> int:
        return self.put(text.encode() + b"\0")

    def room(self, size: int) -> int:
        return self.put(bytes(size))

    def written(self) -> bytes:
        """What the program reads."""
        rows = [
            _STEP.pack(
                step.actor.number,
                syscalls.numbers()[step.name],
                step.flags,
                step.other.number if step.other else 0,
                *(arg & (1 << 64) - 1 for arg in (*step.args, *[0] * (6 - len(step.args)))),
                NEVER,
                0,
                0,
            )
            for step in self.list
        ]
        head = struct.pack("=I", len(rows)).ljust(STEPS, b"\0")
        steps = (head + b"".join(rows)).ljust(DATA, b"\0")
        assert len(steps) == DATA and DATA + len(self.data) <= 16 << 20
        return steps + bytes(self.data)

    def take(self, area: bytes) -> None:
        """What the program has left there."""
        self.data = bytearray(area[DATA : DATA + len(self.data)])
        for step, row in zip(self.list, _STEP.iter_unpack(self._rows(area)), strict=True):
            step.result, step.tid, step.tgid = row[-3:]

    def futexes(self, area: bytes, actor: Actor) -> tuple[int, int]:
        """Calls of futex of the actor that returned, and those of its life as another thread."""
        row = _ACTOR.unpack_from(area, ACTORS + actor.number * _ACTOR.size)
        return row[4], row[5]

    def ids(self, area: bytes, actor: Actor) -> tuple[int, int]:
        """The actor's thread and process IDs at last."""
        row = _ACTOR.unpack_from(area, ACTORS + actor.number * _ACTOR.size)
        return row[2], row[3]

    def inode(self, file: File) -> int:
        """st_ino."""
        at = file.stat - AREA - DATA
        (inode,) = struct.unpack_from("=Q", self.data, at + 8)
        return int(inode)

    def text_at(self, address: int) -> str:
        """What `text` has put there."""
        at = address - AREA - DATA
        return self.data[at : self.data.index(0, at)].decode()

    def _rows(self, area: bytes) -> bytes:
        return area[STEPS : STEPS + len(self.list) * _STEP.size]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.list)
