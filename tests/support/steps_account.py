"""What a program of steps (steps_program.py) did, by its own log, and what iotrace says that it did: two accounts that
are equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from support.steps_machine import NEVER, ON_DATA, STARTS, File, Step, Use
from support.steps_program import Programs

_EAGAIN = -11
_NO_RETURN = ("exit", "exit_group")
_THREAD, _IMAGE = ("gettid", "getpid"), ("open", "mmap", "close")  # calls with which each begins
COUNTS = (
    *("receives", "received_bytes", "receive_again", "sends", "sent_bytes", "send_again"),
    *("received_messages", "sent_messages", "looks", "accepts", "connects"),
)
_BYTES = {"receives": "received_bytes", "sends": "sent_bytes"}
_MESSAGES = {"receives": "received_messages", "sends": "sent_messages"}
_AGAIN = {"receives": "receive_again", "sends": "send_again"}


@dataclass
class Account:
    """files: process, descriptor, kind of file, inode, counts → how many; operations: thread, descriptor, bytes;
    calls, and thread and call → how many; threads: thread, process; futexes: of calls of futex the fewest and the most,
    since a thread may be killed before it has counted one."""

    files: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    operations: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    calls_of_threads: Counter[tuple[int, str]] = field(default_factory=Counter)
    threads: Counter[tuple[int, int]] = field(default_factory=Counter)
    processes: Counter[tuple[int, int]] = field(default_factory=Counter)
    futexes: tuple[int, int] = (0, 0)

    def differences(self, other: Account) -> list[str]:
        """What is in this one and not in the other, and the other way round, a line each."""
        lines = []
        for name in ("files", "operations", "calls", "calls_of_threads", "threads", "processes"):
            ours, theirs = getattr(self, name), getattr(other, name)
            lines += [
                f"{name}: not in iotrace's: {key} × {n}" for key, n in (ours - theirs).items()
            ]
            lines += [
                f"{name}: only in iotrace's: {key} × {n}" for key, n in (theirs - ours).items()
            ]
        if not self.futexes[0] <= other.futexes[0] <= self.futexes[1]:
            lines.append(f"futexes: {other.futexes[0]}, not {self.futexes}")
        return lines


def unexpected(programs: Programs) -> list[str]:
    """Calls that returned something else than was foreseen: then the foresight is wrong, not iotrace."""
    return [
        f"step {index}: {step.name}{step.args} of actor {step.actor.number} returned {step.result}"
        f" and not {step.expected}"
        for index, step in enumerate(programs.steps)
        if not _is_expected(step)
    ][:5]


def _is_expected(step: Step) -> bool:
    if step.name in (*_NO_RETURN, "execve"):
        return step.result == NEVER
    if step.expected is None:
        return step.result >= 0 or bool(step.flags & STARTS)
    return step.result == step.expected


def of_program(programs: Programs, area: bytes) -> Account:
    """The program's own account."""
    account = Account()
    _count_calls(account, programs, area)
    _count_lives(account, programs, area)
    counts: dict[tuple[Any, ...], Counter[str]] = {}
    for step in programs.steps:
        for use in step.uses:
            key = (step.tgid, use.fd, _file(programs, use.file))
            counts.setdefault(key, Counter()).update(_counted(step, use))
            brings = use.what == "receives" and step.result > 0 and use.is_operation
            if brings and use.file.kind in ON_DATA:
                size = step.result if use.size is None else use.size
                account.operations[step.tid, use.fd, size] += 1
    for (tgid, fd, (kind, inode, _)), values in counts.items():
        if any(values.values()):
            account.files[tgid, fd, kind, inode, tuple(values[name] for name in COUNTS)] += 1
    return account


def _file(programs: Programs, file: File) -> tuple[str, int, int]:
    """(kind, inode, number): anonymous files of a kind are one."""
    if file.is_anonymous:
        return _SHOWN[file.kind], 0, 0
    shown = _SHOWN.get(file.kind) or programs.steps.text_at(file.path)
    is_device = file.kind in ("null", "zero")
    return shown, programs.steps.inode(file), 0 if is_device else file.stat


