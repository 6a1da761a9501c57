"""The files that commands write: where they may be, whose they are, and that no link which lies there is followed."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from tracer import text
from tracer.errors import EventsLost, IotraceError
from tracer.recording.atomic_file import PARTIAL, partial, unnamed

if TYPE_CHECKING:
    from tracer.run.tracing import Ended

User: TypeAlias = tuple[int, int]  # uid, gid
Keep: TypeAlias = Callable[..., None]  # a recording, under the name that was asked for or another

PRIVATE = 0o600  # a recording names files, addresses and commands
STREAMS = ("standard output", "standard error")


def check_writable(path: str) -> str | None:
    """None if a file can be written there, else why not, as one line."""
    name = text.shown(path)
    try:
        parent = Path(path).absolute().parent
    except OSError:
        return f"{name}: the current directory is gone"
    if not os.path.isdir(parent):
        return f"{name}: no such directory: {text.shown(str(parent))}"
    if os.path.isdir(path):
        return f"{name}: is a directory"
    try:
        # what is looked at is what is tried, whatever others put in the directory's place meanwhile
        directory = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _try(os.path.basename(path), directory)
        finally:
            os.close(directory)
    except NotRegular:
        return f"{name}: is not a regular file"  # a device or a link would be replaced, a FIFO waited for
    except OSError as error:
        error.filename = path
        return text.failure(error)
    return None


class NotRegular(Exception):
    """What has the name is no regular file."""


def _try(name: str, directory: int) -> None:
    """Opens the file of that name in the directory for writing, made for that and removed where there is none; raises
    OSError and NotRegular. In a directory like /tmp it may become a link, or another file, at any time."""
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        existing = os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        made = os.open(name, flags | os.O_CREAT | os.O_EXCL, PRIVATE, dir_fd=directory)
        try:
            its, there = os.fstat(made), os.lstat(name, dir_fd=directory)
            if (its.st_dev, its.st_ino) == (there.st_dev, there.st_ino):
                os.unlink(name, dir_fd=directory)
        finally:
            os.close(made)
        return
    if not stat.S_ISREG(existing.st_mode):
        raise NotRegular
    os.close(os.open(name, flags, dir_fd=directory))


def refuse_unwritable(path: str | None) -> None:
    """Raises IotraceError where there is a path and no file can be written there."""
    if path and (problem := check_writable(path)):
        raise IotraceError(problem)


@contextmanager
def recorded(
    output: str | None, user: User | None, mode: int = PRIVATE
) -> Iterator[tuple[str, Keep]]:
    """(a path to record to, what to call when the recording is whole): it then becomes `output`, `user`'s and of
    `mode`; or the name that the call is given in the temporary directory, where nothing was to be kept. The stream
    beside `output` that came with it (tracer/recording/partial.py) goes then; one that was there before stays."""
    earlier = partial(output) if output else None
    place = str(Path(output).absolute().parent) if output else tempfile.gettempdir()
    with unnamed(place) as file:

        def keep(name: str | None = output) -> None:
            if name:
                file.name(name, user, mode)
            if output and partial(output) not in (earlier, None):
                os.unlink(output + PARTIAL)

        try:
            yield file.path, keep
        except OSError as error:
            telling = _telling(error, file.path, output)
            if output and partial(output) not in (earlier, None):
                raise IotraceError(f"{text.failure(telling)}; {_until_then(output)}") from error
            if telling is error:
                raise
            raise telling from error


def write(pieces: Iterable[str] | Iterable[bytes], path: str, user: User | None, mode: int) -> None:
    """The pieces, text as UTF-8, as a file that is there as a whole or not at all; raises OSError."""
    with recorded(path, user, mode) as (place, keep):
        with open(place, "wb") as file:
            for piece in pieces:
                file.write(
                    piece if isinstance(piece, bytes) else piece.encode(errors="backslashreplace")
                )
        keep()


def _telling(error: Exception, path: str, output: str | None) -> Exception:
    """The error, with a place that tells the user something instead of the unnamed file that was recorded to."""
    if isinstance(error, OSError) and error.filename in (path, partial_of(output)):
        return OSError(error.errno, error.strerror, output or tempfile.gettempdir())
    return error


def partial_of(output: str | None) -> str | None:
    """The name of what there is of `output` while it is being recorded."""
    return str(Path(output + PARTIAL).absolute()) if output else None


def _until_then(output: str) -> str:
    return f"what was recorded until then is {text.shown(output + PARTIAL)}"


def survived(ended: Ended, path: str, output: str | None, otherwise: str) -> str:
    """One line for a failure of iotrace's own that a target has survived, recorded to `path`."""
    assert ended.failure is not None
    failure = text.failure(_telling(ended.failure, path, output))
    if not ended.recorded and output and partial(output):
        return f"{failure}; {_until_then(output)}; {otherwise}"
    if ended.ending == "failed":
        return f"{failure}; tracing ended early, {otherwise}"
    return f"{failure}; names and calls still open may be missing, nothing else is; {otherwise}"


@contextmanager
def rescuing(output: str | None, keep: Keep, otherwise: str = "") -> Iterator[None]:
    """For showing a report: where that fails by a fault of ours, the recording is kept though nobody asked for it, and
    IotraceError says where; otherwise: what else there is to say then."""
    try:
        yield
    except (click.exceptions.Exit, click.Abort, EventsLost):
        raise
    except Exception as error:
        # a stream that takes no more output
        if isinstance(error, OSError) and error.filename in STREAMS:
            raise
        where = output
        if not where:
            where = str(Path(tempfile.gettempdir(), f"iotrace-{secrets.token_hex(4)}.parquet"))
            keep(where)
        raise IotraceError(
            f"the report failed: {text.failure(error)}; {otherwise}the recording is kept as {where}"
        ) from error


def directory(output: str | None, user: User | None) -> Path | None:
    """Where recordings are kept, made if need be, and `user`'s; raises OSError."""
    if output is None:
        return None
    path = Path(output)
    if not path.is_dir():
        path.mkdir()
        if user:
            os.chown(path, *user, follow_symlinks=False)
    return path


def keep_all(made: Path, output: Path, user: User | None) -> None:
    """All files of one directory into another of the same file system, as `user`'s."""
    for path in made.iterdir():
        if user:
            os.chown(path, *user, follow_symlinks=False)
        os.replace(path, output / path.name)
