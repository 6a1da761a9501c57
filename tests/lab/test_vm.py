"""tracer/lab/vm.py, initramfs.py, host_root.py, accel.py: what a machine is given, and whatever it says."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from tracer.lab import (
    CannotLab,
    LabError,
    accel,
    guest_script,
    host_root,
    initramfs,
    kernels,
    qemu,
    tools,
    vm,
)
from tracer.lab.machine import Machine, Outcome


def test_a_machine_does_not_run_where_the_caller_is(planted, tmp_path):
    (tmp_path / "boot").mkdir()
    kernel = kernels.Kernel("x", "x", tmp_path, tmp_path, tmp_path / "boot")
    with pytest.raises(LabError, match=r"QEMU: runs in /$"):
        vm.run(Machine(kernel, (), None, "tcg", probe=True), lambda port, data: None)


def test_what_a_machine_says_may_be_anything(tmp_path):
    outcome, said = Outcome(), []
    lines = [
        b"up 6.1.0",
        b"",
        b"\xff\xfe",
        b"begin",
        b"begin \xff",
        b"begin 0",
        b"end 0",
        b"end x 0",
        b"end 0 7",
        b"up",
        b"done",
    ]
    read, write = os.pipe()
    os.write(write, b"\n".join(lines) + b"\n")
    os.close(write)
    machine = Machine(kernels.Kernel("x", "x", tmp_path, tmp_path, tmp_path), (), None, "tcg")
    with open(read, "rb"):
        watch = vm._Watch(machine, outcome, lambda port, data: None, said.append)
        watch.until_off({"control": read}, None)
    assert (outcome.release, outcome.statuses, outcome.ended) == ("6.1.0", {0: 7}, "done")
    assert said == ["up 6.1.0", "begin 0", "end 0 7", "done"]


def test_a_job_may_have_any_bytes_as_arguments(tmp_path, planted):
    (tmp_path / "boot").mkdir()
    assert b"echo \xff" in initramfs.build(tmp_path / "boot", {}, "echo \udcff", {}, code=False)


def test_nobody_else_can_connect_to_what_shares_the_hosts_root():
    before = set(Path("/proc/net/unix").read_bytes().splitlines())
    listener, connection = host_root._connected()
    with listener, connection, listener.accept()[0] as accepted:
        connection.sendall(b"x")
        assert accepted.recv(1) == b"x"
        names = [
            line.split()[-1].decode()
            for line in set(Path("/proc/net/unix").read_bytes().splitlines()) - before
            if b"iotrace" in line
        ]
        assert not any(name.startswith("@") or os.path.exists(name) for name in names)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_mount_with_blanks_in_its_name_becomes_read_only_too(tmp_path):
    place = tmp_path / "a b\\040c"
    place.mkdir()
    script = 'mount -t tmpfs none "$0" && exec sh -c "$1" sh cat /proc/self/mounts'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, place, host_root._READ_ONLY], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr}")
    ours = [line.split() for line in done.stdout.splitlines() if b"a\\040b\\134040c" in line]
    assert [line[3].split(b",")[0] for line in ours] == [b"ro"]


def test_a_machine_has_network_cards_where_they_are_asked_for(tmp_path):
    kernel = kernels.Kernel("x", "x", tmp_path, tmp_path, tmp_path)
    machine = Machine(kernel, (), tmp_path, "tcg")
    cards = dataclasses.replace(machine, nics=True)
    without, with_cards = (" ".join(qemu.arguments(its, 9, {})) for its in (machine, cards))
    assert "virtio-net" not in without and "netdev" not in without
    assert with_cards.count("-device virtio-net-pci") == with_cards.count("hubid=0") == 2
    assert "modprobe virtio_net" in guest_script._script(cards)
    assert "modprobe" not in guest_script._script(machine)


def test_kvm_that_hangs_is_tried_once_and_then_emulated(store, monkeypatch, tmp_path):
    binary = tmp_path / "qemu"
    binary.write_text("")
    boots = []
    monkeypatch.setattr(accel, "DEVICE", binary)
    monkeypatch.setattr(tools, "find", lambda program: str(binary))
    monkeypatch.setattr(vm, "run", lambda machine, take: boots.append(machine) or Outcome("hung"))
    kernel = kernels.Kernel("x", "x", tmp_path, tmp_path, tmp_path)
    assert [accel.choose(store, "auto", kernel)[0] for _ in range(2)] == ["tcg", "tcg"] and len(
        boots
    ) == 1
    with pytest.raises(CannotLab, match="did not boot"):
        accel.choose(store, "kvm", kernel)


def test_the_first_file_system_is_a_cpio_archive():
    archive = initramfs.Cpio()
    archive.file("a/b/file", b"text", 0o755)
    archive.device("dev/console", 5, 1)
    data = archive.finish()
    assert data.startswith(b"070701") and data.endswith(b"\0") and len(data) % 4 == 0
    if tools.find("cpio"):
        listed = subprocess.run(
            ["cpio", "-t", "--quiet"], input=data, capture_output=True, check=True
        ).stdout.split()
        assert listed == [b"a", b"a/b", b"a/b/file", b"dev", b"dev/console"]
