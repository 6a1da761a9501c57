"""A cache of the lab's own, and a place where somebody has planted programs."""

from __future__ import annotations

import os

import pytest

from tracer.lab.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "lab", lambda line: None)


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
