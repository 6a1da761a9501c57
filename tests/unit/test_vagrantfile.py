"""The Vagrantfile, as Vagrant itself reads it, with a built box and without; no machine is made."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from support.running import ROOT

VAGRANT = shutil.which("vagrant")


def vagrant(home, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Vagrant in the clone's directory, with a home of its own."""
    return subprocess.run(
        [VAGRANT, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "VAGRANT_HOME": str(home / "home"),
            "VAGRANT_DOTFILE_PATH": str(home / "dot"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            **environment,
        },
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    if not VAGRANT:
        pytest.skip("Vagrant is not installed")
    directory = tmp_path_factory.mktemp("vagrant")
    if "vagrant-libvirt" not in vagrant(directory, "plugin", "list").stdout:
        pytest.skip("Vagrant's plugin vagrant-libvirt is not installed")
    return directory


def test_it_is_valid_and_has_a_machine_for_each_kernel_of_the_box(home):
    box = home / "box"
    box.mkdir()
    for name in ("iotrace.box", "vmlinuz-5.10", "initrd-5.10", "vmlinuz-7.2", "initrd-7.2"):
        (box / name).touch()
    environment = {"IOTRACE_BOX": str(box), "IOTRACE_DRIVER": "qemu"}
    done = vagrant(home, "validate", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    status = vagrant(home, "status", "--machine-readable", **environment).stdout
    assert {"5.10", "7.2", "bookworm", "trixie"} <= {
        line.split(",")[1] for line in status.splitlines()
    }


def test_an_option_that_does_not_exist_is_told(home):
    wrong = home / "wrong" / "Vagrantfile"
    wrong.parent.mkdir()
    wrong.write_text((ROOT / "Vagrantfile").read_text().replace("libvirt.cpus", "libvirt.cpuss"))
    done = subprocess.run(
        [VAGRANT, "validate"],
        capture_output=True,
        text=True,
        cwd=wrong.parent,
        env={
            **os.environ,
            "VAGRANT_HOME": str(home / "home"),
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        },
    )
    assert done.returncode != 0 and "cpuss" in done.stdout + done.stderr


def test_without_a_box_there_are_the_public_ones(home):
    done = vagrant(home, "validate", IOTRACE_BOX=str(home / "none"), IOTRACE_DRIVER="kvm")
    assert done.returncode == 0, done.stdout + done.stderr
