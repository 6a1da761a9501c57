"""tracer/recording/atomic_file.py: a file that has its name when it is whole, and before that leaves nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.running import PYTHON, ROOT

from tracer.recording.atomic_file import unnamed


@pytest.fixture(params=["O_TMPFILE", "a name"])
def both_ways(request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With the kernel's means, and where a file system lacks them."""
    if request.param == "a name":
        monkeypatch.setattr(
            "os.O_TMPFILE", os.O_DIRECTORY | os.O_CREAT
        )  # open(2): EINVAL, as NFS's EOPNOTSUPP
    return request.param


def test_it_has_its_name_when_it_is_whole(tmp_path: Path, both_ways: Any) -> None:
    with unnamed(str(tmp_path)) as file:
        with open(file.path, "w") as whole:
            whole.write("all")
        assert len(os.listdir(tmp_path)) == (both_ways == "a name")
        file.name(str(tmp_path / "run"), None)
    assert os.listdir(tmp_path) == ["run"] and (tmp_path / "run").read_text() == "all"


@pytest.mark.usefixtures("both_ways")
def test_it_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("old")
    with unnamed(str(tmp_path)) as file:
        with open(file.path, "w") as whole:
            whole.write("new")
        file.name(str(tmp_path / "run"), None)
    assert os.listdir(tmp_path) == ["run"] and (tmp_path / "run").read_text() == "new"


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("mask", [0, 0o077])
def test_it_is_private_whatever_the_umask(tmp_path: Path, mask: Any) -> None:
    before = os.umask(mask)
    try:
        for mode in (None, 0o644):
            with unnamed(str(tmp_path)) as file:
                assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600
                file.name(str(tmp_path / "run"), None, **({} if mode is None else {"mode": mode}))
            assert stat.S_IMODE(os.stat(tmp_path / "run").st_mode) == (mode or 0o600)
    finally:
        os.umask(before)


@pytest.mark.usefixtures("both_ways")
def test_without_a_name_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), unnamed(str(tmp_path)) as file:
        Path(file.path).write_text("half")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_nothing_is_left_by_who_was_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom tracer.recording.atomic_file import unnamed\n"
        "with unnamed(sys.argv[1]) as file:\n    open(file.path, 'w').write('half')\n    os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([*PYTHON, "-c", program, tmp_path], cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL and os.listdir(tmp_path) == []
