"""What every scenario shares: options, sockets, the page shared with the sender, and the receiver's own notes.

The notes are the oracle: the tracer must see exactly the calls that are noted here.
The receiver tells the sender how far it is through shared memory (memfd_create, mmap), never by a system call.
"""

import argparse
import gc
import json
import mmap
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from scenarios.kit import transport

STREAM_BUFFER = 65536  # bytes: room for many messages that a stream has merged

# The shared page is an array of 64-bit numbers; these are their places. Each has one writer.
PID = 0  # receiver: its process, for the sender to watch
PORT = 1  # receiver: the number of its first end (scenarios/kit/transport.py); not 0 once all of them can be connected to
READY = 2  # receiver: 1 when it begins to wait for data
RECEIVED = 3  # receiver: messages it has finished with
FINISHED = 4  # receiver: 1 when it wants nothing more
SENT = 5  # sender: messages sent
STOP = 6  # whoever ends a run early: 1
EACH = 7  # receiver: 1 for each message on a connection of its own
ENDS = 16  # receiver: the numbers of all its ends, from here on


class Unsupported(Exception):
    """This machine lacks what the scenario needs."""


class SenderDied(Exception):
    """The sender ended before the receiver had all it waited for."""


@dataclass(frozen=True)
class Options:
    """What is sent: `messages` of `size` bytes, one every `interval_ns`, over "udp", "tcp", "unix" or "pipe", or through
    a "file". "none": nothing is sent.

    sockets: how many the receiver watches; message n goes to number n modulo `sockets`. address: the receiver's.
    Closed loop (the default): a message also waits until the receiver has finished the one before.
    """

    messages: int = 20
    interval_ns: int = 10_000_000
    size: int = 64
    proto: str = "udp"
    open_loop: bool = False
    sockets: int = 1
    address: str = transport.LOOPBACK

    def flags(self) -> list[str]:
        """The same options as command-line arguments."""
        flags = ["--messages", str(self.messages), "--interval-ns", str(self.interval_ns)]
        flags += ["--size", str(self.size), "--proto", self.proto]
        flags += ["--sockets", str(self.sockets), "--address", self.address]
        return flags + ["--open-loop"] * self.open_loop


