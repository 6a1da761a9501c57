"""Random programs of threads, processes and descriptors, as steps for tests/live/steps.c: a program is a list of acts,
each of which says in four numbers what is to be done, and is left out where that cannot be. So any part of a list is a
program too, and what fails can be made small."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from support import steps_moves as moves
from support.steps_files import Files
from support.steps_machine import LEAVES, PASSES, STARTS, Actor, Process, Step, Steps, Table

CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND = 0x100, 0x200, 0x400, 0x800
CLONE_VFORK, CLONE_THREAD, CLONE_SYSVSEM, SIGCHLD = 0x4000, 0x10000, 0x40000, 17
_THREAD = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM
WAYS = {
    "thread": _THREAD | CLONE_FILES,
    "thread with a table of its own": _THREAD,
    "fork": SIGCHLD,
    "vfork": CLONE_VM | CLONE_VFORK | SIGCHLD,
    "fork that shares the table": CLONE_FILES | SIGCHLD,
    "fork that shares memory and table": CLONE_VM | CLONE_FILES | SIGCHLD,
}
UNSHARE, CLOEXEC = 2, 4  # of close_range(2)
F_DUPFD, F_SETFD, F_DUPFD_CLOEXEC, O_CLOEXEC = 0, 2, 1030, 0o2000000
_MOST_ACTORS, _MOST_FDS = 7, 24
PR_SET_CHILD_SUBREAPER, SIG_BLOCK, WALL = 36, 0, 0x40000000


class Act(NamedTuple):
    """which: of the acts; who: of the threads that could; what, how: of the descriptors, kinds, sizes."""

    which: int
    who: int
    what: int
    how: int


def random_acts(seed: int, length: int) -> list[Act]:
    """The acts of a random program."""
    numbers = random.Random(seed)
    return [Act(*(numbers.randrange(1 << 16) for _ in Act._fields)) for _ in range(length)]


class Programs:
    """Programs one after the other, each a child of the first actor, which waits for all of each."""

    def __init__(self, program: str, area: str, directory: str) -> None:
        self.steps = Steps()
        self.actors: list[Actor] = []
        self.executed: list[tuple[Actor, Step]] = []
        self.killed: list[Actor] = []  # by what another thread did
        self._program, self._area = self.steps.text(program), self.steps.text(area)
        self._files = Files(self.steps, directory)
        self._first = self._actor(Table({}), Process())
        self._live: list[Actor] = []
        self._processes = 0
        self._call(self._first, "prctl", PR_SET_CHILD_SUBREAPER, 1)
        mask = self.steps.put((1 << 9).to_bytes(8, "little"))
        self._call(self._first, "rt_sigprocmask", SIG_BLOCK, mask, 0, 8)
        for fd in (0, 1, 2):
            self._call(self._first, "close", fd)

    def add(self, acts: list[Act]) -> None:
        """One more program."""
        self._processes = 0
        self._start(self._first, "fork", self._live)
        self._files.open(self._live[0], 0, 0)
        self._files.open(self._live[0], 5, len(acts))  # two Unix sockets
        for act in acts:
            ready = [actor for actor in self._live if not actor.waits_for]
            name, does = _ACTS[act.which % len(_ACTS)]
            if ready and (len(ready) > 1 or not name.startswith("exit")):
                does(self, ready[act.who % len(ready)], act.what, act.how)
        while self._live:
            self._exit(next(actor for actor in self._live if not actor.waits_for), 0, 0)
        for _ in range(self._processes):
            self._call(self._first, "wait4", -1, 0, WALL, 0, expected=None)

    def end(self) -> None:
        """No more programs."""
        self._call(self._first, "exit_group", 0, flags=LEAVES)

    # threads

    def _actor(self, table: Table, process: Process) -> Actor:
        actor = Actor(len(self.actors), table, process)
        process.leader = process.leader or actor
        self.actors.append(actor)
        return actor

    def _start(self, actor: Actor, way: str, live: list[Actor]) -> None:
        flags = WAYS[way]
        table = actor.table if flags & CLONE_FILES else actor.table.copied()
        process = actor.process if flags & CLONE_THREAD else Process()
        self._processes += not flags & CLONE_THREAD
        new = self._actor(table, process)
        live.append(new)
        actor.waits_for = new if flags & CLONE_VFORK else None
        self._call(actor, "clone", flags, expected=None, flags=STARTS | PASSES, other=new)

    def _starts(self, actor: Actor, what: int, _: int) -> None:
        if len(self._live) < _MOST_ACTORS:
            self._start(actor, list(WAYS)[what % len(WAYS)], self._live)

    def _ends(self, actor: Actor) -> None:
        """What is known of the thread ends; who waits for it by vfork(2) goes on."""
        self._live.remove(actor)
        actor.alive = False
        if actor.process.leader is actor:
            actor.process.leader = None
        self._goes_on(actor)

    def _goes_on(self, child: Actor) -> None:
        for other in self._live:
            if other.waits_for is child:
                other.waits_for = None

    def _others(self, actor: Actor) -> list[Actor]:
        """The other threads of its process."""
        return [its for its in self._live if its.process is actor.process and its is not actor]

    def _exit(self, actor: Actor, _: int, __: int) -> None:
        self._call(actor, "exit", 0, flags=LEAVES)
        self._ends(actor)

    def _exit_group(self, actor: Actor, _: int, __: int) -> None:
        others = self._others(actor)
        if any(other.waits_for for other in others) or len(self._live) == 1 + len(others):
            return
        self._call(actor, "exit_group", 0, flags=LEAVES)
        self.killed += others
        for its in (actor, *others):
            self._ends(its)

    def _execute(self, actor: Actor, _: int, __: int) -> None:
        others = self._others(actor)
        if any(other.waits_for for other in others):
            return
        words = [self._program, self._area, self.steps.text(str(actor.number)), 0]
        argv = self.steps.put(b"".join(word.to_bytes(8, "little") for word in words))
        self._call(actor, "execve", self._program, argv, argv + 24, flags=PASSES)
        self.executed.append((actor, self.steps.list[-1]))
        self.killed += others
        for other in others:
            self._ends(other)
        actor.process.leader = actor
        if any(its.table is actor.table for its in self._live if its is not actor):
            actor.table = actor.table.copied()
        fds = actor.table.fds
        for fd in [fd for fd, (_, closes) in fds.items() if closes]:
            del fds[fd]
        self._goes_on(actor)

    # tables

    def _unshare(self, actor: Actor, _: int, __: int) -> None:
        self._call(actor, "unshare", CLONE_FILES)
        actor.table = actor.table.copied()

    def _close_range(self, actor: Actor, what: int, how: int) -> None:
        first = what % _MOST_FDS
        last = first + what // _MOST_FDS % 6 if how & 1 else (1 << 32) - 1
        flags = how >> 1 & (UNSHARE | CLOEXEC)
        if flags & UNSHARE:
            actor.table = actor.table.copied()
        self._call(actor, "close_range", first, last, flags)
        fds = actor.table.fds
        for fd in [fd for fd in fds if first <= fd <= last]:
            if flags & CLOEXEC:
                fds[fd] = fds[fd][0], True
            else:
                del fds[fd]

    # descriptors

    def _close(self, actor: Actor, what: int, _: int) -> None:
        fd = _chosen(actor, what)
        if fd is not None:
            self._call(actor, "close", fd)
            del actor.table.fds[fd]

    def _dup(self, actor: Actor, what: int, how: int) -> None:
        fd, fds = _chosen(actor, what), actor.table.fds
        if fd is None or len(fds) >= _MOST_FDS:
            return
        file, least = fds[fd][0], how >> 4 & 15
        command = F_DUPFD_CLOEXEC if how & 8 else F_DUPFD
        if how % 4 == 0:
            new, closes = actor.table.lowest(), False
            self._call(actor, "dup", fd, expected=new)
        elif how % 4 == 1:
            new, closes = actor.table.lowest(least), bool(how & 8)
            self._call(actor, "fcntl", fd, command, least, expected=new)
        elif how % 4 == 2 or least == fd:
            new, closes = least, False
            self._call(actor, "dup2", fd, new, expected=new)
        else:
            new, closes = least, bool(how & 8)
            self._call(actor, "dup3", fd, new, O_CLOEXEC * closes, expected=new)
        if new != fd:
            fds[new] = file, closes

    def _set_close_on_exec(self, actor: Actor, what: int, how: int) -> None:
        fd = _chosen(actor, what)
        if fd is not None:
            self._call(actor, "fcntl", fd, F_SETFD, how & 1)
            actor.table.fds[fd] = actor.table.fds[fd][0], bool(how & 1)

    def _fetch(self, actor: Actor, what: int, how: int) -> None:
        """A descriptor of another process, by pidfd_getfd(2)."""
        leaders = {its.process.leader for its in self._live if its.process is not actor.process}
        others = sorted((its for its in leaders if its), key=lambda its: its.number)
        if not others or len(actor.table.fds) >= _MOST_FDS:
            return
        other = others[how % len(others)]
        fd, (pidfd, new) = _chosen(other, what), _lowest(actor, 2)
        if fd is None:
            return
        file = other.table.fds[fd][0]
        self._call(actor, "pidfd_open", other.tgid_at, 0, expected=pidfd, flags=1)
        self._call(actor, "pidfd_getfd", pidfd, fd, 0, expected=new)
        actor.table.fds[new] = file, True
        self._call(actor, "close", pidfd)

    def _open(self, actor: Actor, what: int, how: int) -> None:
        if len(actor.table.fds) < _MOST_FDS:
            self._files.open(actor, what, how)

    def _write(self, actor: Actor, what: int, how: int) -> None:
        self._first_of(actor, what, lambda fd: self._files.write(actor, fd, how, self._held()))

    def _read(self, actor: Actor, what: int, how: int) -> None:
        self._first_of(actor, what, lambda fd: self._files.read(actor, fd, how, self._held()))

    def _move(self, actor: Actor, what: int, how: int) -> None:
        held = self._held()

        def to_any(fd: int) -> None:
            self._first_of(
                actor, how, lambda other: moves.move(self._files, actor, fd, other, how >> 5, held)
            )

        self._first_of(actor, what, to_any)

    def _many(self, actor: Actor, what: int, how: int) -> None:
        held = self._held()
        self._first_of(actor, what, lambda fd: moves.messages(self._files, actor, fd, how, held))

    def _peek(self, actor: Actor, what: int, how: int) -> None:
        held = self._held()
        self._first_of(actor, what, lambda fd: moves.peek(self._files, actor, fd, how, held))

    def _first_of(self, actor: Actor, what: int, does: Callable[[int], None]) -> None:
        """Of the descriptors, from one of them on, the first that it can be done with."""
        fds, before = sorted(actor.table.fds), len(self.steps.list)
        for place in range(len(fds)):
            does(fds[(what + place) % len(fds)])
            if len(self.steps.list) > before:
                return

    def _use_closed(self, actor: Actor, what: int, how: int) -> None:
        fd = what % _MOST_FDS
        if fd not in actor.table.fds:
            name = ("read", "write")[how & 1]
            self._call(actor, name, fd, self.steps.room(8), 8, expected=-9)

    def _pass(self, actor: Actor, what: int, how: int) -> None:
        held = self._held()
        self._first_of(actor, what, lambda fd: self._files.pass_on(actor, fd, how, held))

    def _take(self, actor: Actor, what: int, how: int) -> None:
        if len(actor.table.fds) < _MOST_FDS:
            self._files.take(actor, what, how, self._held())

    def _exchange(self, actor: Actor, what: int, how: int) -> None:
        """A number is used, closed, had again by a descriptor that was passed, and used at once."""
        free = actor.table.lowest()
        for fd in sorted(actor.table.fds):
            if fd < free and self._files.can_take(actor, self._held(), fd):
                use = self._files.write if how & 2 else self._files.read
                use(actor, fd, how, self._held())
                self._call(actor, "close", fd)
                del actor.table.fds[fd]
                self._files.take(actor, what, how, self._held())
                use(actor, fd, how, self._held())
                return

    def _held(self) -> set[object]:
        """The open files that descriptors of live threads stand for."""
        return {file for its in self._live for file, _ in its.table.fds.values()}

    def _call(self, actor: Actor, name: str, *args: int, **more: object) -> None:
        self._files.call(actor, name, *args, **more)


def _chosen(actor: Actor, what: int) -> int | None:
    fds = sorted(actor.table.fds)
    return fds[what % len(fds)] if fds else None


def _lowest(actor: Actor, many: int) -> list[int]:
    return [fd for fd in range(64) if fd not in actor.table.fds][:many]


_ACTS: list[tuple[str, Callable[[Programs, Actor, int, int], None]]] = [
    (name, getattr(Programs, f"_{name}"))
    for name, share in {
        "open": 16,
        "write": 22,
        "read": 22,
        "move": 16,
        "many": 6,
        "peek": 6,
        "use_closed": 3,
        "close": 8,
        "dup": 7,
        "set_close_on_exec": 3,
        "close_range": 2,
        "unshare": 2,
        "starts": 6,
        "execute": 2,
        "exit": 2,
        "exit_group": 1,
        "fetch": 2,
        "pass": 6,
        "take": 5,
        "exchange": 12,
    }.items()
    for _ in range(share)
]
