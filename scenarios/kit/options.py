"""What is sent to a scenario, and how: as an object, and as the command line of a scenario or its sender."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scenarios.kit import transport
from scenarios.kit.page import map_shared

TASKRUNS = ("default", "coop", "defer")


@dataclass(frozen=True)
class Options:
    """What is sent: `messages` of `size` bytes, one every `interval_ns` nanoseconds.

    proto: "udp", "tcp", "unix", "pipe", "file", or "none" where nothing is sent.
    open_loop: whether the pace is kept whatever the receiver does; else (a closed loop) a message also waits until
    the receiver has finished the one before.
    sockets: how many the receiver watches; message n goes to number n modulo `sockets`.
    address: the receiver's.
    taskrun: how an io_uring completes a receive that had to wait, one of TASKRUNS; None where nothing was asked for.
    """

    messages: int = 20
    interval_ns: int = 10_000_000
    size: int = 64
    proto: str = "udp"
    open_loop: bool = False
    sockets: int = 1
    address: str = transport.LOOPBACK
    taskrun: str | None = None

    def flags(self) -> list[str]:
        """The same options as command-line arguments."""
        flags = ["--messages", str(self.messages), "--interval-ns", str(self.interval_ns)]
        flags += ["--size", str(self.size), "--proto", self.proto]
        flags += ["--sockets", str(self.sockets), "--address", self.address]
        flags += ["--taskrun", self.taskrun] if self.taskrun else []
        return flags + ["--open-loop"] * self.open_loop


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
    program: str,
    description: str,
    protocols: Sequence[str],
    sockets: int,
    watched: int = 1,
    taskrun: bool = True,
) -> argparse.ArgumentParser:
    """The options that every scenario and the sender understand; sockets: the most that it can watch, watched: those
    that it does if nothing is said; taskrun: whether it has --taskrun (the sender takes it, and does nothing with it).
    """
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
    if taskrun:
        add("--taskrun", choices=TASKRUNS, help="when an io_uring copies what it had to wait for")
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
        getattr(given, "taskrun", None),
    )
    return options, given


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
