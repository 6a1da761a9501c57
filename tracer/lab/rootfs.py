"""The pinned root file system: exactly the lock file's packages, put together by mmdebstrap(1) from the cache, with
iotrace's Python dependencies as wheels for its Python; one read-only disk image for every kernel."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path

from tracer.lab import CannotLab, LabError, image, pins, tools
from tracer.lab.archive import Archive, Package
from tracer.lab.store import Store, sha256, write_json

# Where the guest finds iotrace and its dependencies; the .pth file puts both on its Python's path.
CODE, SITE = "/opt/iotrace", "/opt/iotrace-site"
PYTHON = "/usr/bin/python3"
_UNREAD = (
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/locale",
    "/usr/share/info",
    "/var/cache/debconf",
)
_AS_ROOT = (
    "--map-root-user",
    "--map-auto",
)  # of unshare(1): a user namespace in which the caller is root
_MOST_BYTES = 2 << 30  # packages, wheels, mmdebstrap's own directory, its archive and the image


def get(store: Store, pin: pins.RootPin) -> Path:
    """The root's disk image (ext2), built if it is not in the cache; raises LabError."""
    place = store.entry(
        f"root-{pins.digest(pin)}", lambda new: _build(store, pin, new), _MOST_BYTES
    )
    return place / "root.ext2"


def has(store: Store, pin: pins.RootPin) -> bool:
    """Whether the image has been built."""
    return store.has(f"root-{pins.digest(pin)}")


def _build(store: Store, pin: pins.RootPin, new: Path) -> None:
    tools.require(("apt-get", "dpkg-deb", "mmdebstrap", "genext2fs"))
    if os.geteuid() != 0:
        _require_user_namespaces()
    store.say(
        f"fetching {len(pin.packages)} packages of Debian {pin.suite} for the root file system"
    )
    debs, wheels, site = new / "debs", new / "wheels", new / "site"
    for directory in (debs, wheels, site):
        directory.mkdir()
    Archive(store.root / "apt", pin.suite).fetch(list(pin.packages), debs)
    _fetch_wheels(pin, wheels)
    _index(debs, pin.packages)
    pins.pip(
        "install",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--target",
        site,
        *pins.wheel_flags(pin.python),
        *sorted(wheels.iterdir()),
    )
    (new / "iotrace.pth").write_text(f"{CODE}\n{SITE}\n", encoding="ascii")
    store.say("building the root file system, half a minute")
    _mmdebstrap(new, pin)
    image.from_tar(new / "root.tar", new / "root.ext2")
    write_json(new / "facts.json", {"sha256": {"root.ext2": sha256(new / "root.ext2")}})
    for name in ("site", "root.tar", "iotrace.pth"):
        path = new / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _require_user_namespaces() -> None:
    """Raises CannotLab where mmdebstrap could not make files of several owners without root (subuid(5))."""
    if not tools.find("newuidmap"):
        raise CannotLab(
            "building a root file system without root needs uidmap: apt-get install uidmap"
        )
    try:
        tools.run("unshare", *_AS_ROOT, "true")
    except LabError as error:
        name = pwd.getpwuid(os.geteuid()).pw_name
        raise CannotLab(
            "building a root file system without root needs user namespaces and subordinate IDs (usermod "
            f"--add-subuids 100000-165535 --add-subgids 100000-165535 {name}): {error}"
        ) from None


def _fetch_wheels(pin: pins.RootPin, directory: Path) -> None:
    """The lock file's wheels; pip checks them against its checksums."""
    wanted = directory.with_suffix(".txt")
    wanted.write_text(
        "".join(
            f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in pin.wheels
        ),
        encoding="utf-8",
    )
    pins.pip(
        "download",
        "--no-deps",
        "--require-hashes",
        "--dest",
        directory,
        *pins.wheel_flags(pin.python),
        "--requirement",
        wanted,
    )
    wanted.unlink()


def _index(debs: Path, packages: tuple[Package, ...]) -> None:
    """A package index of `debs`, so that apt inside mmdebstrap finds them there and nowhere else."""
    stanzas = []
    for package in packages:
        control = tools.run("dpkg-deb", "--field", debs / package.file).rstrip()
        stanzas.append(
            f"{control}\nFilename: ./{package.file}\nSize: {package.size}\nSHA256: {package.sha256}\n"
        )
    (debs / "Packages").write_text("\n".join(stanzas), encoding="utf-8")


def _mmdebstrap(new: Path, pin: pins.RootPin) -> None:
    packages = Path("usr/lib/python3/dist-packages")
    unread = " ".join(f'"$1"{path}' for path in _UNREAD)
    # trusted: there is no signature on our own index; each package in it has the checksum of the lock file
    source = f"deb [trusted=yes] copy:{new}/debs ./"
    # Without root in a user namespace of our own, where we are root: in mmdebstrap's, root is a subordinate ID that
    # may not look into a user's home. apt's own user is one too.
    as_root = [] if os.geteuid() == 0 else ["unshare", *_AS_ROOT, "--mount"]
    try:
        tools.run(
            *as_root,
            "mmdebstrap",
            "--mode=root",
            "--variant=essential",
            "--quiet",
            '--aptopt=APT::Sandbox::User "root"',
            f"--include={','.join(package.name for package in pin.packages)}",
            f"--customize-hook=rm -rf {unread}",
            f"--customize-hook=copy-in {new}/iotrace.pth /{packages}",
            f"--customize-hook=copy-in {new}/site /opt",
            f'--customize-hook=mv "$1"/opt/site "$1"{SITE}',
            f'--customize-hook=mkdir "$1"{CODE}',
            f'--customize-hook=chroot "$1" {PYTHON} -m compileall -q {SITE}',
            "",
            new / "root.tar",
            source,
        )
    except LabError as error:
        raise LabError(f"building the root file system: {error}") from None


def host_python() -> list[str]:
    """How the guest starts Python when its root is the host's: as we were started."""
    return [sys.executable, *["-I"] * sys.flags.isolated]