def make_shared(sockets: int = 1) -> int:
    """A new zeroed page, or more for many sockets, that receiver and sender map: a memfd for Popen's pass_fds."""
    fd = os.memfd_create("iotrace-scenario")
    os.ftruncate(fd, -(-8 * (ENDS + sockets) // mmap.PAGESIZE) * mmap.PAGESIZE)
    return fd


def map_shared(fd: int) -> memoryview:
    """The shared page as an array of unsigned 64-bit numbers."""
    return memoryview(mmap.mmap(fd, 0)).cast("Q")


def sender_command(options: Options, shared_fd: int, notes_fd: int | None = None) -> list[str]:
    """The argv of a sender that ends when the calling process does."""
    command = [sys.executable, "-m", "scenarios.kit.sender", *options.flags()]
    command += ["--shared-fd", str(shared_fd), "--watch-pid", str(os.getpid())]
    return command + ([] if notes_fd is None else ["--notes-fd", str(notes_fd)])


def receiver_command(
    program: Sequence[str], options: Options, shared_fd: int, notes_fd: int
) -> list[str]:
    """The argv of a scenario with a sender started by the caller; `program` is its module's or its C twin's command."""
    return [*program, *options.flags(), "--shared-fd", str(shared_fd), "--notes-fd", str(notes_fd)]


def parser(
    program: str, description: str, protocols: Sequence[str], sockets: int, watched: int = 1
) -> argparse.ArgumentParser:
    """The options that every scenario and the sender understand; sockets: the most that it can watch, watched: those
    that it does if nothing is said."""
    defaults = Options()
    result = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    add = result.add_argument
    add(
        "--messages",
        type=_number(1, 10**7),
        default=defaults.messages,
        metavar="N",
        help="how many (%(default)s)",
    )
    add(
        "--interval-ns",
        type=_number(0, 10**13),
        default=defaults.interval_ns,
        metavar="NS",
        help="pace (%(default)s)",
    )
    add(
        "--size",
        type=_number(1, 2**20),
        default=defaults.size,
        metavar="BYTES",
        help="of a message (%(default)s)",
    )
    add("--proto", choices=protocols, default=protocols[0], help="(%(default)s)")
    add("--open-loop", action="store_true", help="send on schedule, whatever the receiver does")
    add(
        "--sockets",
        type=_number(1, sockets),
        default=watched,
        metavar="N",
        help="to watch (%(default)s)",
    )
    add("--address", default=defaults.address, metavar="IP", help="of the receiver (%(default)s)")
    add(
        "--shared-fd",
        type=_shared,
        metavar="FD",
        help="an inherited memfd, the page that both sides map",
    )
    add("--notes-fd", type=_descriptor, metavar="FD", help="where to write what was done, as JSON")
    return result


def parse(arguments: argparse.ArgumentParser) -> tuple[Options, argparse.Namespace]:
    """The command line as Options, and the rest; exits with status 2 and one line when it makes no sense."""
    given = arguments.parse_args()
    most = transport.MOST_SIZE.get(given.proto, given.size)
    if given.size > most:
        arguments.error(f"a datagram ({given.proto}) holds at most {most} bytes")
    options = Options(
        given.messages,
        given.interval_ns,
        given.size,
        given.proto,
        given.open_loop,
        given.sockets,
        given.address,
    )
    return options, given


def write_notes(fd: int, notes: dict) -> None:
    """Write `notes` as one JSON object and close `fd`, so that its reader sees the end."""
    with open(fd, "w", encoding="utf-8") as file:
        json.dump(notes, file)


class Workload:
    """The receiver's side of a run: the sockets to read, a buffer to read into, and what was done.

    `socks` are what is watched, `sock` the first of them; `call` receives from them: recvfrom, or a pipe's readv.
    A scenario counts each call just before it makes it (`calls`), errors and signals as it gets them,
    hands the size of every receive to `received`, and goes on until `done`.
    """

    def __init__(self, options: Options, page: memoryview, socks: list, call: str = "recvfrom"):
        self.options = options
        self.socks = socks
        self.sock = socks[0]
        self.call = call
        self.buffer = bytearray(max(options.size, STREAM_BUFFER))
        self.calls: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()  # by (call, errno's name)
        self.signals: Counter[str] = Counter()
        self.done = False
        self.messages = 0
        self.bytes = 0
        self._page = page
        self._ended: set = set()  # the sockets whose end has come
        self._receives = 0
        self._receive_ns = (
            array("Q", [0]) * options.messages
        )  # allocated before the window, filled in it
        self._window_ns = (0, 0)
        self._cpu_ns = 0
        self._memory: dict[str, int] = {}

    @contextmanager
    def window(self) -> Iterator[None]:
        """The time that is measured: set-up is before it, and inside it nothing is called but what is noted."""
        gc.collect()
        gc.disable()
        self._memory = _memory()
        cpu_ns = _cpu_ns()
        begin_ns = time.monotonic_ns()
        self._page[READY] = 1
        try:
            yield
        finally:
            self.done = True  # also when interrupted: handlers that still run find nothing to do
            self._window_ns = (begin_ns, time.monotonic_ns())
            self._cpu_ns = _cpu_ns() - cpu_ns
            gc.enable()

    def received(self, size: int, sock: object = None) -> None:
        """Note a receive that has just returned `size` bytes, and let the sender go on."""
        self.note(size, sock)
        self.publish()

    def note(self, size: int, sock: object = None) -> None:
        """Note a receive of `size` bytes from `sock` (the first, if not said); 0 is its end: of a stream, or said by
        the sender after the last datagram."""
        now_ns = time.monotonic_ns()
        if size == 0:
            self._ended.add(sock or self.sock)
            self.done = len(self._ended) == len(self.socks)
            return
        if self._receives == len(
            self._receive_ns
        ):  # a stream may bring one message in several receives
            self._receive_ns.extend(self._receive_ns)
        self._receive_ns[self._receives] = now_ns
        self._receives += 1
        self.bytes += size
        whole = self.options.proto in (*transport.DATAGRAMS, "file")  # a receive is a message
        self.messages = self._receives if whole else self.bytes // self.options.size
        self.done = self.messages >= self.options.messages

    def turned(self) -> None:
        """Note one of the rounds that a scenario without messages counts in their place."""
        self.messages += 1
        self.done = self.messages >= self.options.messages

    def publish(self, ahead: int = 0) -> None:
        """Tell the sender which messages are finished with, and `ahead` that are not, so that as many more messages
        may be on their way: a store to shared memory, not a call."""
        self._page[RECEIVED] = self.messages + ahead

    def publish_as(self, messages: int) -> None:
        """The same for a process of several that receive: `messages` by all of them."""
        self._page[RECEIVED] = messages

    @property
    def sent(self) -> int:
        """How many messages have been sent: a load from shared memory, not a call."""
        return self._page[SENT]

    def await_sent(self, count: int) -> None:
        """Compute until `count` messages have been sent, or all that are to come: they are in the socket then."""
        value = 1
        while self.sent < min(count, self.options.messages):
            value = (value * 1103515245 + 12345) % 2**31  # the program's own work

    @property
    def complete(self) -> bool:
        """Whether all that was to come has come; an open loop may lose datagrams."""
        return self.done and (self.may_lose or self.messages >= self.options.messages)

    @property
    def may_lose(self) -> bool:
        """Whether datagrams may be dropped: then the sender says of every socket that no more will come."""
        return self.options.open_loop and self.options.proto == "udp"

    def notes(self) -> dict:
        """What the receiver did, for JSON; times in nanoseconds of CLOCK_MONOTONIC."""
        errors: dict[str, dict[str, int]] = {}
        for (call, errno_name), count in self.errors.items():
            errors.setdefault(call, {})[errno_name] = count
        lost = self._page[SENT] - self.messages if self.options.proto == "udp" else 0
        return {
            "messages": self.messages,
            "bytes": self.bytes,
            "dropped": max(
                0, lost
            ),  # the last send may be received before its sender has counted it
            "calls": dict(self.calls),
            "errors": errors,
            "signals": dict(self.signals),
            "receive_ns": self._receive_ns[: self._receives].tolist(),
            "window_ns": list(self._window_ns),
            "cpu_ns": self._cpu_ns,
            **self._memory,
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
        }


def main(
    name: str,
    summary: str,
    protocols: Sequence[str],
    receive: Callable[[Workload], None],
    sockets: int = 1,
    each: bool = False,
    watched: int = 1,
) -> None:
    """Run a scenario as a program; exits 0, 1 (ended early), 2 (usage), 3 (cannot here) or 130 (Ctrl-C).

    sockets: the most that it can watch, watched: how many it does if nothing is said.
    each: every message comes on a connection of its own, and the workload's socket is the one that listens.
    """
    module = name.replace("-", "_")
    options, given = parse(parser(f"scenarios.{module}", summary, protocols, sockets, watched))
    by_hand = given.shared_fd is None
    shared_fd = make_shared(options.sockets) if by_hand else given.shared_fd
    page = map_shared(shared_fd)
    workload = sender = None
    status = 0
    try:
        if not transport.make_room(transport.descriptors_of(options.proto, options.sockets)):
            raise Unsupported(
                f"{options.sockets} sockets are more than this process may have open (ulimit -H -n)"
            )
        with closing(transport.Ends(options.proto, options.address, options.sockets, each)) as ends:
            page[PID] = os.getpid()
            page[EACH] = each
            page[ENDS : ENDS + options.sockets] = array("Q", ends.numbers)
            page[PORT] = ends.numbers[0]
            if by_hand and options.proto != "none":
                sender = _start_sender(options, shared_fd)
            workload = Workload(options, page, ends.connected(), ends.call)
            try:
                receive(workload)
            finally:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # from here on the sender may end
            page[FINISHED] = 1  # only now may the sender close its end
            if sender:
                sender.wait()
        if not workload.complete:
            raise SenderDied("the sender ended early")
    except KeyboardInterrupt:
        status = 130
    except Unsupported as problem:
        if given.notes_fd is not None:
            write_notes(given.notes_fd, {"unsupported": str(problem)})
        else:
            print(f"{name}: {problem}", file=sys.stderr)
        status = 3
    except (SenderDied, OSError) as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        status = 1
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        page[STOP] = page[FINISHED] = 1
        if sender:
            sender.wait()
    if workload and status != 3:
        if given.notes_fd is not None:
            write_notes(given.notes_fd, workload.notes())
        else:
            print(_summary(name, options, workload.notes()))
    sys.exit(status)


def _cpu_ns() -> int:
    """CPU time of this process and of the children it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + round((children.ru_utime + children.ru_stime) * 1e9)


def _memory() -> dict[str, int]:
    """What this process has for itself alone (RssAnon), and its threads, from proc_pid_status(5)."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {
        "anonymous_bytes": int(lines["RssAnon"].split()[0]) * 1024,
        "threads": int(lines["Threads"]),
    }


def _start_sender(options: Options, shared_fd: int) -> subprocess.Popen:
    """Start the sender as a child, in a group of its own so that Ctrl-C reaches the receiver alone."""

    started: list[subprocess.Popen] = []

    def ended(_signum, _frame):
        if any(
            sender.poll() is not None for sender in started
        ):  # a scenario may have children of its own
            raise SenderDied(
                "the sender ended early"
            )  # it never does before FINISHED, unless killed

    signal.signal(signal.SIGCHLD, ended)
    started.append(
        subprocess.Popen(sender_command(options, shared_fd), pass_fds=[shared_fd], process_group=0)
    )
    ended(None, None)
    return started[0]


def _summary(name: str, options: Options, notes: dict) -> str:
    """The notes as a few lines for who ran the scenario by hand."""
    begin_ns, end_ns = notes["window_ns"]
    lines = [
        f"{name} over {_ways(options)}: {notes['messages']} messages, {notes['bytes']} bytes, "
        f"{notes['dropped']} dropped, in {(end_ns - begin_ns) / 1e6:.1f} ms",
        f"  CPU      {notes['cpu_ns'] / 1e6:.1f} ms",
    ]
    if notes["threads"] > 1:
        lines.append(
            f"  memory   {notes['anonymous_bytes'] / 2**20:.1f} MiB, {notes['threads']} threads"
        )
    lines += [f"  call     {call}: {count}" for call, count in notes["calls"].items()]
    for call, errors in notes["errors"].items():
        lines += [
            f"  error    {call}: {count} × {errno_name}" for errno_name, count in errors.items()
        ]
    lines += [
        f"  signal   {signal_name}: {count}" for signal_name, count in notes["signals"].items()
    ]
    return "\n".join(lines)


def _ways(options: Options) -> str:
    return options.proto if options.sockets == 1 else f"{options.sockets} × {options.proto}"


def _number(least: int, most: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` to `most`."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return number


def _descriptor(text: str) -> int:
    """An argparse type: an open file descriptor."""
    try:
        fd = int(text)
        os.fstat(fd)
    except (ValueError, OSError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not an open file descriptor") from None
    return fd


def _shared(text: str) -> int:
    """An argparse type: a descriptor that map_shared can map."""
    fd = _descriptor(text)
    try:
        map_shared(fd).release()
    except (OSError, ValueError):
        raise argparse.ArgumentTypeError(f"descriptor {fd} is not a shared page") from None
    return fd
