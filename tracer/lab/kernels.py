"""Kernels ready to boot: from the lock file's Debian packages, or from one's own bzImage or build tree (the boot
protocol of Documentation/arch/x86/boot.rst says where its release is written)."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tracer.lab import LabError, UnknownKernel, image, pins, tools
from tracer.lab.archive import Archive
from tracer.lab.store import Store, sha256, write_json

# What the initramfs loads, with what they depend on; one that is built in, or that does not exist, is passed over.
BOOT_MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "virtio_rng",
    "crc32c_generic",
    "ext4",
    "overlay",
    "virtiofs",
)


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted: its files in the cache."""

    name: str
    release: str
    image: Path
    modules: Path  # an ext2 image of /lib/modules/RELEASE
    boot: Path  # modules for the initramfs, named so that their order is the one to load them in


def known(store: Store, locked: pins.Pins) -> list[tuple[pins.KernelPin, bool]]:
    """The kernels of the lock file, and whether each has been fetched."""
    return [(pin, store.has(_entry(pin))) for pin in locked.kernels]


def get(store: Store, locked: pins.Pins, name: str) -> Kernel:
    """The kernel called `name`, or the one at that path; fetched and unpacked if it is not in the cache.

    Raises UnknownKernel, LabError.
    """
    pin = locked.find(name)
    if pin:
        place = store.entry(_entry(pin), lambda new: _from_packages(store, pin, new), _size(pin))
        return _checked(pin.name, place)
    path = Path(name)
    if "/" not in name and not path.exists():
        names = [pin.name for pin in locked.kernels]
        raise UnknownKernel(
            f"no kernel {name!r}: there are {', '.join(names)}, {pins.NEWEST}, host, or the path "
            "of a bzImage or build tree"
        )
    return _own(store, path)


def release_of(bzimage: Path) -> str:
    """The release that a bzImage says it is; raises UnknownKernel for what is no bzImage."""
    try:
        with open(bzimage, "rb") as file:
            head = file.read(1 << 16)
    except OSError as error:
        raise UnknownKernel(f"{bzimage}: {error.strerror}") from None
    if head[0x202:0x206] != b"HdrS":
        raise UnknownKernel(f"{bzimage}: not a bzImage (x86 boot protocol)")
    where = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    release = head[where:].split(b"\0")[0].decode("ascii", "replace").split(" ")[0]
    if not re.fullmatch(r"\w[\w.+~-]*", release, re.ASCII):
        # it names a directory of ours
        raise UnknownKernel(f"{bzimage}: {release!r} is no kernel's release")
    return release


def _entry(pin: pins.KernelPin) -> str:
    return f"kernel-{pin.name}-{pins.digest(pin)}"


def _size(pin: pins.KernelPin) -> int:
    """About what the packages, unpacked, and the image of their modules take, in bytes."""
    return 6 * sum(package.size for package in pin.packages)


def _from_packages(store: Store, pin: pins.KernelPin, new: Path) -> None:
    tools.require(("apt-get", "dpkg-deb", "depmod", "genext2fs"))
    store.say(f"fetching Linux {pin.version} from Debian {pin.suite}")
    debs, unpacked = new / "debs", new / "unpacked"
    debs.mkdir()
    Archive(store.root / "apt", pin.suite).fetch(list(pin.packages), debs)
    for package in pin.packages:
        tools.run("dpkg-deb", "--extract", debs / package.file, unpacked)
    trees = [
        path for base in ("lib/modules", "usr/lib/modules") for path in (unpacked / base).glob("*")
    ]
    images = [*unpacked.glob("boot/vmlinuz-*"), *unpacked.glob("usr/lib/modules/*/vmlinuz")]
    if len(trees) != 1 or len(images) != 1:
        raise LabError(
            f"{pin.version}: its packages hold {len(images)} kernels and {len(trees)} module trees"
        )
    _prepare(new, images[0], trees[0])
    shutil.rmtree(unpacked)


def _own(store: Store, path: Path) -> Kernel:
    """A bzImage (its modules from where packages put them) or a build tree (its modules as they were built)."""
    path = path.absolute()
    bzimage = path / "arch/x86/boot/bzImage" if path.is_dir() else path
    release = release_of(bzimage)
    modules = _built_modules(path) if path.is_dir() else _installed_modules(bzimage, release)
    size = 3 * sum(file.stat().st_size for file in modules.values()) + 2 * bzimage.stat().st_size

    def make(new: Path) -> None:
        tools.require(("depmod", "genext2fs"))
        store.say(f"preparing Linux {release} from {path}")
        tree = new / "unpacked/lib/modules" / release
        tree.mkdir(parents=True)
        for name, file in modules.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, tree / name)
        for name in ("modules.order", "modules.builtin"):
            source = path / name if path.is_dir() else None
            if source and source.exists():
                shutil.copyfile(source, tree / name)
        _prepare(new, bzimage, tree)
        shutil.rmtree(new / "unpacked")

    return _checked(path.name, store.entry(f"own-{_state(bzimage, modules)}", make, size))


