"""The page of memory that receiver, sender and tracer share (memfd_create(2), mmap(2)): how far each of them is.

The receiver tells the sender that it wants the next message by a store to this page, never by a system call.
"""

import mmap
import os

# The shared page is an array of 64-bit numbers; these are their places. Each has one writer.
PID = 0  # receiver: its process, for the sender to watch
PORT = 1  # receiver: its first end's number (scenarios/kit/transport.py); not 0 once all can be connected to
READY = 2  # receiver: 1 when it begins to wait for data
RECEIVED = 3  # receiver: messages it has finished with
FINISHED = 4  # receiver: 1 when it wants nothing more
SENT = 5  # sender: messages sent
STOP = 6  # whoever ends a run early: 1
EACH = 7  # receiver: 1 for each message on a connection of its own
UP = 8  # sender: 1 when it has started, and only waits for the receiver
ENDS = 16  # receiver: the numbers of all its ends, from here on


def make_shared(sockets: int = 1) -> int:
    """A new zeroed page, or more for many sockets, that receiver and sender map: a memfd for Popen's pass_fds."""
    fd = os.memfd_create("iotrace-scenario")
    os.ftruncate(fd, -(-8 * (ENDS + sockets) // mmap.PAGESIZE) * mmap.PAGESIZE)
    return fd


def map_shared(fd: int) -> memoryview:
    """The shared page as an array of unsigned 64-bit numbers."""
    return memoryview(mmap.mmap(fd, 0)).cast("Q")
