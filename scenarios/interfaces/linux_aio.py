"""Linux native AIO as the kernel offers it: io_setup(2), io_submit(2), io_getevents(2), by number as libaio calls them.

The structures are those of <linux/aio_abi.h>.
"""

import ctypes
import errno
import os
import platform

from scenarios.kit.errors import Unsupported

IO_SETUP, IO_DESTROY, IO_GETEVENTS, IO_SUBMIT = 206, 207, 208, 209
PREAD, POLL = 0, 5  # IOCB_CMD_*


class Iocb(ctypes.Structure):
    """struct iocb: one request."""

    _fields_ = [
        ("aio_data", ctypes.c_uint64),
        ("aio_key", ctypes.c_uint32),
        ("aio_rw_flags", ctypes.c_uint32),
        ("aio_lio_opcode", ctypes.c_uint16),
        ("aio_reqprio", ctypes.c_int16),
        ("aio_fildes", ctypes.c_uint32),
        ("aio_buf", ctypes.c_uint64),
        ("aio_nbytes", ctypes.c_uint64),
        ("aio_offset", ctypes.c_int64),
        ("aio_reserved2", ctypes.c_uint64),
        ("aio_flags", ctypes.c_uint32),
        ("aio_resfd", ctypes.c_uint32),
    ]


class _IoEvent(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_uint64),
        ("obj", ctypes.c_uint64),
        ("res", ctypes.c_int64),
        ("res2", ctypes.c_int64),
    ]


class Context:
    """An AIO context for one request at a time. Use as a context manager; raises Unsupported where there is none."""

    def __init__(self) -> None:
        if platform.machine() != "x86_64":
            raise Unsupported("native AIO is spoken here on x86-64 only")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._id = ctypes.c_ulong(0)
        self._event = _IoEvent()
        self._call("io_setup", IO_SETUP, 1, ctypes.byref(self._id))

    def __enter__(self) -> "Context":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._libc.syscall(IO_DESTROY, self._id)  # waits for what is still under way

    def submit(self, request: Iocb) -> None:
        """io_submit(2) of one request; raises OSError."""
        pointer = (ctypes.c_void_p * 1)(ctypes.addressof(request))
        self._call("io_submit", IO_SUBMIT, self._id, 1, pointer)

    def wait(self) -> int:
        """io_getevents(2): sleep until a request is complete, and return its result; raises OSError."""
        self._call("io_getevents", IO_GETEVENTS, self._id, 1, 1, ctypes.byref(self._event), None)
        if self._event.res < 0:
            raise OSError(-self._event.res, "aio: " + os.strerror(-self._event.res))
        return int(self._event.res)

    def _call(self, name: str, number: int, *arguments: object) -> None:
        if self._libc.syscall(number, *arguments) >= 0:
            return
        code = ctypes.get_errno()
        if code == errno.ENOSYS or (number == IO_SUBMIT and code == errno.EINVAL):
            raise Unsupported(f"{name}: {os.strerror(code)} (this kernel has no such AIO)")
        raise OSError(code, f"{name}: {os.strerror(code)}")
