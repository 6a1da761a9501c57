"""The lab's cache on disk: where things lie, whose they are, checksums, and locks (flock(2)) so that two lab commands
at once neither harm nor wait for each other without saying so."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tracer import places
from tracer.lab import LabError

SPARE_BYTES = 64 << 20  # left free beside what is written


def default_root() -> Path:
    """$XDG_CACHE_HOME/iotrace/lab, or ~/.cache/iotrace/lab of the user that this process acts as; a relative
    XDG_CACHE_HOME is to be ignored, as XDG's base directories have it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else _home() / ".cache") / "iotrace" / "lab"


def _home() -> Path:
    import pwd

    if os.geteuid() == os.getuid() and os.environ.get("HOME"):
        return Path(os.environ["HOME"])
    return Path(pwd.getpwuid(os.geteuid()).pw_dir)  # sudo's HOME may be root's


class Store:
    """One cache directory. Entries are directories that appear whole: made beside their place, then renamed."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        """say: told what is being waited for or made. Raises LabError where the directory cannot be made, or others
        may write to it."""
        self.say = say
        try:
            for name in ("entries", "locks", "running", "results", "compiled"):
                _make(root / name)
            self.root = root.resolve()
            if directory := places.open_to_others(self.root):
                raise LabError(
                    f"kernels are not kept in {self.root}: others may write to {directory} (chmod go-w, or "
                    "set XDG_CACHE_HOME)"
                )
        except OSError as error:
            raise LabError(f"{root}: {error.strerror}") from None

    def entry(self, name: str, make: Callable[[Path], None], size: int) -> Path:
        """The directory `name`, made by make(directory) if it is not there; needs about `size` bytes then.

        Raises LabError; whatever make() left is removed.
        """
        place = self.root / "entries" / name
        if place.is_dir():
            return place
        with self.locked(name):
            if not place.is_dir():  # it may have come while we waited
                # their makers were killed: we have the lock
                for left in place.parent.glob(f".new-{name}-*"):
                    shutil.rmtree(left, ignore_errors=True)
                self.check_space(size)
                with (
                    _no_space(place),
                    tempfile.TemporaryDirectory(prefix=f".new-{name}-", dir=place.parent) as new,
                ):
                    directory = Path(new, "entry")
                    directory.mkdir()
                    make(directory)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    directory.rename(place)
        return place

    def has(self, name: str) -> bool:
        """Whether that entry has been made."""
        return (self.root / "entries" / name).is_dir()

    def check_space(self, size: int) -> None:
        """Raises LabError if there is no room for `size` bytes."""
        free = shutil.disk_usage(self.root).free
        if free < size + SPARE_BYTES:
            raise LabError(
                f"no space: {self.root} has {free >> 20} MiB free and {(size + SPARE_BYTES) >> 20} MiB "
                "are needed; XDG_CACHE_HOME chooses another place"
            )

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """A context in which only this command makes `name`; says so if it must wait for another lab command."""
        fd = os.open(
            self.root / "locks" / name.replace("/", "_"),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
            0o644,
        )
        try:
            if not _try_lock(fd, fcntl.LOCK_EX):
                self.say(f"waiting for another iotrace lab that makes {name}")
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """A context in which entries are used: `clean` refuses meanwhile."""
        fd = os.open(self.root / "locks" / "use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            yield
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def running(self, facts: dict[str, Any]) -> Iterator[None]:
        """A context in which a machine runs: every `lab list` shows its `facts`."""
        self.machines()
        fd, new = tempfile.mkstemp(dir=self.root / "running", suffix=".new")
        path = Path(new)
        try:
            # locked before it gets its name: a file without a lock is taken for one that a killed command left
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.write(fd, json.dumps(facts).encode())
            path = path.rename(path.with_suffix(".json"))
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(fd)

    def machines(self) -> list[dict[str, Any]]:
        """The facts of the machines that run now; what a killed command left is removed."""
        running = []
        for path in sorted((self.root / "running").glob("*.json")):
            with contextlib.suppress(FileNotFoundError, ValueError), open(path, "rb") as file:
                if _try_lock(
                    file.fileno(), fcntl.LOCK_SH
                ):  # nobody holds the lock: the command has ended
                    path.unlink(missing_ok=True)
                else:
                    running.append(json.load(file))
        return running

    def clean(self) -> int:
        """Removes everything; returns the bytes that were freed. Raises LabError if another lab command runs."""
        fd = os.open(self.root / "locks" / "use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not _try_lock(fd, fcntl.LOCK_EX):
                raise LabError("another iotrace lab runs now, and uses the cache")
            freed = sum(path.lstat().st_blocks * 512 for path in self.root.rglob("*"))
            for name in ("entries", "results", "running", "compiled", "apt"):
                shutil.rmtree(self.root / name, ignore_errors=True)
            return freed
        finally:
            os.close(fd)


def _make(directory: Path) -> None:
    """Makes the directory and its missing parents; whatever the umask, nobody but this user may write there."""
    for place in (*reversed(directory.parents), directory):
        if not place.exists():
            place.mkdir(mode=0o755, exist_ok=True)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: object) -> None:
    """Writes `value` in one step."""
    write_atomically(path, json.dumps(value, indent=1).encode() + b"\n")


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file in one step: readers see the old file or the new one. Nobody but this user may read it."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(fd, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _try_lock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _no_space(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LabError(f"no space left while making {place}") from None
        raise LabError(f"{place}: {error.strerror or error}") from None
