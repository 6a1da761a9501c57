"""A scenario as a program: its options, its sender, the measured receive, and its notes at the end."""

import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from types import FrameType

from scenarios.kit import transport
from scenarios.kit.errors import SenderDied, Unsupported
from scenarios.kit.notes import summary as notes_as_text
from scenarios.kit.notes import write_notes
from scenarios.kit.options import Options, parse, parser, sender_command
from scenarios.kit.page import EACH, ENDS, FINISHED, PID, PORT, STOP, make_shared, map_shared
from scenarios.kit.receiver import Workload


def main(
    name: str,
    summary: str,
    protocols: Sequence[str],
    receive: Callable[[Workload], None],
    sockets: int = 1,
    each: bool = False,
    watched: int = 1,
    taskrun: bool = False,
) -> None:
    """Run a scenario as a program; exits 0, 1 (ended early), 2 (usage), 3 (cannot here) or 130 (Ctrl-C).

    sockets: the most that it can watch, watched: how many it does if nothing is said.
    taskrun: it has the option --taskrun.
    each: every message comes on a connection of its own, and the workload's socket is the one that listens.
    """
    module = name.replace("-", "_")
    arguments = parser(f"scenarios.{module}", summary, protocols, sockets, watched, taskrun)
    options, given = parse(arguments)
    by_hand = given.shared_fd is None
    shared_fd = make_shared(options.sockets) if by_hand else given.shared_fd
    page = map_shared(shared_fd)
    workload = None
    status = 0
    try:
        with (
            _ends(options, page, each) as ends,
            _sender(options, shared_fd, page, by_hand) as sender,
        ):
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
        status = 3
        if given.notes_fd is not None:
            write_notes(given.notes_fd, {"unsupported": str(problem)})
        else:
            print(f"{name}: {problem}", file=sys.stderr)
    except (SenderDied, OSError) as problem:
        status = 1
        print(f"{name}: {problem}", file=sys.stderr)
    if workload and status != 3:
        if given.notes_fd is not None:
            write_notes(given.notes_fd, workload.notes())
        else:
            print(notes_as_text(name, options, workload.notes()))
    sys.exit(status)


def _ends(options: Options, page: memoryview, each: bool) -> closing[transport.Ends]:
    """What the sender can connect to, and says so on the page; raises Unsupported, OSError."""
    if not transport.make_room(transport.descriptors_of(options.proto, options.sockets)):
        raise Unsupported(
            f"{options.sockets} sockets are more than this process may have open (ulimit -H -n)"
        )
    ends = transport.Ends(options.proto, options.address, options.sockets, each)
    page[PID] = os.getpid()
    page[EACH] = each
    page[ENDS : ENDS + options.sockets] = array("Q", ends.numbers)
    page[PORT] = ends.numbers[0]
    return closing(ends)


@contextmanager
def _sender(
    options: Options, shared_fd: int, page: memoryview, by_hand: bool
) -> Iterator[subprocess.Popen[bytes] | None]:
    """The sender of a scenario that is run by hand, told at the end to stop; None where another starts it."""
    sender = None
    try:
        if by_hand and options.proto != "none":
            sender = _start_sender(options, shared_fd)
        yield sender
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        page[STOP] = page[FINISHED] = 1
        if sender:
            sender.wait()


def _start_sender(options: Options, shared_fd: int) -> subprocess.Popen[bytes]:
    """Start the sender as a child, in a group of its own so that Ctrl-C reaches the receiver alone."""
    started: list[subprocess.Popen[bytes]] = []

    def ended(_signum: int | None, _frame: FrameType | None) -> None:
        # a scenario may have children of its own; the sender never ends before FINISHED, unless killed
        if any(sender.poll() is not None for sender in started):
            raise SenderDied("the sender ended early")

    signal.signal(signal.SIGCHLD, ended)
    started.append(
        subprocess.Popen(sender_command(options, shared_fd), pass_fds=[shared_fd], process_group=0)
    )
    ended(None, None)
    return started[0]
