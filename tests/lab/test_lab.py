"""The lab without machines: cache and locks, lock file, initramfs, and what is said to differ between kernels."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from support.report_samples import _FAMILIES
from support.running import NOBODY, assert_one_line, iotrace

from tracer.cli import lab as commands_lab
from tracer.lab import (
    CannotLab,
    LabError,
    UnknownKernel,
    accel,
    compare,
    initramfs,
    kernels,
    lab,
    matrix,
    pins,
    tools,
    vm,
)
from tracer.lab.store import Store, default_root
from tracer.output import markdown
from tracer.output.terminal import matrix as matrix_terminal


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "lab", lambda line: None)


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


def test_an_entry_is_made_once_and_whole(store):
    made = []
    for _ in range(2):
        place = store.entry("one", lambda new: made.append((new / "file").write_text("x")), 1)
    assert len(made) == 1 and (place / "file").read_text() == "x"


def test_what_fails_leaves_no_entry(store):
    def fail(new: Path) -> None:
        (new / "half").write_text("x")
        raise LabError("no")

    with pytest.raises(LabError, match="no"):
        store.entry("two", fail, 1)
    assert not store.has("two") and list((store.root / "entries").iterdir()) == []


def test_what_a_killed_command_left_half_made_goes_with_the_next_attempt(store):
    left, others = (store.root / "entries" / name for name in (".new-one-x", ".new-another-x"))
    left.mkdir()
    others.mkdir()
    store.entry("one", lambda new: (new / "file").write_text("x"), 1)
    assert not left.exists() and others.exists()  # another command may be making that one now


def test_probes_that_a_machine_compiled_are_kept_as_its_own_cache_has_them(tmp_path):
    def brought(**files: bytes) -> bytes:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(
                    f"./../{name}.json"
                )  # whatever a machine says, nothing lands elsewhere
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return archive.getvalue()

    cache = tmp_path / "kernel"
    lab._keep_compiled(b"", cache)  # it compiled nothing
    assert not cache.exists()
    lab._keep_compiled(brought(old=b"1", kept=b"2"), cache)
    lab._keep_compiled(brought(kept=b"2", new=b"3"), cache)
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*.json")} == {
        "kept.json": b"2",
        "new.json": b"3",
    }
    lab._keep_compiled(brought(new=b"4")[:600], cache)  # a machine that ended in the middle
    assert {path.name for path in cache.iterdir()} <= {"kept.json", "new.json"}


def test_no_space_is_said_before_anything_is_made(store):
    with pytest.raises(LabError, match="no space"):
        store.entry("three", lambda new: pytest.fail("made"), 1 << 60)


def test_clean_keeps_away_from_who_uses_the_cache(store):
    with store.in_use(), pytest.raises(LabError, match="runs now"):
        store.clean()
    store.clean()
    assert not (store.root / "entries").exists()


def test_running_machines_are_shown_and_dead_ones_are_not(store):
    (store.root / "running" / "left.json").write_text('{"kernel": "6.1"}')
    with store.running({"kernel": "6.12"}):
        assert (
            len(list((store.root / "running").iterdir())) == 1
        )  # what a killed command left is gone already
        assert store.machines() == [{"kernel": "6.12"}]
    assert store.machines() == [] and list((store.root / "running").iterdir()) == []


def test_host_is_the_running_kernel_without_a_machine():
    done = iotrace("lab", "run", "host", "--", "list")
    assert (done.returncode, done.stdout, done.stderr) == (0, iotrace("list").stdout, "")
    assert_one_line(iotrace("lab", "run", "host", "--", "run", "nothing"), 2, "nothing")


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


def test_missing_programs_are_named_with_their_packages(monkeypatch):
    monkeypatch.setattr(tools, "find", lambda program: None)
    with pytest.raises(CannotLab, match="apt-get install qemu-system-x86"):
        tools.require(("qemu-system-x86_64",))


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """The working directory, with programs that fail and PATH leading to them first; our own programs are elsewhere."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory in (ours, theirs):
        directory.mkdir()
    for name in ("setpriv", "sh", "qemu-system-x86_64", "busybox", "pwd"):
        (theirs / name).write_text("#!/bin/sh\nexit 99\n")
        (theirs / name).chmod(0o755)
    (ours / "qemu-system-x86_64").write_text('#!/bin/sh\necho "runs in $(pwd)" >&2\nexit 1\n')
    (ours / "busybox").write_text("static")
    for path in ours.iterdir():
        path.chmod(0o755)
    monkeypatch.chdir(theirs)
    monkeypatch.setenv("PATH", f":.:{ours}:{os.environ['PATH']}")
    return ours


