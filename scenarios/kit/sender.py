"""The sender: paced messages to a scenario's socket, by sendto(2), with the time of each.

The receiver starts it, or the tracer does. It may nap: it keeps the pace, and what is measured is the receiver.
"""

import os
import select
import signal
import sys
import time
from array import array
from contextlib import ExitStack, closing

from scenarios.kit import transport
from scenarios.kit.notes import write_notes
from scenarios.kit.options import Options, parse, parser
from scenarios.kit.page import (
    EACH,
    ENDS,
    FINISHED,
    PID,
    PORT,
    READY,
    RECEIVED,
    SENT,
    STOP,
    UP,
    map_shared,
)

POLL_NS = 100_000  # how often to look at the shared page
STOP_NS = 50_000_000  # how long at most to sleep without looking whether to stop
END_NS = 1_000_000  # between the empty datagrams that say there will be no more


class Abandoned(Exception):
    """The receiver, or who started the sender, has ended or asks to stop."""


class Receiver:
    """The other side, as the shared page and pidfds (Linux 5.3) show it."""

    def __init__(self, page: memoryview, watch_pid: int):
        self.page = page
        self._pidfds = [self._pidfd(watch_pid)]

    def wait_for(self, place: int, least: int) -> int:
        """Wait until the number at `place` is at least `least`, and return it; raises Abandoned."""
        while self.page[place] < least:
            self._nap(POLL_NS)
        return self.page[place]

    def wait_until(self, due_ns: int) -> None:
        """Wait until CLOCK_MONOTONIC is `due_ns`; raises Abandoned."""
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            self._nap(min(left_ns, STOP_NS))
        if self.page[STOP]:
            raise Abandoned

    def watch(self) -> None:
        """From now on, end with the receiver too."""
        self._pidfds.append(self._pidfd(self.page[PID]))

    def _nap(self, ns: int) -> None:
        # a pidfd is readable when its process has ended
        ended, _, _ = select.select(self._pidfds, [], [], ns / 1e9)
        if ended or self.page[STOP]:
            raise Abandoned

    @staticmethod
    def _pidfd(pid: int) -> int:
        try:
            return os.pidfd_open(pid)
        except ProcessLookupError:
            raise Abandoned from None


class Sends:
    """When each send began and when it had returned, ns of CLOCK_MONOTONIC; one that failed has neither."""

    def __init__(self) -> None:
        self.begin_ns, self.returned_ns = array("Q"), array("Q")

    def __len__(self) -> int:
        return len(self.begin_ns)

    def send(self, end: transport.End, message: bytes) -> int:
        """Sends the whole message; when it began."""
        begin_ns = time.monotonic_ns()
        end.sendall(message)
        self.returned_ns.append(time.monotonic_ns())
        self.begin_ns.append(begin_ns)
        return begin_ns


def send(options: Options, receiver: Receiver, sends: Sends) -> None:
    """Connect to the receiver and send every message, noting when; raises Abandoned, OSError.

    Message n goes to the receiver's end n modulo their number.
    """
    receiver.wait_for(PORT, 1)
    receiver.watch()
    numbers = receiver.page[ENDS : ENDS + options.sockets].tolist()
    message = bytes(options.size)
    with ExitStack() as stack:
        ends = transport.connect(
            options.proto, options.address, numbers, receiver.page[PID], bool(receiver.page[EACH])
        )
        for end in ends:
            stack.enter_context(closing(end))
        receiver.wait_for(READY, 1)
        due_ns = time.monotonic_ns() + options.interval_ns
        for index in range(options.messages):
            if not options.open_loop:
                receiver.wait_for(RECEIVED, index)
            receiver.wait_until(due_ns)
            begin_ns = sends.send(ends[index % len(ends)], message)
            receiver.page[SENT] = index + 1
            due_ns = (due_ns if options.open_loop else begin_ns) + options.interval_ns
        if options.open_loop and options.proto == "udp":
            _send_end(ends, receiver)
        receiver.wait_for(FINISHED, 1)


def _send_end(ends: list[transport.End], receiver: Receiver) -> None:
    """Say that there will be no more, again and again: a full buffer drops this too."""
    while not receiver.page[FINISHED]:
        for end in ends:
            end.send(b"")
        receiver.wait_until(time.monotonic_ns() + END_NS)


def main() -> None:
    """Run the sender; exits 0, 1 when a send failed or the receiver is gone, 2 on wrong usage."""
    # Ctrl-C is for the receiver or the tracer: the sender ends with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arguments = parser(
        "scenarios.kit.sender", __doc__ or "", (*transport.PROTOCOLS, "file", "none"), 10**6
    )
    arguments.add_argument(
        "--watch-pid", type=int, default=os.getppid(), metavar="PID", help="end when it does"
    )
    options, given = parse(arguments)
    if given.shared_fd is None:
        arguments.error(
            "--shared-fd is needed: start a scenario instead, it starts its sender itself"
        )
    page = map_shared(given.shared_fd)
    sends = Sends()
    transport.make_room(options.sockets)
    page[UP] = 1
    failures = status = 0
    try:
        if options.proto != "none":
            send(options, Receiver(page, given.watch_pid), sends)
    except Abandoned:
        status = 0 if page[FINISHED] else 1
    except ConnectionError:  # the receiver has closed its socket: finished, or it says why not
        failures = status = 0 if page[FINISHED] else 1
    except OSError as problem:
        print(f"sender: {problem}", file=sys.stderr)
        failures = status = 1
    if given.notes_fd is not None:
        sent = len(sends)
        write_notes(
            given.notes_fd,
            {
                "sent": sent,
                "sent_bytes": sent * options.size,
                "send_begin_ns": sends.begin_ns.tolist(),
                "send_returned_ns": sends.returned_ns.tolist(),
                "send_failures": failures,
            },
        )
    sys.exit(status)


if __name__ == "__main__":
    main()
