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
            by_thread[step.tid, step.name] += 1
    first, last = 0, 0
    for actor in programs.actors:
        tid, tgid = programs.steps.ids(area, actor)
        account.threads[tid, tgid] += 1
        own, before = programs.steps.futexes(area, actor)
        first += own + before
        last += 2 * (actor in programs.killed)
        for name in ("gettid", "getpid"):
            account.calls_of_threads[tid, name] += 1
    for actor, step in programs.executed:
        tid, tgid = programs.steps.ids(area, actor)
        for name in ("gettid", "getpid"):
            account.calls_of_threads[tgid, name] += 1
            account.calls_of_threads[tid, name] -= 1
            account.calls_of_threads[step.tid, name] += 1
        for name in ("open", "mmap", "close"):
            account.calls_of_threads[tgid, name] += 1
        if step.tid != tgid:
            account.threads[step.tid, tgid] += 1
            account.calls_of_threads[step.tid, "execve"] -= 1
            account.calls_of_threads[tgid, "execve"] += 1
    tid, _ = programs.steps.ids(area, programs.actors[0])
    for name in ("execve", "open", "mmap", "close"):
        account.calls_of_threads[tid, name] += 1
    account.calls_of_threads = +account.calls_of_threads
    for (_, name), count in account.calls_of_threads.items():
        account.calls[name] += count
    for _, tgid in account.threads:
        account.processes[
            tgid, sum(n for (_, its), n in account.threads.items() if its == tgid)
        ] = 1
    account.futexes = (first, first + last)


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