def test_no_program_comes_from_the_callers_directory(planted):
    assert tools.find("busybox") == str(planted / "busybox")
    assert tools.run("pwd").strip() == "/"


def test_a_machine_does_not_run_where_the_caller_is(planted, tmp_path):
    (tmp_path / "boot").mkdir()
    kernel = kernels.Kernel("x", "x", tmp_path, tmp_path, tmp_path / "boot")
    with pytest.raises(LabError, match=r"QEMU: runs in /$"):
        vm.run(vm.Machine(kernel, (), None, "tcg", probe=True), lambda port, data: None)


def test_a_relative_cache_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert default_root().is_absolute()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "iotrace" / "lab"


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_cache_that_others_may_write_to_is_refused(store, mode):
    for directory in (store.root / "entries").parent, store.root.parent:
        before = directory.stat().st_mode
        directory.chmod(mode)
        with pytest.raises(LabError, match=f"others may write to {re.escape(str(directory))} "):
            Store(store.root, print)
        directory.chmod(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_cache_of_somebody_else_is_refused(store):
    os.chown(store.root, NOBODY, NOBODY)
    with pytest.raises(LabError, match="others may write"):
        Store(store.root, print)


def test_a_cache_is_ours_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        made = Store(tmp_path / "a" / "b" / "lab", print)
    finally:
        os.umask(before)
    assert all(
        place.stat().st_mode & 0o022 == 0
        for place in (made.root.parent, made.root, made.root / "entries")
    )


def test_what_a_machine_says_may_be_anything(tmp_path):
    outcome, said = vm.Outcome(), []
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
    with open(read, "rb"), subprocess.Popen(["true"]) as process:
        machine = vm.Machine(
            kernels.Kernel("x", "x", tmp_path, tmp_path, tmp_path), (), None, "tcg"
        )
        vm._watch(
            machine, process, {"control": read}, outcome, lambda port, data: None, said.append, None
        )
    assert (outcome.release, outcome.statuses, outcome.ended) == ("6.1.0", {0: 7}, "done")
    assert said == ["up 6.1.0", "begin 0", "end 0 7", "done"]


def test_what_a_machine_left_is_taken_under_its_jobs_number_alone():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in (
            "0/report.json",
            "x/report.json",
            "/etc/passwd",
            "../1/a",
            "report.json",
            "1/\udcff",
        ):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    archive.seek(0)
    assert matrix.results(archive) == {0: {"report.json": b""}, 1: {"\udcff": b""}}


def test_what_is_kept_takes_the_place_of_a_link(tmp_path, monkeypatch):
    (tmp_path / "precious").write_text("precious")
    monkeypatch.chdir(tmp_path)
    for name in ("recording.parquet", "report.parquet", "report.json", "verify.json"):
        (tmp_path / name).symlink_to("precious")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("0/recording.parquet"), io.BytesIO())
    commands_lab._keep(archive)
    matrix._claims({}, tmp_path)
    matrix._cell(0, {"recording.parquet": b"", "report.json": b"null"}, None, tmp_path / "report")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not any(path.is_symlink() for path in tmp_path.iterdir())
    assert {
        path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name != "precious"
    } == {0o600}


def test_a_job_may_have_any_bytes_as_arguments(tmp_path, planted):
    (tmp_path / "boot").mkdir()
    assert b"echo \xff" in initramfs.build(tmp_path / "boot", {}, "echo \udcff", {}, code=False)


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


def test_nobody_else_can_connect_to_what_shares_the_hosts_root():
    before = set(Path("/proc/net/unix").read_bytes().splitlines())
    listener, connection = vm._connected()
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
        ["unshare", "--mount", "sh", "-c", script, place, vm._READ_ONLY], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr}")
    ours = [line.split() for line in done.stdout.splitlines() if b"a\\040b\\134040c" in line]
    assert [line[3].split(b",")[0] for line in ours] == [b"ro"]


