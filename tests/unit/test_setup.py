"""The scripts in setup/, as far as they can be run without installing anything."""

from __future__ import annotations

import os
import subprocess

import pytest
from support.running import ROOT


@pytest.fixture
def prefix(tmp_path):
    """A PREFIX whose python3 only says where it runs and what is there."""
    python = tmp_path / "prefix" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nls\n")
    python.chmod(0o755)
    return python.parents[1]


@pytest.mark.skipif(not (ROOT / "setup").is_dir(), reason="no setup here")
def test_what_is_tested_is_the_clone_whatever_cdpath_says(prefix, tmp_path):
    (tmp_path / "other" / "setup").mkdir(parents=True)
    (tmp_path / "other" / "planted").touch()
    done = subprocess.run(
        ["setup/test"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "PREFIX": str(prefix),
            "CDPATH": str(tmp_path / "other"),
            "TMPDIR": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stderr
    assert {"tracer", "pyproject.toml"} <= set(done.stdout.split()) and "planted" not in done.stdout
