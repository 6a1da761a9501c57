"""Files that root writes where others may write too: no link that lies there is followed. The benchmark's as well."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.running import NOBODY, ROOT

from tracer.cli import files


def test_a_link_that_comes_while_a_place_is_tried_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")

    def as_it_was_a_moment_before(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(os, "lstat", as_it_was_a_moment_before)
    problem = files.check_writable(str(tmp_path / "out"))
    assert problem and "File exists" in problem
    monkeypatch.undo()
    assert not (tmp_path / "elsewhere").exists() and (tmp_path / "out").is_symlink()


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_whose_place_a_link_takes_while_it_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """Root's `-o others/out`: nothing is opened, made or removed where a link then leads."""
    others, precious = tmp_path / "others", tmp_path / "precious"
    for directory in (others, precious):
        directory.mkdir()
    if there:
        (precious / "out").write_text("kept")
    real = os.lstat

    def swapped(*arguments: Any, **options: Any) -> os.stat_result:
        if not others.is_symlink():
            others.rename(tmp_path / "aside")
            others.symlink_to(precious)
        return real(*arguments, **options)

    monkeypatch.setattr(os, "lstat", swapped)
    made = precious.stat().st_mtime_ns
    assert files.check_writable(str(others / "out")) is None
    monkeypatch.undo()
    assert others.is_symlink() and precious.stat().st_mtime_ns == made
    assert [path.read_text() for path in precious.iterdir()] == ["kept"] * there


@pytest.mark.parametrize("replaced", [True, False])
def test_a_directory_whose_place_a_link_takes_while_a_file_is_made(
    tmp_path: Path, replaced: bool
) -> None:
    others, precious = tmp_path / "others", tmp_path / "precious"
    for directory in (others, precious):
        directory.mkdir()
    if replaced:
        (others / "out").write_text("earlier")
    with files.recorded(str(others / "out"), None) as (place, keep):
        Path(place).write_text("recorded")
        others.rename(tmp_path / "aside")
        others.symlink_to(precious)
        keep()
    assert list(precious.iterdir()) == []
    assert {path.name: path.read_text() for path in (tmp_path / "aside").iterdir()} == {
        "out": "recorded"
    }


def test_trying_a_place_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    assert files.check_writable(str(tmp_path / "out")) is None and list(tmp_path.iterdir()) == []
    (tmp_path / "out").write_text("kept")
    assert (
        files.check_writable(str(tmp_path / "out")) is None
        and (tmp_path / "out").read_text() == "kept"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_link_does_not_give_away_what_it_points_at(tmp_path: Path) -> None:
    made, output = tmp_path / "made", tmp_path / "output"
    for directory in (made, output):
        directory.mkdir()
    (tmp_path / "precious").touch()
    (made / "x.parquet").symlink_to(tmp_path / "precious")
    files.keep_all(made, output, (NOBODY, NOBODY))
    assert (tmp_path / "precious").stat().st_uid == 0


def benchmark(code: str) -> None:
    """Runs `code`, which may import modules of benchmarks/, if they are here."""
    if not (ROOT / "benchmarks").is_dir():
        pytest.skip("no benchmarks here")
    places = [str(ROOT / "benchmarks"), *[str(ROOT)] * (not sys.flags.isolated)]
    code = f"import sys; sys.path[:0] = {places!r}; from pathlib import Path; {code}"
    done = subprocess.run([sys.executable, "-I", "-B", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_benchmarks_figures_take_the_place_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out.json").symlink_to("precious")
    benchmark(f"import run; run._write(Path({str(tmp_path / 'out.json')!r}), '{{}}')")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "out.json").is_symlink() and (tmp_path / "out.json").read_text() == "{}"


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler (cc)")
def test_a_benchmarks_loads_take_nothing_from_the_callers_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, planted = tmp_path / "room", tmp_path / "planted"
    for directory in (room, planted):
        directory.mkdir()
    (planted / "stdio.h").write_text("#error planted\n")
    (planted / "libgcc_s.so.1").write_text("INPUT(planted.o)\n")
    monkeypatch.chdir(planted)
    monkeypatch.setenv("CPATH", ":")
    benchmark(f"import machine; machine.build(Path({str(room)!r}))")
    assert sorted(path.name for path in room.iterdir()) == [
        "bystander",
        "crowd",
        "memlock.so",
        "paced",
        "poll",
        "stamps",
        "watch",
    ]
