"""A file that has no name until it is whole, by open(2)'s O_TMPFILE and linkat(2): however its process ends, by kill -9
too, nothing of it is left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".partial"  # behind the name of a file that is being made, of what there is of it


def partial(path: str) -> tuple[int, int] | None:
    """Which file (device, inode) is the partial one of `path`, None where there is none."""
    try:
        status = os.lstat(path + PARTIAL)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Unnamed:
    """An empty file for this user alone; `path` is where this process may open it, until the end of `unnamed`."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._named = False
        try:
            self._handle = os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
            self.path = f"/proc/self/fd/{self._handle}"
        except OSError:  # a file system without (NFS, overlayfs before Linux 6.1), or one that fails for a name, too
            self._handle, self.path = tempfile.mkstemp(prefix=".iotrace-", dir=directory)
            self._named = True

    def name(self, path: str, user: tuple[int, int] | None, mode: int = 0o600) -> None:
        """Gives the file this name in its directory, in place of what has it, as `user`'s (uid, gid) with `mode`;
        raises OSError."""
        os.fchmod(self._handle, mode)
        if user:
            os.fchown(self._handle, *user)
        if self._named:
            os.replace(self.path, path)
            return
        with suppress(FileExistsError):
            self._link(path)
            return
        # no call puts a file without a name in the place of another
        with tempfile.TemporaryDirectory(prefix=".iotrace-", dir=self._directory) as directory:
            self._link(f"{directory}/whole")
            os.replace(f"{directory}/whole", path)

    def _link(self, path: str) -> None:
        """linkat(2) with AT_SYMLINK_FOLLOW, which Python calls for a `src_dir_fd` alone; the path is absolute."""
        os.link(self.path, path, src_dir_fd=self._handle, follow_symlinks=True)

    def close(self) -> None:
        os.close(self._handle)
        if self._named:
            Path(self.path).unlink(missing_ok=True)


@contextmanager
def unnamed(directory: str) -> Iterator[Unnamed]:
    """Such a file in `directory`; raises OSError."""
    file = Unnamed(directory)
    try:
        yield file
    finally:
        file.close()
