"""A file that has no name until it is whole, by open(2)'s O_TMPFILE and linkat(2): however its process ends, by kill -9
too, nothing of it is left."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PARTIAL = ".partial"  # behind the name of a file that is being made, of what there is of it


def partial(path: str) -> tuple[int, int] | None:
    """Which file (device, inode) is the partial one of `path`, None where there is none."""
    try:
        status = os.lstat(path + PARTIAL)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Unnamed:
    """An empty file for this user alone; `path` is where this process may open it, until the end of `unnamed`. Its
    directory is opened once: who puts another, or a link, in that one's place meanwhile gets nothing made there."""

    def __init__(self, directory: str) -> None:
        self._named = ""
        self._directory = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._handle, self.path = self._made()
        except OSError as error:
            os.close(self._directory)
            error.filename = directory
            raise

    def _made(self) -> tuple[int, str]:
        flags = os.O_RDWR | os.O_CLOEXEC
        with suppress(OSError):
            handle = os.open(".", flags | os.O_TMPFILE, 0o600, dir_fd=self._directory)
            return handle, f"/proc/self/fd/{handle}"
        # a file system without (NFS, overlayfs before Linux 6.1), or one that fails for a name, too
        self._named = _name()
        flags |= os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        handle = os.open(self._named, flags, 0o600, dir_fd=self._directory)
        return handle, f"/proc/self/fd/{handle}"

    def name(self, path: str, user: tuple[int, int] | None, mode: int = 0o600) -> None:
        """Gives the file this name in its directory, in place of what has it, as `user`'s (uid, gid) with `mode`;
        raises OSError. path: of which the last part counts."""
        try:
            os.fchmod(self._handle, mode)
            if user:
                os.fchown(self._handle, *user)
            if self._named:
                self._replace(self._named, path)
                return
            with suppress(FileExistsError):
                self._link(os.path.basename(path))
                return
            # no call puts a file without a name in the place of another
            beside = _name()
            self._link(beside)
            try:
                self._replace(beside, path)
            except OSError:
                os.unlink(beside, dir_fd=self._directory)
                raise
        except OSError as error:
            error.filename, error.filename2 = path, None
            raise

    def _replace(self, name: str, path: str) -> None:
        where = self._directory
        os.replace(name, os.path.basename(path), src_dir_fd=where, dst_dir_fd=where)

    def _link(self, name: str) -> None:
        """linkat(2) with AT_SYMLINK_FOLLOW, which Python calls for a `src_dir_fd` alone; the path is absolute."""
        os.link(
            self.path,
            name,
            src_dir_fd=self._handle,
            dst_dir_fd=self._directory,
            follow_symlinks=True,
        )

    def close(self) -> None:
        os.close(self._handle)
        if self._named:
            with suppress(FileNotFoundError):
                os.unlink(self._named, dir_fd=self._directory)
        os.close(self._directory)


def _name() -> str:
    """A name that nobody can guess."""
    return f".iotrace-{secrets.token_hex(8)}"


@contextmanager
def unnamed(directory: str) -> Iterator[Unnamed]:
    """Such a file in `directory`; raises OSError."""
    file = Unnamed(directory)
    try:
        yield file
    finally:
        file.close()
