"""Files that root writes where others may write too: no link that lies there is followed."""

from __future__ import annotations

import os

import pytest
from running import NOBODY

from tracer.commands import common, verify


def test_a_link_that_comes_while_a_place_is_tried_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # as it was a moment before
    assert "File exists" in common.check_writable(str(tmp_path / "out"))
    assert not (tmp_path / "elsewhere").exists() and (tmp_path / "out").is_symlink()


def test_trying_a_place_leaves_nothing_and_changes_nothing(tmp_path):
    assert common.check_writable(str(tmp_path / "out")) is None and list(tmp_path.iterdir()) == []
    (tmp_path / "out").write_text("kept")
    assert common.check_writable(str(tmp_path / "out")) is None and (tmp_path / "out").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_link_does_not_give_away_what_it_points_at(tmp_path):
    made, output = tmp_path / "made", tmp_path / "output"
    for directory in (made, output):
        directory.mkdir()
    (tmp_path / "precious").touch()
    (made / "x.parquet").symlink_to(tmp_path / "precious")
    verify._keep(made, output, (NOBODY, NOBODY))
    assert (tmp_path / "precious").stat().st_uid == 0
