"""tracer/lab/kernels.py, pins.py: the lock file, and kernels that are what they are said to be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.running import NOBODY, assert_one_line, iotrace

from tracer.lab import (
    LabError,
    UnknownKernel,
    kernels,
    pins,
    tools,
)


def test_the_lock_file_names_the_kernels_with_checksums():
    locked = pins.read(pins.DEFAULT)
    assert {"5.10", "6.1", "6.12", "7.2"} <= {pin.name for pin in locked.kernels}
    assert locked.find("newest") is locked.kernels[-1]
    packages = [package for pin in (*locked.kernels, locked.root) for package in pin.packages]
    assert all(len(package.sha256) == 64 and package.size > 0 for package in packages)
    assert all(len(wheel.sha256) == 64 for wheel in locked.root.wheels)


def test_a_damaged_lock_file_is_one_line(tmp_path):
    path = tmp_path / "lock.json"
    path.write_text("{}")
    assert_one_line(
        iotrace("lab", "list", "--lock-file", path, env={"XDG_CACHE_HOME": str(tmp_path)}),
        1,
        "lock file",
    )


def test_an_unknown_kernel_is_wrong_usage(store, tmp_path):
    with pytest.raises(UnknownKernel, match=r"there are 5\.10"):
        kernels.get(store, pins.read(pins.DEFAULT), "4.19")
    (tmp_path / "file").write_text("no kernel")
    with pytest.raises(UnknownKernel, match="not a bzImage"):
        kernels.get(store, pins.read(pins.DEFAULT), str(tmp_path / "file"))


def test_a_wrong_checksum_is_refused(store):
    pin = pins.read(pins.DEFAULT).kernels[0]
    place = store.root / "entries" / f"kernel-{pin.name}-{pins.digest(pin)}"
    place.mkdir()
    (place / "vmlinuz").write_bytes(b"another")
    (place / "facts.json").write_text('{"release": "x", "sha256": {"vmlinuz": "00"}}')
    with pytest.raises(LabError, match="checksum wrong"):
        kernels.get(store, pins.read(pins.DEFAULT), pin.name)


def bzimage(path: Path, release: str) -> Path:
    """A file that says it is a kernel of that release."""
    head = bytearray(0x400)
    head[0x202:0x206], head[0x20E:0x210] = b"HdrS", (0x100).to_bytes(2, "little")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(head[:0x300]) + release.encode() + b" (somebody)\0")
    return path


@pytest.mark.parametrize("release", ["../../x", "/etc", "..", "a/b", "", "6.1\n"])
def test_a_release_that_leads_elsewhere_is_refused(release, tmp_path):
    assert kernels.release_of(bzimage(tmp_path / "good", "6.1.0-50+a~b_c")) == "6.1.0-50+a~b_c"
    with pytest.raises(UnknownKernel, match="is no kernel's release"):
        kernels.release_of(bzimage(tmp_path / "bad", release))


def test_modules_of_a_build_tree_are_inside_it(tmp_path):
    tree = tmp_path / "tree"
    for name in ("tree/a.ko", "outside.ko"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    order = f"kernel/a.ko\n../outside.ko\n{tmp_path}/outside.ko\n\xff.ko\n"
    (tree / "modules.order").write_bytes(order.encode("latin-1"))
    assert kernels._built_modules(tree) == {"kernel/a.ko": tree / "a.ko"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_modules_that_somebody_else_put_beside_an_image_are_not_its(tmp_path, store, monkeypatch):
    modules = tmp_path / "lib" / "modules" / "6.1.0-x" / "kernel"
    modules.mkdir(parents=True)
    (modules / "planted.ko").touch()
    taken = []
    monkeypatch.setattr(tools, "require", lambda programs: None)
    monkeypatch.setattr(
        kernels, "_prepare", lambda new, image, tree: taken.extend(tree.rglob("*.ko"))
    )
    for owner, count in ((NOBODY, 0), (0, 1)):
        os.chown(modules, owner, owner)
        with pytest.raises(LabError, match="damaged"):  # since nothing was prepared
            kernels.get(
                store,
                pins.read(pins.DEFAULT),
                str(bzimage(tmp_path / "mine" / "bzImage", "6.1.0-x")),
            )
        assert len(taken) == count
