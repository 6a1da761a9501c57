"""tracer/lab/tools.py: programs are found, or named with their packages, and never the caller's own."""

from __future__ import annotations

import pytest

from tracer.lab import (
    CannotLab,
    tools,
)


def test_missing_programs_are_named_with_their_packages(monkeypatch):
    monkeypatch.setattr(tools, "find", lambda program: None)
    with pytest.raises(CannotLab, match="apt-get install qemu-system-x86"):
        tools.require(("qemu-system-x86_64",))


def test_no_program_comes_from_the_callers_directory(planted):
    assert tools.find("busybox") == str(planted / "busybox")
    assert tools.run("pwd").strip() == "/"
