"""The first file system of a lab's machine: a cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst)
with busybox, the boot modules, iotrace itself and what is to be done."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import tracer
from tracer.lab import CannotLab, tools

_GUEST = Path(__file__).with_name("guest")
_PACKAGES = ("tracer", "probes", "scenarios")


class Cpio:
    """A cpio archive in the making, newc format, all of it root's."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._made: set[str] = set()

    def file(self, name: str, data: bytes, mode: int = 0o644, mtime: int = 0) -> None:
        """A regular file, and the directories above it."""
        self._above(name)
        self._member(name, data, stat.S_IFREG | mode, mtime)

    def directory(self, name: str) -> None:
        """A directory, and those above it."""
        if name not in self._made:
            self._made.add(name)
            self._above(name)
            self._member(name, b"", stat.S_IFDIR | 0o755, 0)

    def tree(self, source: Path, name: str) -> None:
        """All regular files of a directory."""
        for path in sorted(source.rglob("*")):
            if path.is_file():
                status = path.stat()
                self.file(
                    f"{name}/{path.relative_to(source)}",
                    path.read_bytes(),
                    stat.S_IMODE(status.st_mode),
                    int(status.st_mtime),
                )

    def device(self, name: str, major: int, minor: int) -> None:
        """A character device."""
        self._above(name)
        self._member(name, b"", stat.S_IFCHR | 0o600, 0, (major, minor))

    def finish(self) -> bytes:
        """The whole archive."""
        self._member("TRAILER!!!", b"", 0, 0)
        return b"".join(self._parts)

    def _above(self, name: str) -> None:
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)

    def _member(
        self, name: str, data: bytes, mode: int, mtime: int, device: tuple[int, int] = (0, 0)
    ) -> None:
        path = name.encode() + b"\0"
        numbers = (
            len(self._parts) + 1,
            mode,
            0,
            0,
            1,
            mtime,
            len(data),
            0,
            0,
            *device,
            len(path),
            0,
        )
        head = b"070701" + b"".join(b"%08x" % number for number in numbers) + path
        self._parts.append(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))


def build(
    boot_modules: Path, settings: dict[str, str], jobs: str, compiled: dict[str, bytes], code: bool
) -> bytes:
    """settings: shell variables for guest/init; jobs: the shell script that is run in the root file system;
    compiled: probes that were compiled in earlier machines, by file name; code: whether iotrace itself comes along.
    Raises CannotLab without a busybox."""
    busybox = _static_busybox()
    archive = Cpio()
    archive.file("init", (_GUEST / "init").read_bytes(), 0o755)
    archive.file("bin/busybox", busybox, 0o755)
    archive.device("dev/console", 5, 1)
    for name in ("proc", "sys", "boot"):
        archive.directory(name)
    for module in sorted(boot_modules.iterdir()):
        archive.file(f"boot/{module.name}", module.read_bytes())
    archive.file(
        "lab/settings", "".join(f"{name}={value}\n" for name, value in settings.items()).encode()
    )
    archive.file("lab/ports.sh", (_GUEST / "ports.sh").read_bytes())
    archive.file("lab/jobs.sh", os.fsencode(jobs))
    for name, data in sorted(compiled.items()):
        archive.file(f"compiled/{name}", data, 0o600)
    if code:
        root = Path(tracer.__file__).parents[1]
        for name in _PACKAGES:
            archive.tree(root / name, f"iotrace/{name}")
    return archive.finish()


def _static_busybox() -> bytes:
    busybox = tools.path_of("busybox").read_bytes()
    if b"ld-linux" in busybox[:4096]:
        raise CannotLab(
            "the busybox that is installed needs libraries that an initramfs has not: "
            "apt-get install busybox-static"
        )
    return busybox