def _state(bzimage: Path, modules: dict[str, Path]) -> str:
    """A short name for an image and its modules as they are now."""
    state = [
        sha256(bzimage),
        *(
            f"{name} {file.stat().st_size} {file.stat().st_mtime_ns}"
            for name, file in sorted(modules.items())
        ),
    ]
    return hashlib.sha256("\n".join(state).encode()).hexdigest()[:12]


def _installed_modules(bzimage: Path, release: str) -> dict[str, Path]:
    """{name under /lib/modules/RELEASE: file} where packages put the modules of an image, {} if they are not there."""
    package_root = bzimage.parent.parent
    for base in (
        package_root / "lib/modules",
        package_root / "usr/lib/modules",
        Path("/lib/modules"),
    ):
        tree = base / release
        if _belongs(tree / "kernel", bzimage):
            return {str(file.relative_to(tree)): file for file in (tree / "kernel").rglob("*.ko*")}
    return {}


def _belongs(modules: Path, bzimage: Path) -> bool:
    """Whether these are the image's modules: somebody else's, beside an image in /tmp, are not."""
    return modules.is_dir() and modules.stat().st_uid in (0, bzimage.stat().st_uid)


def _built_modules(tree: Path) -> dict[str, Path]:
    """{name under /lib/modules/RELEASE: file} of a build tree, from its modules.order (.ko, or .o since 6.3)."""
    order = tree / "modules.order"
    names = order.read_text(encoding="utf-8", errors="replace").split() if order.exists() else []
    files = {
        name.removeprefix("kernel/").removesuffix(".o").removesuffix(".ko") + ".ko"
        for name in names
        if not name.startswith("/") and ".." not in name.split("/")  # else outside of the tree
    }
    return {f"kernel/{name}": tree / name for name in files if (tree / name).exists()}


def _prepare(new: Path, kernel: Path, tree: Path) -> None:
    """Into `new`: vmlinuz, the image of the modules, the boot modules, and what they are, with checksums."""
    release = tree.name
    base = tree.parents[2]
    tools.run("depmod", "-b", base, release)
    shutil.copyfile(kernel, new / "vmlinuz")
    image.from_directory(tree, new / "modules.ext2")
    (new / "boot").mkdir()
    for number, module in enumerate(_boot_order(tree)):
        name = module.name.split(".")[0]
        (new / "boot" / f"{number:02}-{name}.ko").write_bytes(_plain(module))
    write_json(
        new / "facts.json",
        {
            "release": release,
            "sha256": {name: sha256(new / name) for name in ("vmlinuz", "modules.ext2")},
        },
    )


def _boot_order(tree: Path) -> list[Path]:
    """The files of BOOT_MODULES, each behind what it depends on, from modules.dep."""
    needs = {}
    for line in (tree / "modules.dep").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, dependencies = line.partition(":")
        needs[name] = dependencies.split()  # a module's own needs, the first of them loaded last
    by_name = {Path(name).name.split(".")[0].replace("-", "_"): name for name in needs}
    ordered: list[str] = []
    for wanted in BOOT_MODULES:
        if wanted in by_name:
            name = by_name[wanted]
            ordered += [file for file in (*reversed(needs[name]), name) if file not in ordered]
    return [tree / name for name in ordered]


def _plain(module: Path) -> bytes:
    data = module.read_bytes()
    if module.suffix == ".xz":
        return lzma.decompress(data)
    if module.suffix == ".gz":
        return gzip.decompress(data)
    if module.suffix == ".zst":
        import pyarrow

        plain: bytes = pyarrow.CompressedInputStream(pyarrow.py_buffer(data), "zstd").read()
        return plain
    return data


def _checked(name: str, place: Path) -> Kernel:
    """The entry as a Kernel; raises LabError if a file is not as it was made."""
    try:
        facts = json.loads((place / "facts.json").read_text(encoding="utf-8"))
        wrong = [file for file, wanted in facts["sha256"].items() if sha256(place / file) != wanted]
    except (OSError, ValueError) as error:
        raise LabError(f"{place}: damaged ({error}); `iotrace lab clean` removes it") from None
    if wrong:
        raise LabError(
            f"{place / wrong[0]}: checksum wrong, so the file is not what was fetched; `iotrace lab clean` "
            "removes it"
        )
    return Kernel(name, facts["release"], place / "vmlinuz", place / "modules.ext2", place / "boot")
