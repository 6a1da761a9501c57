"""tracer/places.py: what decides which programs are run: PATH, Python's variables, who may write to a directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import NOBODY

from tracer import places
from tracer.capture import spawn


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/usr/bin:/bin", "/usr/bin:/bin"),
        (":/bin", "/bin"),
        ("/bin:", "/bin"),
        ("", ""),
        (".", ""),
        (".:/usr/bin::bin:/bin:./x:..", "/usr/bin:/bin"),
    ],
)
def test_relative_and_empty_elements_of_path_are_left_out(given, path, monkeypatch):
    monkeypatch.setenv("PATH", given)
    assert places.path() == path


def test_without_path_there_is_the_systems(monkeypatch):
    monkeypatch.delenv("PATH")
    assert places.path() == os.defpath


def test_a_scenario_runs_whatever_variables_of_pythons_are_set(monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(9)\n")
    for name in (
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "PYTHONPYCACHEPREFIX",
        "PYTHONSTARTUP",
    ):
        monkeypatch.setenv(name, str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "scenarios.blocking", "--messages", "1"],
        env=spawn.environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_our_own_directory_is_not_open_to_others(tmp_path):
    assert places.open_to_others(tmp_path.resolve()) is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_directory_that_others_may_write_to_is_named(mode, tmp_path):
    inner = tmp_path.resolve() / "inner"
    inner.mkdir()
    inner.parent.chmod(mode)
    assert places.open_to_others(inner) == inner.parent
    inner.parent.chmod(mode | 0o1000)
    assert places.open_to_others(inner) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_directory_of_somebody_else_is_named(tmp_path):
    os.chown(tmp_path, NOBODY, NOBODY)
    assert places.open_to_others(tmp_path.resolve()) == tmp_path.resolve()
    assert places.open_to_others(Path("/")) is None
