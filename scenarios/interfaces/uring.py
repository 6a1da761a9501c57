"""An io_uring as the kernel offers it: io_uring_setup(2), two queues in shared memory, io_uring_enter(2).

liburing does the same in C; here it is spelled out, so that what is a call and what is a memory access can be seen.
The structures are those of <linux/io_uring.h>. No barriers are needed: x86-64 keeps stores and loads in order.
"""

import ctypes
import errno
import mmap
import os
import platform
import socket
from contextlib import suppress
from dataclasses import dataclass

from scenarios.kit.errors import Unsupported

SETUP, ENTER, REGISTER = 425, 426, 427  # system calls, by number: the C library has no wrappers
OP_RECV = 27
ASYNC, BUFFER_SELECT = 1 << 4, 1 << 5  # flags of a submission
RECV_MULTISHOT = 1 << 1  # in a receive's ioprio
MORE = 1 << 1  # flag of a completion: the request goes on
_TASKRUN = 1 << 2  # flag in the submission ring: task work waits for who enters
_ENTER_GETEVENTS = 1
_REGISTER_PBUF_RING = 22
_OFFSET_SQES = 0x10000000
_FEATURE_SINGLE_MMAP = 1
_COOP_TASKRUN, _TASKRUN_FLAG, _SINGLE_ISSUER, _DEFER_TASKRUN = 1 << 8, 1 << 9, 1 << 12, 1 << 13
_BUFFER_SHIFT = 16  # a completion's flags hold the number of the buffer from here on


# IORING_SETUP_* flags by --taskrun, and what the kernel that does not know them lacks. Of "defer" the flag in the ring
# tells that there is something to enter for.
_TASKRUNS = {
    "default": (0, ""),
    "coop": (_COOP_TASKRUN, "IORING_SETUP_COOP_TASKRUN (Linux 5.19)"),
    "defer": (
        _DEFER_TASKRUN | _SINGLE_ISSUER | _TASKRUN_FLAG,
        "IORING_SETUP_DEFER_TASKRUN (Linux 6.1)",
    ),
}


class _SqOffsets(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint32)
        for name in (
            "head",
            "tail",
            "ring_mask",
            "ring_entries",
            "flags",
            "dropped",
            "array",
            "resv1",
        )
    ]
    _fields_ += [("user_addr", ctypes.c_uint64)]


class _CqOffsets(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint32)
        for name in (
            "head",
            "tail",
            "ring_mask",
            "ring_entries",
            "overflow",
            "cqes",
            "flags",
            "resv1",
        )
    ]
    _fields_ += [("user_addr", ctypes.c_uint64)]


class _Params(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint32)
        for name in (
            "sq_entries",
            "cq_entries",
            "flags",
            "sq_thread_cpu",
            "sq_thread_idle",
            "features",
            "wq_fd",
        )
    ]
    _fields_ += [("resv", ctypes.c_uint32 * 3), ("sq_off", _SqOffsets), ("cq_off", _CqOffsets)]


