"""The files of random programs (steps_program.py): how each kind is opened, written and read, and what the calls
return."""

from __future__ import annotations

import struct
from typing import Any

from support.steps_machine import Actor, File, Open, Step, Steps, Use

O_RDWR, O_CREAT, O_NONBLOCK, O_CLOEXEC = 2, 0o100, 0o4000, 0o2000000
AT_FDCWD, S_IFREG, S_IFIFO = -100, 0o100000, 0o010000
AF_UNIX, AF_INET, STREAM, DGRAM, SEQPACKET = 1, 2, 1, 2, 5
MSG_CMSG_CLOEXEC, SIGUSR1, EAGAIN = 0x40000000, 10, -11
MOST_QUEUED = 8
_PAIRS = {"stream": STREAM, "datagram": DGRAM, "seqpacket": SEQPACKET}
SOCKETS = (*_PAIRS, "udp", "tcp", "unix")
MESSAGES = ("datagram", "seqpacket", "udp")
_QUEUES = ("pipe", "fifo", *SOCKETS)


class Files:
    """Adds the calls on files to the steps."""

    def __init__(self, steps: Steps, directory: str) -> None:
        self.steps = steps
        self._directory = directory
        self._named = 0
        self._paths: list[File] = []
        self._buffer = steps.room(1024)
        self._kinds = (
            self._regular,
            self._again,
            self._memfd,
            self._pipe,
            self._fifo,
            self._pair,
            self._udp,
            self._connection,
            self._eventfd,
            self._timerfd,
            self._inotify,
            self._signalfd,
            self._epoll,
            self._pidfd,
            self._device,
            self._pair,
            self._pipe,
        )

    def call(self, actor: Actor, name: str, *args: int, **more: Any) -> None:
        """One more step."""
        self.steps.list.append(Step(actor, name, args, **more))

    def open(self, actor: Actor, what: int, how: int) -> None:
        """A new file, or one of a path that there is."""
        self._kinds[what % len(self._kinds)](actor, how)

    # opening

    def _opened(self, actor: Actor, fd: int, open_file: Open, closes: bool) -> None:
        """The program asks for the inode of a new file."""
        actor.table.fds[fd] = open_file, closes
        if not open_file.file.stat:
            open_file.file.stat = self.steps.room(144)
            self.call(actor, "fstat", fd, open_file.file.stat)

    def _made(self, actor: Actor, kind: str, closes: int, name: str, *args: int) -> Open:
        """The file of a call that returns a descriptor."""
        fd = actor.table.lowest()
        self.call(actor, name, *args, expected=fd)
        made = Open(File(kind, 0))
        self._opened(actor, fd, made, bool(closes))
        return made

    def _path(self, name: str) -> int:
        self._named += 1
        return self.steps.text(f"{self._directory}/{name}{self._named}")

    def _open_path(self, actor: Actor, file: File, flags: int, how: int) -> Open:
        fd, closes = actor.table.lowest(), how & 1
        self.call(
            actor, "openat", AT_FDCWD, file.path, flags | O_CLOEXEC * closes, 0o600, expected=fd
        )
        made = Open(file)
        self._opened(actor, fd, made, bool(closes))
        return made

    def _regular(self, actor: Actor, how: int) -> None:
        file = File("regular", 0, self._path("file"))
        self._open_path(actor, file, O_RDWR | O_CREAT, how)
        self._paths.append(file)

    def _again(self, actor: Actor, how: int) -> None:
        if self._paths:
            self._open_path(
                actor, self._paths[-1 - (how >> 1) % len(self._paths[-3:])], O_RDWR, how
            )

    def _memfd(self, actor: Actor, how: int) -> None:
        self._made(actor, "memfd", how & 1, "memfd_create", self.steps.text("memory"), how & 1)

    def _pipe(self, actor: Actor, how: int) -> None:
        fds = self._two(actor)
        flags = O_NONBLOCK | O_CLOEXEC * (how & 1)
        self.call(actor, "pipe2", self.steps.room(8), flags)
        file = File("pipe", 0)
        receive = Open(file)
        self._opened(actor, fds[0], receive, bool(how & 1))
        self._opened(actor, fds[1], Open(file, peer=receive, reads=False), bool(how & 1))

    def _fifo(self, actor: Actor, how: int) -> None:
        file = File("fifo", 0, self._path("fifo"))
        self.call(actor, "mknodat", AT_FDCWD, file.path, S_IFIFO | 0o600, 0)
        made = self._open_path(actor, file, O_RDWR | O_NONBLOCK, how)
        made.peer = made

    def _pair(self, actor: Actor, how: int) -> None:
        kind = list(_PAIRS)[(how >> 1) % 3]
        fds = self._two(actor)
        flags = O_NONBLOCK | O_CLOEXEC * (how & 1)
        self.call(actor, "socketpair", AF_UNIX, _PAIRS[kind] | flags, 0, self.steps.room(8))
        one, other = Open(File(kind, 0)), Open(File(kind, 0))
        one.peer, other.peer = other, one
        for fd, end in zip(fds, (one, other), strict=True):
            self._opened(actor, fd, end, bool(how & 1))

    def _udp(self, actor: Actor, how: int) -> None:
        """One that is connected to itself."""
        closes = how & 1
        made = self._made(actor, "udp", closes, "socket", AF_INET, DGRAM | O_CLOEXEC * closes, 0)
        fd, made.peer = _fd_of(actor, made), made
        address = self.steps.put(struct.pack("=HHI8x", AF_INET, 0, 0x0100007F))
        self.call(actor, "bind", fd, address, 16)
        self.call(actor, "getsockname", fd, address, self.steps.put(struct.pack("=Q", 16)))
        self.call(actor, "connect", fd, address, 16, uses=(Use("connects", fd, made.file),))

    def _connection(self, actor: Actor, how: int) -> None:
        """Three sockets: one that listens, one that connects to it, one that is accepted."""
        kind, closes = ("tcp", "unix")[how >> 1 & 1], how & 1
        family = AF_INET if kind == "tcp" else AF_UNIX
        flags = STREAM | O_CLOEXEC * closes
        listens = self._made(actor, kind, closes, "socket", family, flags, 0)
        fd, length = _fd_of(actor, listens), self.steps.put(struct.pack("=Q", 16))
        address = self.steps.put(struct.pack("=HHI120x", family, 0, 0x0100007F))
        if kind == "unix":  # autobind (unix(7))
            length = self.steps.put(struct.pack("=Q", 128))
        self.call(actor, "bind", fd, address, 16 if kind == "tcp" else 2)
        self.call(actor, "listen", fd, 8)
        self.call(actor, "getsockname", fd, address, length)
        one = self._made(actor, kind, closes, "socket", family, flags, 0)
        own, size = _fd_of(actor, one), 16 if kind == "tcp" else 8
        self.call(actor, "connect", own, address, size, uses=(Use("connects", own, one.file),))
        new = actor.table.lowest()
        uses = (Use("accepts", fd, listens.file),)
        self.call(actor, "accept4", fd, 0, 0, O_CLOEXEC * closes, expected=new, uses=uses)
        other = Open(File(kind, 0))
        one.peer, other.peer = other, one
        self._opened(actor, new, other, bool(closes))

    def _eventfd(self, actor: Actor, how: int) -> None:
        flags = O_NONBLOCK | O_CLOEXEC * (how & 1)
        self._made(actor, "eventfd", how & 1, "eventfd2", 0, flags)

    def _timerfd(self, actor: Actor, how: int) -> None:
        self._made(actor, "timerfd", how & 1, "timerfd_create", 1, O_CLOEXEC * (how & 1))

    def _inotify(self, actor: Actor, how: int) -> None:
        flags = O_NONBLOCK | O_CLOEXEC * (how & 1)
        made = self._made(actor, "inotify", how & 1, "inotify_init1", flags)
        made.file.path = self._path("watched")
        self.call(actor, "mknodat", AT_FDCWD, made.file.path, S_IFREG | 0o600, 0)
        fd = _fd_of(actor, made)
        self.call(actor, "inotify_add_watch", fd, made.file.path, 4, expected=1)  # IN_ATTRIB

    def _signalfd(self, actor: Actor, how: int) -> None:
        mask = self.steps.put(struct.pack("=Q", 1 << SIGUSR1 - 1))
        flags = O_NONBLOCK | O_CLOEXEC * (how & 1)
        self._made(actor, "signalfd", how & 1, "signalfd4", -1, mask, 8, flags)

    def _epoll(self, actor: Actor, how: int) -> None:
        self._made(actor, "eventpoll", how & 1, "epoll_create1", O_CLOEXEC * (how & 1))

    def _pidfd(self, actor: Actor, how: int) -> None:
        if actor.process.leader:
            fd = actor.table.lowest()
            self.call(actor, "pidfd_open", actor.tgid_at, 0, expected=fd, flags=1)
            self._opened(actor, fd, Open(File("pidfd", 0)), True)

    def _device(self, actor: Actor, how: int) -> None:
        kind = ("null", "zero")[how >> 1 & 1]
        self._open_path(actor, File(kind, 0, self.steps.text(f"/dev/{kind}")), O_RDWR, how)

    # writing

    def write(self, actor: Actor, fd: int, how: int, held: set[object]) -> None:
        """Some bytes, where that does something."""
        file = actor.table.fds[fd][0]
        size = 1 + how % 400
        if file.kind in ("regular", "memfd", "null", "zero"):
            self._send(actor, fd, how >> 9, size)
            file.position += size
            file.file.size = max(file.file.size, file.position)
        elif file.kind in _QUEUES:
            if file.peer and file.peer in held and len(file.peer.queue) < MOST_QUEUED:
                self._send(actor, fd, how >> 9, size)
                file.peer.queue.append((size, ()))
        elif file.kind == "eventfd":
            one = self.steps.put(struct.pack("=Q", 1))
            self.call(actor, "write", fd, one, 8, expected=8, uses=(Use("sends", fd, file.file),))
            file.queue = [(8, ())]
        elif file.kind == "timerfd":
            soon = self.steps.put(struct.pack("=QQQQ", 0, 0, 0, 1))
            self.call(actor, "timerfd_settime", fd, 0, soon, 0)
            file.queue = [(8, ())]
        elif file.kind == "inotify" and not file.queue:
            self.call(actor, "fchmodat", AT_FDCWD, file.file.path, 0o600)
            file.queue = [(16, ())]
        elif file.kind == "eventpoll":
            self._watch(actor, fd, file, how)

    def _send(self, actor: Actor, fd: int, how: int, size: int) -> None:
        file = actor.table.fds[fd][0].file
        more = {"expected": size, "uses": (Use("sends", fd, file),)}
        if file.kind in SOCKETS and how % 4 == 1:
            self.call(actor, "sendto", fd, self._buffer, size, 0, 0, 0, **more)
        elif file.kind in SOCKETS and how % 4 == 2:
            self.call(actor, "sendmsg", fd, self.message(size), 0, **more)
        elif how % 4 == 3:
            self.call(actor, "writev", fd, self.vector(size), 1, **more)
        else:
            self.call(actor, "write", fd, self._buffer, size, **more)

    def _watch(self, actor: Actor, fd: int, epoll: Open, how: int) -> None:
        """Registers a descriptor, or asks."""
        others = [
            (other, its)
            for other, (its, _) in sorted(actor.table.fds.items())
            if its.kind in (*_QUEUES, "eventfd") and (its, other) not in epoll.watched
        ]
        if others and how & 1:
            other, its = others[(how >> 1) % len(others)]
            epoll.watched.add((its, other))
            event = self.steps.put(struct.pack("=IQ", 1, other))  # EPOLLIN
            self.call(actor, "epoll_ctl", fd, 1, other, event)
        else:
            self.call(actor, "epoll_wait", fd, self.steps.room(96), 8, 0, expected=None)

    # reading

    def read(self, actor: Actor, fd: int, how: int, held: set[object]) -> None:
        """Where something is there, or nothing is and the file says so at once."""
        file = actor.table.fds[fd][0]
        size = 1 + how % 500
        if file.kind in ("regular", "memfd"):
            at = how >> 9 if how & 1 else file.position
            there = max(0, min(size, file.file.size - at))
            if how & 1:
                self._receives(actor, fd, there, "pread64", self._buffer, size, at)
            else:
                self._receives(actor, fd, there, "read", self._buffer, size)
                file.position += there
        elif file.kind in ("null", "zero"):
            there = size if file.kind == "zero" else 0
            self._receives(actor, fd, there, "read", self._buffer, size)
        elif file.kind == "signalfd":
            ids = (actor.tgid_at, actor.tid_at)
            self.call(actor, "tgkill", *ids, SIGUSR1, flags=3)
            self._receives(actor, fd, 128, "read", self._buffer, 128)
        elif file.kind in ("eventfd", "timerfd", "inotify"):
            if file.queue or file.kind != "timerfd":
                there = file.queue.pop()[0] if file.queue else EAGAIN
                self._receives(actor, fd, there, "read", self._buffer, 16 if there == 16 else 8)
        elif file.kind in _QUEUES and file.reads:
            self._read_queue(actor, fd, file, how, held)

    def _read_queue(self, actor: Actor, fd: int, file: Open, how: int, held: set[object]) -> None:
        size = 1 + how % 500
        if file.kind in SOCKETS and file.peer not in held:
            return  # who closes a socket with data in it takes away what the other one has
        if file.queue:
            there, _ = file.queue.pop(0)
            if file.kind in MESSAGES:
                self._receive(actor, fd, how >> 9, size, min(size, there))
                return
            taken = min(size, there)
            self._receive(actor, fd, how >> 9, taken, taken)
            if there > taken:
                file.queue.insert(0, (there - taken, ()))
        elif file.kind not in ("udp", "tcp", "unix") and self._can_be_written(file, held):
            self._receive(actor, fd, how >> 9, size, EAGAIN)

    @staticmethod
    def _can_be_written(file: Open, held: set[object]) -> bool:
        return any(isinstance(its, Open) and its.peer is file for its in held)

    def _receive(self, actor: Actor, fd: int, how: int, size: int, there: int) -> None:
        is_socket = actor.table.fds[fd][0].kind in SOCKETS
        if is_socket and how % 4 == 1:
            self._receives(actor, fd, there, "recvfrom", self._buffer, size, 0, 0, 0)
        elif is_socket and how % 4 == 2:
            self._receives(actor, fd, there, "recvmsg", self.message(size), 0)
        elif how % 4 == 3:
            self._receives(actor, fd, there, "readv", self.vector(size), 1)
        else:
            self._receives(actor, fd, there, "read", self._buffer, size)

    def _receives(self, actor: Actor, fd: int, there: int, name: str, *args: int) -> None:
        uses = (Use("receives", fd, actor.table.fds[fd][0].file),)
        self.call(actor, name, fd, *args, expected=there, uses=uses)

    # passing descriptors

    def pass_on(self, actor: Actor, fd: int, how: int, held: set[object]) -> None:
        """A descriptor goes with one byte through a Unix socket."""
        ways = [
            (way, its.peer)
            for way, (its, _) in sorted(actor.table.fds.items())
            if its.kind in (*_PAIRS, "unix") and its.peer and its.peer in held
        ]
        if not ways:
            return
        way, peer = ways[how % len(ways)]
        passed = actor.table.fds[fd][0]
        if passed.kind in (*_PAIRS, "unix", "eventpoll") or len(peer.queue) >= MOST_QUEUED:
            return  # sockets in sockets are for the kernel's garbage collector
        control = self.steps.put(struct.pack("=QIIi4x", 20, 1, 1, fd))
        message = self.message(1, control, 24)
        uses = (Use("sends", way, actor.table.fds[way][0].file),)
        self.call(actor, "sendmsg", way, message, 0, expected=1, uses=uses)
        peer.queue.append((1, (passed,)))

    def take(self, actor: Actor, what: int, how: int, held: set[object]) -> None:
        """One that was passed is received."""
        ways = self._ways(actor, held)
        if not ways:
            return
        way, file = ways[what % len(ways)]
        size, (passed,) = file.queue.pop(0)
        message = self.message(1, self.steps.room(24), 24)
        closes = how & 1
        self._receives(actor, way, size, "recvmsg", message, MSG_CMSG_CLOEXEC * closes)
        actor.table.fds[actor.table.lowest()] = passed, bool(closes)

    def can_take(self, actor: Actor, held: set[object], without: int) -> bool:
        """Whether `take` receives one once the descriptor `without` is closed."""
        closed = actor.table.fds[without][0]
        ways = self._ways(actor, held)
        return any(way != without and closed not in (its, its.peer) for way, its in ways)

    @staticmethod
    def _ways(actor: Actor, held: set[object]) -> list[tuple[int, Open]]:
        """Unix sockets through which one was passed."""
        return [
            (way, its)
            for way, (its, _) in sorted(actor.table.fds.items())
            if its.kind in (*_PAIRS, "unix") and its.queue and its.queue[0][1] and its.peer in held
        ]

    # memory

    def room(self, size: int) -> int:
        """Where data may be received."""
        assert size <= 1024
        return self._buffer

    def vector(self, size: int) -> int:
        """A struct iovec."""
        return self.steps.put(struct.pack("=QQ", self._buffer, size))

    def message(self, size: int, control: int = 0, length: int = 0) -> int:
        """A struct msghdr."""
        vector = self.vector(size)
        return self.steps.put(struct.pack("=QQQQQQQ", 0, 0, vector, 1, control, length, 0))

    @staticmethod
    def _two(actor: Actor) -> tuple[int, int]:
        one = actor.table.lowest()
        return one, actor.table.lowest(one + 1)


def _fd_of(actor: Actor, file: Open) -> int:
    return next(fd for fd, (its, _) in actor.table.fds.items() if its is file)
