"""Messages through a file that is read past the page cache (O_DIRECT of open(2)): one block-aligned place for each.

The file has no name (O_TMPFILE), so that nothing is left of it. The sender finds it under /proc/PID/fd.
"""

import mmap
import os

from scenarios.kit.errors import Unsupported

DIRECTORY = "/var/tmp"  # on a disk, where /tmp may be memory
BLOCK = 4096  # bytes: places and lengths of direct reads are multiples of the device's blocks


def stride(size: int) -> int:
    """Bytes from one message's place to the next one's."""
    return -(-size // BLOCK) * BLOCK


class Reader:
    """The receiver's side, in the place of a socket; raises Unsupported where files cannot be read directly."""

    def __init__(self) -> None:
        try:
            self._fd = os.open(DIRECTORY, os.O_TMPFILE | os.O_RDWR | os.O_DIRECT, 0o600)
        except OSError as problem:
            raise Unsupported(
                f"no file can be read with O_DIRECT in {DIRECTORY}: {problem.strerror}"
            ) from None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._fd >= 0:  # a socket may be closed twice, and so may this
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """As a socket's."""
        self.__exit__()

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    @staticmethod
    def buffer(size: int) -> mmap.mmap:
        """Memory that a direct read may write to."""
        return mmap.mmap(-1, stride(size))


class Writer:
    """The sender's side: every message to the next place, and on the disk before it counts as sent."""

    def __init__(self, pid: int, fd: int) -> None:
        self._fd = os.open(f"/proc/{pid}/fd/{fd}", os.O_WRONLY)
        self._place = 0

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self._fd)

    def close(self) -> None:
        """As a socket's."""
        self.__exit__()

    def sendall(self, message: bytes) -> None:
        """Write and flush one message; raises OSError."""
        os.pwrite(self._fd, message, self._place)
        os.fdatasync(self._fd)
        self._place += stride(len(message))
