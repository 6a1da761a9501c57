"""tracer/text.py: whatever bytes a machine has for a name, they can be shown."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tracer import text


@given(some.binary(max_size=20))
def test_any_bytes_can_be_shown(raw):
    for name in (raw, os.fsdecode(raw)):
        assert text.shown(name) == raw.decode("utf-8", "replace")
        text.shown(name).encode("utf-8")  # strictly


def test_a_file_of_proc_may_hold_anything(tmp_path):
    (tmp_path / "comm").write_bytes("отправитель".encode()[:15] + b"\n")
    assert text.read(tmp_path / "comm") == "отправи�\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "/x: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(17, "File exists", "/a", None, "/b"), "/b: File exists"),
        (ValueError("several\n  lines"), "ValueError: several lines"),
        (OSError("plain"), "OSError: plain"),
    ],
)
def test_a_failure_is_one_line(error, line):
    assert text.failure(error) == line
