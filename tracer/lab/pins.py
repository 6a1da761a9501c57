"""The lock file (kernels.lock.json): which packages of Debian, by exact version and SHA-256, the kernels and the root
file system of the lab are made of, and which Python wheels."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tracer.lab import LabError, tools
from tracer.lab.archive import Archive, Package
from tracer.lab.store import sha256, write_json

SCHEMA = 1
DEFAULT = Path(__file__).with_name("kernels.lock.json")
# Releases and no -security suites: what is in a release stays there until its next point release.
KERNEL_SUITES = ("bullseye", "bookworm", "trixie", "sid", "experimental")
ROOT_SUITE = "bookworm"
META = "linux-image-cloud-amd64"  # Debian's flavour for virtual machines: virtio, and a third of the modules
ROOT_PACKAGES = ("python3", "python3-bpfcc", "libbpf1", "iproute2", "kmod", "strace")
NEWEST = "newest"


@dataclass(frozen=True)
class Wheel:
    """One Python package from PyPI, built for the root's Python."""

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class KernelPin:
    """A kernel of the lab: its name (major.minor), the suite it is from, and its packages."""

    name: str
    suite: str
    version: str
    packages: tuple[Package, ...]


@dataclass(frozen=True)
class RootPin:
    """The root file system: the suite, its packages, the Python version they bring, and wheels for it."""

    suite: str
    python: str
    packages: tuple[Package, ...]
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True)
class Pins:
    """All that the lock file says; kernels from the oldest to the newest."""

    kernels: tuple[KernelPin, ...]
    root: RootPin

    def find(self, name: str) -> KernelPin | None:
        """The kernel of that name; `newest` is the last."""
        if name == NEWEST and self.kernels:
            return self.kernels[-1]
        return next((kernel for kernel in self.kernels if kernel.name == name), None)


def digest(pin: KernelPin | RootPin) -> str:
    """A short name of exactly these packages, for the cache."""
    return hashlib.sha256(repr(pin).encode()).hexdigest()[:12]


def read(path: Path) -> Pins:
    """The lock file; raises LabError."""
    try:
        locked = json.loads(path.read_text(encoding="utf-8"))
        if locked["schema"] != SCHEMA:
            raise LabError(f"{path}: schema {locked['schema']}, and this iotrace knows {SCHEMA}")
        kernels = tuple(
            KernelPin(entry["name"], entry["suite"], entry["version"], _packages(entry))
            for entry in locked["kernels"]
        )
        root = locked["root"]
        wheels = tuple(Wheel(**wheel) for wheel in root["wheels"])
        return Pins(kernels, RootPin(root["suite"], root["python"], _packages(root), wheels))
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError):
        raise LabError(f"{path}: not a lock file, or a damaged one") from None


def write(path: Path, pins: Pins) -> None:
    """Replaces the lock file in one step; raises LabError."""
    root = pins.root
    try:
        write_json(
            path,
            {
                "schema": SCHEMA,
                "kernels": [
                    {
                        "name": pin.name,
                        "suite": pin.suite,
                        "version": pin.version,
                        "packages": [package.facts() for package in pin.packages],
                    }
                    for pin in pins.kernels
                ],
                "root": {
                    "suite": root.suite,
                    "python": root.python,
                    "packages": [package.facts() for package in root.packages],
                    "wheels": [vars(wheel) for wheel in root.wheels],
                },
            },
        )
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from None


def resolve(apt: Path, say: Callable[[str], None]) -> Pins:
    """What Debian's archive and PyPI have now; `apt` is apt's own directory. Raises LabError."""
    kernels: dict[str, KernelPin] = {}
    archives = {suite: Archive(apt, suite) for suite in KERNEL_SUITES}
    for suite, archive in archives.items():
        say(f"asking Debian's archive for {suite}")
        archive.update()
        version = archive.newest(META)
        if version:
            pin = _kernel(archive, version)
            kernels.setdefault(pin.name, pin)
    root = _root(archives[ROOT_SUITE])
    ordered = sorted(
        kernels.values(), key=lambda pin: [int(value) for value in pin.name.split(".")]
    )
    return Pins(tuple(ordered), root)


def wheel_flags(python: str) -> list[str]:
    """pip's flags for wheels of another Python than the one that runs pip."""
    platforms = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
    return [
        "--only-binary=:all:",
        "--python-version",
        python,
        "--implementation",
        "cp",
        *(value for platform in platforms for value in ("--platform", platform)),
    ]


def pip(*arguments: object) -> None:
    """Runs pip of this Python; raises LabError."""
    tools.run(
        sys.executable,
        "-I",
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--no-cache-dir",
        *arguments,
    )


def _root(archive: Archive) -> RootPin:
    packages = archive.closure(list(ROOT_PACKAGES))
    python = next(
        name[0] for package in packages if (name := re.findall(r"^python(3\.\d+)$", package.name))
    )
    return RootPin(archive.suite, python, tuple(packages), tuple(_wheels(python)))


def _kernel(archive: Archive, version: str) -> KernelPin:
    """The packages with files in them that the flavour's metapackage leads to, all of one version."""
    packages: dict[str, Package] = {}
    todo = [META]
    while todo:
        name = todo.pop()
        if name not in packages:
            packages[name], needs = archive.package(name, version)
            todo += [
                need for need in needs if re.match(r"linux-(image|binary|modules|base)-\d", need)
            ]
    del packages[META]
    name = ".".join(re.findall(r"\d+", version)[:2])
    return KernelPin(
        name,
        archive.suite,
        version,
        tuple(sorted(packages.values(), key=lambda package: package.name)),
    )


def _wheels(python: str) -> list[Wheel]:
    """iotrace's own dependencies as wheels for `python`."""
    needs = [need for need in metadata.requires("iotrace") or [] if "extra ==" not in need]
    with tempfile.TemporaryDirectory() as directory:
        pip("download", "--dest", directory, *wheel_flags(python), *needs)
        return [_wheel(path) for path in sorted(Path(directory).iterdir())]


def _wheel(path: Path) -> Wheel:
    name, version, _ = path.name.split("-", 2)
    return Wheel(name, version, path.name, sha256(path))


def _packages(entry: dict[str, Any]) -> tuple[Package, ...]:
    return tuple(Package(**package) for package in entry["packages"])
