"""What messages travel through, both ends of it: UDP, TCP or unix datagram sockets (socket(7)), or pipes (pipe(7)).

"file" is a file in the place of a socket (scenarios/kit/blockfile.py), and "none" a socket to which nothing is sent.
The receiver makes its ends and gives each a number that is not 0, by which the sender finds it: a port, the hexadecimal
name that the kernel gave a unix socket (autobind, unix(7)), or the descriptor of a pipe's writing end, which the sender
opens through /proc. Nothing of it has a name in the file system.
"""

import fcntl
import os
import resource
import socket
from collections.abc import Sequence
from typing import Any

from scenarios.kit import blockfile

End = Any  # a socket, or what stands in its place: Pipe, blockfile.Reader; a sender's has sendall and close

LOOPBACK = "127.0.0.1"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
DATAGRAMS = ("udp", "unix")  # keep messages apart; the others are streams
# bytes; a unix datagram must fit into its sender's buffer (wmem_default)
MOST_SIZE = {"udp": 65507, "unix": 131072}
SPARE_DESCRIPTORS = 24  # room for what a program has open besides its ends


class Pipe:
    """The reading end of a pipe in the place of a socket; readv(2), since os.read would allocate for every call.

    The writing end goes to descriptor `above` or later, so that reading ends have the low numbers that select needs.
    """

    def __init__(self, above: int) -> None:
        self._fd, writer = os.pipe()
        self.writer = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, above)
        os.close(writer)

    def fileno(self) -> int:
        """For select and its kind."""
        return self._fd

    def recv_into(self, buffer: bytearray) -> int:
        """The bytes read; raises BlockingIOError where there are none."""
        return os.readv(self._fd, [buffer])

    def setblocking(self, blocking: bool) -> None:
        """As a socket's."""
        os.set_blocking(self._fd, blocking)

    def close(self) -> None:
        """Both ends."""
        os.close(self._fd)
        os.close(self.writer)


class PipeWriter:
    """The writing end of a pipe, in the place of a socket."""

    def __init__(self, pid: int, number: int) -> None:
        self._fd = os.open(f"/proc/{pid}/fd/{number}", os.O_WRONLY)

    def sendall(self, message: bytes) -> None:
        """Write the whole; raises BrokenPipeError when the reader is gone."""
        left = memoryview(message)
        while left:
            left = left[os.write(self._fd, left) :]

    def close(self) -> None:
        """The end of the stream."""
        os.close(self._fd)


class Connections:
    """In the place of a socket: for each message a connection that is closed after it."""

    def __init__(self, address: str, number: int) -> None:
        self._place = address, number

    def sendall(self, message: bytes) -> None:
        """Connect, send and close."""
        with socket.create_connection(self._place) as sock:
            sock.sendall(message)

    def close(self) -> None:
        """Nothing is open between messages."""


class Ends:
    """The receiver's `count` ends of `proto` at `address`; with `each`, the socket that listens. Raises OSError.

    call: the call that receives from them. numbers: how the sender finds each.
    """

    def __init__(self, proto: str, address: str, count: int, each: bool = False) -> None:
        self.call = "readv" if proto == "pipe" else "recvfrom"
        self._open: list[End] = []
        self._accepts = count if proto == "tcp" and not each else 0
        try:
            for _ in range(1 if proto == "tcp" else count):
                self._open.append(_end(proto, address, 128 if each else count))
        except BaseException:
            self.close()
            raise
        self.numbers = [_number(proto, end) for end in self._open] * (self._accepts or 1)

    def connected(self) -> list[End]:
        """What to receive from, in the order of their numbers; with TCP as they connect."""
        if not self._accepts:
            return self._open
        listener, self._open = self._open[0], []
        with listener:
            for _ in range(self._accepts):
                self._open.append(listener.accept()[0])
        return self._open

    def close(self) -> None:
        """All of them."""
        for end in self._open:
            end.close()


def connect(
    proto: str, address: str, numbers: Sequence[int], pid: int, each: bool = False
) -> list[End]:
    """The sender's ends, with a socket's sendall and close, to those of process `pid`; raises OSError.

    each: for every message a connection of its own.
    """
    if each:
        return [Connections(address, number) for number in numbers]
    return [_connected(proto, address, number, pid) for number in numbers]


def make_room(ends: int) -> bool:
    """Let this process have that many ends open, if its hard limit (RLIMIT_NOFILE) allows it; whether it does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = ends + SPARE_DESCRIPTORS
    if soft < needed <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return needed <= hard


def descriptors_of(proto: str, ends: int) -> int:
    """How many descriptors the receiver needs for so many ends: a pipe has two."""
    return 2 * ends if proto == "pipe" else ends


def _end(proto: str, address: str, count: int) -> End:
    if proto == "pipe":
        return Pipe(above=count + SPARE_DESCRIPTORS)
    if proto == "file":
        return blockfile.Reader()
    if proto == "tcp":
        return socket.create_server((address, 0), backlog=count)
    sock = socket.socket(socket.AF_UNIX if proto == "unix" else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind("" if proto == "unix" else (address, 0))
    return sock


def _number(proto: str, end: End) -> int:
    if proto == "pipe":
        return int(end.writer)
    if proto == "file":
        return int(end.fileno())
    name = end.getsockname()
    return int(name[1:], 16) + 1 if proto == "unix" else int(name[1])


def _connected(proto: str, address: str, number: int, pid: int) -> End:
    if proto == "pipe":
        return PipeWriter(pid, number)
    if proto == "file":
        return blockfile.Writer(pid, number)
    if proto == "tcp":
        sock = socket.create_connection((address, number))
        # else a message waits for the last one's ACK
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    sock = socket.socket(socket.AF_UNIX if proto == "unix" else socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(b"\0%05x" % (number - 1) if proto == "unix" else (address, number))
    return sock