class Submission(ctypes.Structure):
    """struct io_uring_sqe: one request."""

    _fields_ = [
        ("opcode", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("ioprio", ctypes.c_uint16),
        ("fd", ctypes.c_int32),
        ("off", ctypes.c_uint64),
        ("addr", ctypes.c_uint64),
        ("len", ctypes.c_uint32),
        ("msg_flags", ctypes.c_uint32),
        ("user_data", ctypes.c_uint64),
        ("buf_group", ctypes.c_uint16),
        ("personality", ctypes.c_uint16),
        ("splice_fd_in", ctypes.c_int32),
        ("pad", ctypes.c_uint64 * 2),
    ]


class _Completion(ctypes.Structure):
    """struct io_uring_cqe."""

    _fields_ = [("user_data", ctypes.c_uint64), ("res", ctypes.c_int32), ("flags", ctypes.c_uint32)]


class _Buffer(ctypes.Structure):
    """struct io_uring_buf; the first one's last field is the queue's tail."""

    _fields_ = [
        ("addr", ctypes.c_uint64),
        ("len", ctypes.c_uint32),
        ("bid", ctypes.c_uint16),
        ("tail", ctypes.c_uint16),
    ]


class _BufferRing(ctypes.Structure):
    """struct io_uring_buf_reg."""

    _fields_ = [
        ("ring_addr", ctypes.c_uint64),
        ("ring_entries", ctypes.c_uint32),
        ("bgid", ctypes.c_uint16),
        ("flags", ctypes.c_uint16),
        ("resv", ctypes.c_uint64 * 3),
    ]


@dataclass(frozen=True)
class Completion:
    """What became of a request: bytes received, whether it goes on, which provided buffer has them, if one was free."""

    size: int
    more: bool
    buffer: int
    no_buffer: bool


class Ring:
    """An io_uring. Use as a context manager; raises Unsupported where the kernel has or allows none.

    taskrun: when the kernel copies for a receive that had found nothing. "default": at once, and interrupts the thread
    that asked; "coop": when that thread next enters the kernel, for whatever reason; "defer": in an io_uring_enter that
    asks for completions. None is the default. setup: further IORING_SETUP_* flags.
    """

    def __init__(self, entries: int = 8, setup: int = 0, taskrun: str | None = None) -> None:
        if platform.machine() != "x86_64":
            raise Unsupported("io_uring is spoken here on x86-64 only")
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags, self._lacking = _TASKRUNS[taskrun or "default"]
        params = _Params(flags=setup | flags)
        self.fd = self._call("io_uring_setup", SETUP, entries, ctypes.byref(params))
        if not params.features & _FEATURE_SINGLE_MMAP:
            os.close(self.fd)
            raise Unsupported("this kernel's io_uring is older than Linux 5.4")
        sq, cq = params.sq_off, params.cq_off
        length = max(
            sq.array + 4 * params.sq_entries,
            cq.cqes + ctypes.sizeof(_Completion) * params.cq_entries,
        )
        self._rings = mmap.mmap(self.fd, length)
        self._memory = mmap.mmap(
            self.fd, ctypes.sizeof(Submission) * params.sq_entries, offset=_OFFSET_SQES
        )

        def word(offset: int) -> ctypes.c_uint32:
            return ctypes.c_uint32.from_buffer(self._rings, offset)

        self._sq_tail, self._sq_mask = word(sq.tail), word(sq.ring_mask).value
        self._sq_flags = word(sq.flags)
        self._cq_head, self._cq_tail, self._cq_mask = (
            word(cq.head),
            word(cq.tail),
            word(cq.ring_mask).value,
        )
        self._order = (ctypes.c_uint32 * params.sq_entries).from_buffer(self._rings, sq.array)
        self._submissions = (Submission * params.sq_entries).from_buffer(self._memory)
        self._completions = (_Completion * params.cq_entries).from_buffer(self._rings, cq.cqes)

    def __enter__(self) -> "Ring":
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self.fd)

    def put(self, **fields: int) -> None:
        """Put a request into the submission queue: stores to shared memory, not a call."""
        slot = self._sq_tail.value & self._sq_mask
        self._submissions[slot] = Submission(**fields)
        self._order[slot] = slot
        self._sq_tail.value += 1

    def put_receive(self, sock: socket.socket, buffer: bytearray, flags: int = 0) -> None:
        """Put a request to receive into `buffer`, which must not change its size until that is completed."""
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        self.put(opcode=OP_RECV, flags=flags, fd=sock.fileno(), addr=address, len=len(buffer))

    def enter(self, submit: int, wait: int) -> None:
        """io_uring_enter(2): let the kernel take `submit` requests, then sleep until there are `wait` completions."""
        # a signal handler may run: completions can be looked for as before
        with suppress(InterruptedError):
            self._enter(submit, wait, _ENTER_GETEVENTS if wait else 0)

    @property
    def work_waits(self) -> bool:
        """Whether the kernel waits for this thread to let it work ("defer"): a load from shared memory, not a call."""
        return bool(self._sq_flags.value & _TASKRUN)

    def work(self) -> None:
        """io_uring_enter(2) that waits for nothing: the kernel makes the copies that it has put off."""
        self._enter(0, 0, _ENTER_GETEVENTS)

    def _enter(self, submit: int, wait: int, flags: int) -> None:
        self._call("io_uring_enter", ENTER, self.fd, submit, wait, flags, None, 0)

    @property
    def completed(self) -> bool:
        """Whether the completion queue holds one: a load from shared memory, not a call."""
        return self._cq_head.value != self._cq_tail.value

    def take(self) -> Completion:
        """The oldest completion, taken out of its queue; raises OSError, or Unsupported for EINVAL."""
        seen = self._completions[self._cq_head.value & self._cq_mask]
        res, flags = seen.res, seen.flags
        self._cq_head.value += 1
        if res == -errno.EINVAL:
            raise Unsupported("this kernel's io_uring does not know the request")
        if res < 0 and res != -errno.ENOBUFS:
            raise OSError(-res, "io_uring: " + os.strerror(-res))
        return Completion(
            max(res, 0), bool(flags & MORE), flags >> _BUFFER_SHIFT, res == -errno.ENOBUFS
        )

    def _call(self, name: str, number: int, *arguments: object) -> int:
        result = int(self._libc.syscall(number, *arguments))
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if number == SETUP and code == errno.EINVAL and self._lacking:
            raise Unsupported(f"--taskrun: this kernel has no {self._lacking}")
        if number != ENTER and code in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            raise Unsupported(
                f"{name}: {os.strerror(code)} (too old, built without, or kernel.io_uring_disabled)"
            )
        raise OSError(code, f"{name}: {os.strerror(code)}")


class Buffers:
    """A queue of `count` buffers of `size` bytes from which the kernel takes one for each receive (Linux 5.19)."""

    GROUP = 1

    def __init__(self, ring: Ring, count: int, size: int) -> None:
        self._size = size
        self._queue = mmap.mmap(-1, mmap.PAGESIZE)
        self._memory = mmap.mmap(-1, count * size)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._entries = (_Buffer * count).from_buffer(self._queue)
        ring._call(
            "io_uring_register",
            REGISTER,
            ring.fd,
            _REGISTER_PBUF_RING,
            ctypes.byref(_BufferRing(ctypes.addressof(self._entries), count, self.GROUP)),
            1,
        )
        for number in range(count):
            self.give(number)

    def give(self, number: int) -> None:
        """Let the kernel use buffer `number` (again): stores to shared memory, not a call."""
        tail = self._entries[0].tail
        entry = self._entries[tail % len(self._entries)]
        entry.addr, entry.len, entry.bid = self._base + number * self._size, self._size, number
        self._entries[0].tail = (tail + 1) & 0xFFFF