def _counted(step: Step, use: Use) -> Counter[str]:
    what, result = use.what, step.result
    if result == _EAGAIN:
        return Counter({_AGAIN[what]: 1})
    if what in ("accepts", "connects", "looks"):
        return Counter({what: 1})
    size = max(result, 0) if use.size is None else use.size
    messages = use.messages * (result > 0)
    return Counter({what: result > 0, _BYTES[what]: size, _MESSAGES[what]: messages})


def _count_calls(account: Account, programs: Programs, area: bytes) -> None:
    """Those of the steps, those with which each thread and each image begins, and those of futex."""
    by_thread = account.calls_of_threads
    for step in programs.steps:
        if step.name not in _NO_RETURN:
            # who executes has the leader's ID when the call returns
            by_thread[step.tgid if step.name == "execve" else step.tid, step.name] += 1
    for tid, names in _beginnings(programs, area):
        by_thread.update((tid, name) for name in names)
    for (_, name), count in by_thread.items():
        account.calls[name] += count
    futexes = sum(sum(programs.steps.futexes(area, actor)) for actor in programs.actors)
    account.futexes = (futexes, futexes + 2 * len(programs.killed))


def _beginnings(programs: Programs, area: bytes) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Thread and the calls with which it, or its image, begins."""
    first_tid = {actor: programs.steps.ids(area, actor)[0] for actor in programs.actors}
    first_tid.update((actor, step.tid) for actor, step in reversed(programs.executed))
    for tid in first_tid.values():
        yield tid, _THREAD
    for _, step in programs.executed:
        yield step.tgid, (*_IMAGE, *_THREAD)
    yield first_tid[programs.actors[0]], ("execve", *_IMAGE)


def _count_lives(account: Account, programs: Programs, area: bytes) -> None:
    """A thread that executes and is not the leader has two: the second by the leader's ID."""
    account.threads.update(programs.steps.ids(area, actor) for actor in programs.actors)
    for _, step in programs.executed:
        account.threads[step.tid, step.tgid] += step.tid != step.tgid
    account.threads = +account.threads
    sizes: Counter[int] = Counter()
    for (_, tgid), count in account.threads.items():
        sizes[tgid] += count
    account.processes.update(sizes.items())


def of_report(report: dict[str, Any], calls: Iterator[tuple[int, str]]) -> Account:
    """iotrace's account. calls: thread and name of each call in the recording."""
    account = Account()
    for row in report["descriptors"]:
        counts = tuple(row[name] for name in COUNTS)
        if any(counts):
            kind = shown_kind(row["file"])
            inode = 0 if kind.startswith("anon_inode:") else row["inode"]
            account.files[row["tgid"], row["fd"], kind, inode, counts] += 1
    for operation in report["operations"]:
        account.operations[operation["tid"], operation["fd"], operation["bytes"]] += 1
    for call in report["syscalls"]:
        account.calls[call["name"]] += call["calls"]
    account.futexes = (account.calls.pop("futex", 0),) * 2
    for tid, name in calls:
        account.calls_of_threads[tid, name] += name != "futex"
    account.calls_of_threads = +account.calls_of_threads
    for thread in report["threads"]:
        account.threads[thread["tid"], thread["tgid"]] += 1
    for process in report["processes"]:
        account.processes[process["tgid"], process["threads"]] += 1
    return account


_SHOWN = {
    "eventfd": "anon_inode:[eventfd]",
    "timerfd": "anon_inode:[timerfd]",
    "signalfd": "anon_inode:[signalfd]",
    "inotify": "anon_inode:inotify",
    "eventpoll": "anon_inode:[eventpoll]",
    "pipe": "pipe",
    "stream": "UNIX-STREAM",
    "unix": "UNIX-STREAM",
    "datagram": "UNIX-DGRAM",
    "seqpacket": "UNIX-SEQPACKET",
    "udp": "UDP",
    "tcp": "TCP",
    "memfd": "memfd",
}


def shown_kind(name: str | None) -> str:
    """The kind of a file by its name in the report, the name itself where that tells no kind or is a path."""
    if name is None or name.startswith("anon_inode:"):
        return str(name)
    if name.startswith("/memfd:"):
        return "memfd"
    return name if name.startswith("/") else name.partition(":")[0]