def test_kvm_that_hangs_is_tried_once_and_then_emulated(store, monkeypatch, tmp_path):
    binary = tmp_path / "qemu"
    binary.write_text("")
    boots = []
    monkeypatch.setattr(accel, "DEVICE", binary)
    monkeypatch.setattr(tools, "find", lambda program: str(binary))
    monkeypatch.setattr(
        vm, "run", lambda machine, take: boots.append(machine) or vm.Outcome("hung")
    )
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


def test_what_differs_is_said_with_the_kernel_since_which():
    report = _FAMILIES["blocking"]("blocking", 23)
    report["features"] = {"ready": "kprobe sock_def_readable"}
    new = {**report, "features": {"ready": "tracepoint sk_data_ready"}}
    cells = {
        name: {"blocking": compare.cell(0, None, its, 23, 1000, None)}
        for name, its in (("6.1", report), ("6.12", new), ("7.2", new))
    }
    found = compare.differences([{"name": name} for name in cells], ["blocking"], cells)
    assert [(its["what"], its["since"]) for its in found] == [("evidence of ready", "6.12")]
    assert found[0]["groups"][1]["kernels"] == ["6.12", "7.2"]
    assert compare.differences([{"name": "6.12"}, {"name": "7.2"}], ["blocking"], cells) == []


def made_matrix(verdicts: dict[str, str]) -> dict:
    """A matrix of one scenario and one claim on kernels by name."""
    report = _FAMILIES["blocking"]("blocking", 23)
    listed = [
        {
            "name": name,
            "release": f"{name}.0",
            "ended": "done",
            "boot_s": 3.1,
            "took_s": 20.0,
            "round_trip_ns": 264_000,
            "last_lines": [],
            "accel": "tcg",
            "claims": [
                {
                    "number": 7,
                    "name": "edges",
                    "verdict": verdict,
                    "evidence": "e",
                    "qualification": None,
                }
            ],
        }
        for name, verdict in verdicts.items()
    ]
    cells = {name: {"blocking": compare.cell(0, None, report, 23, 1000, None)} for name in verdicts}
    return {
        "schema": 1,
        "scenarios": ["blocking"],
        "run_options": [],
        "icount": False,
        "accel": "tcg",
        "accel_why": accel.EMULATED,
        "took_s": 60.0,
        "kernels": listed,
        "cells": cells,
        "differs": compare.differences(listed, ["blocking"], cells),
    }


def test_claims_that_differ_between_kernels_are_said_and_drawn():
    found = made_matrix({"5.10": "does not hold", "6.1": "holds", "7.2": "holds"})
    assert [(its["what"], its["since"]) for its in found["differs"]] == [("claim edges", "6.1")]
    text = matrix_terminal.render(found, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert ["7", "edges", "−", "+", "+"] in [line.split() for line in text.splitlines()]
    assert "| 7 | edges | − | + | + |" in markdown.render(found)


def test_why_a_kernel_could_not_is_said():
    found = made_matrix({"5.10": "holds", "6.1": "holds"})
    found["cells"]["5.10"]["blocking"] = compare.cell(
        3, "iotrace: it is too old", None, None, 1000, None
    )
    found["differs"] = compare.differences(found["kernels"], ["blocking"], found["cells"])
    text = matrix_terminal.render(found, 80)
    assert (
        "1 scenario and 1 claim on 2 kernels" in text
        and "exit 3" in text
        and "exit status 3: it is too old" in text
    )


def test_without_claims_there_is_no_table_of_them():
    found = made_matrix({"6.1": "holds", "7.2": "holds"})
    assert found["differs"] == []
    for kernel in found["kernels"]:
        kernel["claims"] = None
    assert "Claims" not in matrix_terminal.render(found, 80)
    assert "1 scenario on 2 kernels, in 1 min 0 s" in matrix_terminal.render(found, 80)


def test_claims_alone_have_no_events():
    found = made_matrix({"6.1": "holds"})
    found["scenarios"], found["cells"] = [], {"6.1": {}}
    text = matrix_terminal.render(found, 80)
    assert "1 claim on 1 kernel, in 1 min 0 s" in text
    assert ["6.1", "6.1.0", "3.1", "s", "20", "s", "264", "µs", "–", "–", "–"] in map(
        str.split, text.splitlines()
    )
