"""tracer/lab/store.py: entries that appear whole, locks, whose the cache is, and how much room there is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support.running import NOBODY

from tracer.lab import (
    LabError,
)
from tracer.lab.store import Store, default_root


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
